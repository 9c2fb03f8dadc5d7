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

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld import losses
from hgld.engine.config import row_settings
from hgld.engine.progress import progress
from hgld.engine.stage import StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.data.images import TrainImages
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.loading import load_batches, seed_of
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.backbone import fetch_weights
from hgld.training.model.devices import autocast, choose_device, enough_memory, place_model
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import write_model
from hgld.training.model.weights import weights_settings
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.interrupts import held_interrupts
from hgld.training.run.state import LOGGED, RunState

logger = logging.getLogger(__name__)


def run_train(workspace: Workspace, config: TrainConfig) -> StageReport:
    """Trains a model on the annotated training images, or goes on where a stopped run was.

    Writes `runs/<name>/model.safetensors` and `config.json` (see `hgld.load_model`) and, as it
    goes, `runs/<name>/metrics.jsonl` and two checkpoints, which go when the run ends. What a run
    before it left stays as it is until this one has passed every check, and its model until this
    one ends.

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
    stage = train_stage(config.name)
    done = workspace.manifest(stage.name)
    if not weights_settings(config, done):
        # Before the fingerprint, which has their digest: else the next run would be another one.
        fetch_weights(config.model)
    settings = {**row_settings(config), **weights_settings(config, done)}
    report = run_stage(workspace, stage, settings, lambda writer: _train(writer, config))
    if not report.skipped:
        _run_files(workspace, config).end()
    return report


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
    # Whatever can be refused is refused before a file of this run, or of another one, is touched.
    images = training_images(writer.workspace)
    sampler = _sampler(images, config)
    steps = config.epochs * len(sampler)
    run = _new_run(images, config)
    files = _run_files(writer.workspace, config)
    done = writer.workspace.manifest(writer.stage.name)
    files.resume(
        writer.fingerprint,
        lambda content: run.restore(content, steps),
        finished=done.fingerprint if done else "",
    )
    logger.info(
        "train: %d images of %d landmarks; steps %d to %d, %d images each, on %s",
        *(len(images), len(images.names[0])),
        *(run.step + 1, steps, config.batch_size, run.proxies.device),
    )
    speed, saved_at = _Speed(), time.monotonic()
    batches = _batches(images, sampler, config, run.step)
    with progress(f"train: {config.name}", steps) as advance, held_interrupts() as interrupted:
        advance(run.step)
        stopping = False
        while run.step < steps and not stopping:
            try:
                pixels, labels = next(batches)
            except (InputError, DamagedError):
                # Between two steps, an image could not be read or a process that reads them was
                # killed: mended, the run goes on from here.
                files.save(writer.fingerprint, run.content())
                if interrupted():  # which has reached the processes that read as well
                    break
                raise
            run.decay = (1 + math.cos(math.pi * run.step / steps)) / 2
            with enough_memory(run.proxies.device, config.batch_size, config.image_size):
                _take_step(run, config, pixels, labels)
            advance(1)
            speed.images += config.batch_size
            if run.step % config.log_every_steps == 0 or run.step == steps:
                epoch = (run.step - 1) // len(sampler)
                files.log({"step": run.step, "epoch": epoch, **run.means(), **speed.read()})
            is_due = run.step % config.checkpoint_every_steps == 0 or run.step == steps
            is_due = is_due or time.monotonic() - saved_at >= config.checkpoint_every_s
            stopping = interrupted()
            if is_due or stopping:
                files.save(writer.fingerprint, run.content())
                saved_at = time.monotonic()
    weights, settings = map(writer.file, model_files(config.name))
    with settings as settings_path, weights as weights_path:
        write_model(run.model, weights_path, settings_path)


def _take_step(run: RunState, config: TrainConfig, pixels: Tensor, labels: Tensor) -> None:
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
        seen = ", ".join(f"{name} {value:.4g}" for name, value in zip(LOGGED, values, strict=True))
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


def _new_run(images: LabelledImages, config: TrainConfig) -> RunState:
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
    return RunState(model=model, proxies=proxy_parameter, optimiser=optimiser)


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
