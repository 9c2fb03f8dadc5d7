"""Training HAPPIER, without a framework: read it from top to bottom.

Every random number (order, augmentation, dropout) is drawn from a stream named by the seed and
the place in the run, none from what was drawn before. So a checkpoint holds no generator's state,
and on a CPU a run that was stopped anywhere ends with the weights of one that was not, bit by
bit, given the same number of threads. On a GPU the sums of some kernels vary from run to run.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld import losses
from hgld.engine.config import row_settings
from hgld.engine.files import file_digest
from hgld.engine.progress import progress
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.training.config import TrainConfig, train_stage
from hgld.training.data.images import TrainImages
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.loading import load_batches, seed_of
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.devices import autocast, choose_device, place_model
from hgld.training.model.embedding import EmbeddingModel, build_model, save_model
from hgld.training.run.checkpoint import RunFiles, held_interrupts

logger = logging.getLogger(__name__)

_LOGGED = ("loss", "sup_hap", "clustering", "gradient_norm")


def run_train(workspace: Workspace, config: TrainConfig) -> StageReport:
    """Trains a model on the annotated training images, or goes on where a stopped run was.

    Writes `runs/<name>/model.pt` (see `hgld.training.model.embedding.load_model`) and, as it goes,
    `runs/<name>/metrics.jsonl` and `runs/<name>/checkpoint.pt`, which goes when the run ends.

    Args:
        workspace: a build with annotations and images.
        config: the settings; those that change the weights make another run.

    Returns:
        The stage's report.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: too few images or landmarks for the settings, an unreadable image, a
            backbone, weights or a device that cannot be had.
        FetchError: weights cannot be fetched.
        DamagedError: an image is gone, or is not what was recorded.
        DivergedError: a loss or gradient is not finite.
    """
    settings = row_settings(config)
    if Path(config.weights).is_file():
        settings["weights_digest"] = file_digest(Path(config.weights))
    stage = train_stage(config.name)
    report = run_stage(workspace, stage, settings, lambda writer: _train(writer, config))
    if not report.skipped:
        _run_files(workspace, config).checkpoint.unlink(missing_ok=True)
    return report


@dataclass(slots=True, kw_only=True)
class _Run:
    """What steps change, and what they add up for the log."""

    model: EmbeddingModel
    proxies: nn.Parameter
    """(landmarks, D), a direction for each landmark."""
    optimiser: torch.optim.Adam
    step: int = 0
    """Steps done."""
    decay: float = 1.0
    """Of the learning rate, from 1 at the start to 0 at the end."""
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(_LOGGED), dtype=torch.float64))
    """Of what is logged, over the steps since the last line."""
    summed: int = 0

    def content(self) -> dict[str, object]:
        """Returns what a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "proxies": self.proxies.detach(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "sums": self.sums,
            "summed": self.summed,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Takes over what a checkpoint held."""
        self.model.load_state_dict(content["model"])
        with torch.no_grad():
            self.proxies.copy_(content["proxies"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.summed = content["step"], content["summed"]
        self.sums = content["sums"]

    def means(self) -> dict[str, float]:
        """Returns the means since the last line, and the learning rate of the last step."""
        means = dict(zip(_LOGGED, (self.sums / self.summed).tolist(), strict=True))
        self.sums, self.summed = torch.zeros_like(self.sums), 0
        return {**means, "learning_rate": self.optimiser.param_groups[0]["lr"]}


class _Speed:
    """Counts images, and reads out how many there were a second since the last time."""

    def __init__(self) -> None:
        self.images = 0
        self._since = time.monotonic()

    def read(self) -> dict[str, float]:
        now = time.monotonic()
        rate = self.images / (now - self._since)
        self.images, self._since = 0, now
        return {"images_per_s": round(rate, 1)}


def _train(writer: StageWriter, config: TrainConfig) -> None:
    images = training_images(writer.workspace)
    sampler = _sampler(images, config)
    steps = config.epochs * len(sampler)
    run = _new_run(images, config)
    files = _run_files(writer.workspace, config)
    if content := files.resume(writer.fingerprint):
        run.restore(content)
    logger.info(
        "train: %d images of %d landmarks; steps %d to %d, %d images each, on %s",
        *(len(images), len(images.names[0])),
        *(run.step + 1, steps, config.batch_size, run.proxies.device),
    )
    speed = _Speed()
    with progress(f"train: {config.name}", steps) as advance, held_interrupts() as interrupted:
        advance(run.step)
        try:
            for pixels, labels in _batches(images, sampler, config, run.step):
                run.decay = (1 + math.cos(math.pi * run.step / steps)) / 2
                _take_step(run, config, pixels, labels)
                advance(1)
                speed.images += config.batch_size
                if run.step % config.log_every_steps == 0 or run.step == steps:
                    epoch = (run.step - 1) // len(sampler)
                    files.log({"step": run.step, "epoch": epoch, **run.means(), **speed.read()})
                stopping = interrupted()
                if run.step % config.checkpoint_every_steps == 0 or run.step == steps or stopping:
                    files.save(writer.fingerprint, run.content())
                if stopping:
                    raise KeyboardInterrupt
        except (InputError, DamagedError):
            # An image could not be read, between two steps: mended, the run goes on from here.
            files.save(writer.fingerprint, run.content())
            raise
    with writer.file(f"runs/{config.name}/model.pt") as path:
        save_model(run.model, path)


def _take_step(run: _Run, config: TrainConfig, pixels: Tensor, labels: Tensor) -> None:
    """Takes one step of Adam on (1 - w) Sup-H-AP + w clustering, w the clustering weight.

    Raises:
        DivergedError: the loss or the gradient is not finite; the weights are as they were.
    """
    place = run.proxies.device
    pixels, labels = pixels.to(place), labels.to(place)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed_of(f"dropout, seed {config.seed}, step {run.step}"))
        with autocast(place, config.precision):
            embeddings = run.model(pixels)  # (B, D) float32
    sup_hap = losses.sup_hap_loss(embeddings, labels, alpha=config.alpha)
    clustering = losses.clustering_loss(embeddings, labels, run.proxies)
    loss = (1 - config.clustering_weight) * sup_hap + config.clustering_weight * clustering

    run.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    # Never clipped: this is how torch measures the norm.
    gradient_norm = nn.utils.clip_grad_norm_([*run.model.parameters(), run.proxies], math.inf)
    values = torch.stack([loss, sup_hap, clustering, gradient_norm]).detach().double().cpu()
    if not values.isfinite().all():
        seen = ", ".join(f"{name} {value:.4g}" for name, value in zip(_LOGGED, values, strict=True))
        raise DivergedError(
            f"training diverged at step {run.step + 1}: every value must be finite, got {seen}; "
            f'lower learning_rate (now {config.learning_rate:g}) or set precision = "float32", '
            f"and rerun"
        )
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * run.decay
    run.optimiser.step()
    run.step += 1
    run.sums += values
    run.summed += 1


def _sampler(images: LabelledImages, config: TrainConfig) -> LandmarkSampler:
    try:
        return LandmarkSampler(
            images.labels[:, 0],
            batch_size=config.batch_size,
            samples_per_landmark=config.samples_per_landmark,
            max_per_landmark=config.max_per_landmark,
            seed=config.seed,
        )
    except ValueError as error:
        raise InputError(f"[train] {error}") from error


def _new_run(images: LabelledImages, config: TrainConfig) -> _Run:
    place = choose_device(config.device)
    model = place_model(build_model(config.model, seed=config.seed), place)
    model.batch_norm_is_frozen = config.freeze_batch_norm
    model.train()
    generator = torch.Generator().manual_seed(seed_of(f"proxies, seed {config.seed}"))
    proxies = torch.randn(len(images.names[0]), model.embedding_dim, generator=generator)
    # Of unit norm: the longer a proxy, the less a step of Adam turns it. A larger learning rate for
    # them made retrieval worse (demo, 2 epochs at 3e-4: H-AP 0.67; with 1e-3 for proxies 0.64).
    proxy_parameter = nn.Parameter(functional.normalize(proxies, dim=1).to(place))
    groups = [
        {"params": list(model.parameters()), "weight_decay": config.weight_decay},
        {"params": [proxy_parameter], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.Adam(groups, lr=config.learning_rate)
    return _Run(model=model, proxies=proxy_parameter, optimiser=optimiser)


def _batches(
    images: LabelledImages, sampler: LandmarkSampler, config: TrainConfig, done: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of all epochs, without those of the steps that are done.

    Yields:
        Images (B, 3, S, S) uint8 and labels (B, L) int64.
    """
    first_epoch, step_in_epoch = divmod(done, len(sampler))
    for epoch in range(first_epoch, config.epochs):
        order = sampler.epoch(epoch).flatten()
        stream = f"seed {config.seed}, epoch {epoch}"
        yield from load_batches(
            TrainImages(images, order, config.image_size, stream),
            batch_size=config.batch_size,
            start=step_in_epoch * config.batch_size,
            workers=config.workers,
        )
        step_in_epoch = 0


def _run_files(workspace: Workspace, config: TrainConfig) -> RunFiles:
    return RunFiles(workspace.path(f"runs/{config.name}"))
