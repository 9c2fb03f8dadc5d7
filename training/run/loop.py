"""A training run, without a framework: read it from top to bottom.

Every random number (order, augmentation, dropout) is drawn from a stream named by the seed and
the place in the run, none from what was drawn before. So a checkpoint holds no generator's state,
and on a CPU a run that was stopped anywhere ends with the weights of one that was not, bit by
bit, given the same number of threads. On a GPU the sums of some kernels vary from run to run.

In a step the loss is computed on embeddings cut off from the model, and its gradient taken back
through the model afterwards. In one piece this is what autograd does anyway; and it lets a batch be
embedded in parts, in the memory of one, and by several processes.

Source: Revaud et al., Learning with Average Precision: Training Image Retrieval with a Listwise
Loss, ICCV 2019, section 3.3, for the two passes.
"""

import dataclasses
import logging
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from hgld.engine.progress import progress
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import DivergedError, InputError
from hgld.training.config import TrainConfig, model_files
from hgld.training.data.images import AugmentedImages, run_batches, seed_of
from hgld.training.data.labels import LabelledImages, images_of_run
from hgld.training.data.sampler import LandmarkSampler, SuperCategorySampler
from hgld.training.methods import Cost
from hgld.training.model.embed import (
    autocast,
    begin_peak_memory,
    choose_device,
    describe_numerics,
    enough_memory,
    native_precision,
    peak_memory_of,
)
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import write_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.fitting import centre_vectors, fit_to_images, whiten_projection
from hgld.training.run.state import (
    Ranks,
    RunState,
    landmark_labels,
    start_run,
    take_over,
)
from hgld.training.run.validation import mean_similarity
from hgld.training.run.vectors import FrozenVectors, load_vectors
from hgld.training.run.watch import RunWatch, split_images

logger = logging.getLogger(__name__)


def with_precision(workspace: Workspace, config: TrainConfig) -> TrainConfig:
    """Returns settings whose precision is decided, once for a run: it changes the weights.

    A run that goes on elsewhere keeps that of its checkpoint.
    """
    if config.precision != "auto":
        return config
    files = _run_files(workspace, config)
    if files.checkpoint.exists():
        # One that does not tell is of other settings, which `resume` refuses in words.
        precision = files.load(files.checkpoint).get("precision", "bfloat16")
    else:
        precision = native_precision(choose_device(config.device))
    return dataclasses.replace(config, precision=precision)


def follow(root: Path, config: TrainConfig, ranks: Ranks) -> None:
    """Takes the steps of a run beside the process that keeps it, and writes nothing.

    Args:
        root: folder of the build.
        config: of the run, with the device of this process.
        ranks: which process this is, of a group that it has joined.

    Raises:
        InputError: as `run_train`.
        DamagedError: as `run_train`.
        DivergedError: as `run_train`.
    """
    images, _ = split_images(images_of_run(Workspace(root), config), config)
    order = order_of(images, config, ranks)
    run = start_run(config, landmark_labels(images.labels), ranks)
    kept: dict[str, Any] = ranks.shared({})
    run.restore(kept)
    config = dataclasses.replace(config, precision=kept["precision"])
    steps = config.epochs * len(order)
    with enough_memory(run.place, config.batch_size, config.crop_side):
        for pixels, labels in _batches(images, order, config, run.step):
            take_step(run, config, pixels, labels, steps=steps)


def order_of(images: LabelledImages, config: TrainConfig, ranks: Ranks) -> LandmarkSampler:
    """Returns which images come in which batch, or this process's part of it.

    Args:
        images: to train on.
        config: of the run.
        ranks: which process this is.

    Raises:
        InputError: too few images or landmarks for the settings.
    """
    drawn = {
        "batch_size": config.batch_size,
        "samples_per_landmark": config.samples_per_landmark,
        "max_per_landmark": config.max_per_landmark,
        "seed": config.seed,
        "rank": ranks.rank,
        "world_size": ranks.count,
    }
    k = config.supercategories_per_batch
    try:
        if k is None:
            return LandmarkSampler(images.labels[:, 0], **drawn)
        return SuperCategorySampler(images.labels, supercategories_per_batch=k, **drawn)
    except ValueError as error:
        raise InputError(f"[train] {error}") from error


def _batches(
    images: LabelledImages,
    order: LandmarkSampler,
    config: TrainConfig,
    done: int,
    frozen: FrozenVectors | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields what is embedded, and labels (B, L), of the steps that are not done.

    That is pixels (B, 3, S, S) uint8, or vectors (B, C) where a backbone is frozen.
    """
    if frozen is not None:
        return run_batches(frozen.items(images), order, epochs=config.epochs, start=done)
    altered = AugmentedImages(
        images,
        config.crop_side,
        min_crop=config.min_crop,
        colour_jitter=config.colour_jitter,
        interpolation=config.interpolation,
        seed=config.seed,
    )
    return run_batches(altered, order, epochs=config.epochs, start=done, workers=config.workers)


def train(writer: StageWriter, config: TrainConfig, ranks: Ranks) -> None:
    """Does the work of `run_train`, with settings of `with_precision`."""
    # Whatever can be refused is refused before a file of this run, or of another one, is touched.
    workspace = writer.workspace
    files, frozen = _run_files(workspace, config), None
    images = images_of_run(workspace, config)
    if config.frozen:
        frozen, images = load_vectors(workspace, config, images, files.vectors)
    images, held_out = split_images(images, config)
    order = order_of(images, config, ranks)
    layer = None if frozen is None else frozen.layer
    run = start_run(config, landmark_labels(images.labels), ranks, layer)
    if config.init:
        take_over(cast("EmbeddingModel", run.model), workspace, config)
    steps = config.epochs * len(order)
    if kept := files.resume(writer.fingerprint):
        run.restore(kept)
    else:
        if frozen is not None:
            frozen.start(images)
        elif config.whitening and not config.init:
            fit_to_images(whiten_projection, cast("EmbeddingModel", run.model), images, config)
        run.begin()
    files.note_environment(
        {
            **describe_numerics(config.device),
            "processes": ranks.count,
            "precision": config.precision,
        },
        is_new=kept is None,
    )
    logger.info(
        "train: %s images of %s landmarks; steps %d to %d, %d images each, on %s, %d processes, %s",
        *(f"{len(images):,}", f"{len(images.names[0]):,}"),
        *(run.step + 1, steps, config.batch_size, run.place, ranks.count, config.precision),
    )
    watch = RunWatch(files, config, held_out, steps, None if frozen is None else frozen.embed)
    with enough_memory(run.place, config.batch_size, config.crop_side):
        ranks.shared({"precision": config.precision, **run.content()})
        batches = _batches(images, order, config, run.step, frozen)
        try:
            _take_steps(run, config, batches, watch, files, writer.fingerprint)
        finally:
            watch.close()
        model = watch.kept(run)
        if frozen is not None:
            model = frozen.with_layer(model)
        elif config.centring:
            fit_to_images(centre_vectors, cast("EmbeddingModel", model), images, config)
    weights, settings = map(writer.file, model_files(config.name))
    with settings as settings_path, weights as weights_path:
        write_model(cast("EmbeddingModel", model), weights_path, settings_path)


def _take_steps(
    run: RunState,
    config: TrainConfig,
    batches: Iterator[tuple[Tensor, Tensor]],
    watch: RunWatch,
    files: RunFiles,
    fingerprint: str,
) -> None:
    begin_peak_memory(run.place)
    logged_at = saved_at = time.monotonic()
    seen = 0
    with progress(f"train: {config.name}", watch.steps, run.step) as advance:
        while True:
            if is_measured := watch.is_due(run.step):
                watch.measure(run)
            is_over = run.step == watch.steps
            is_late = time.monotonic() - saved_at >= config.checkpoint_every_s
            is_stopping = run.ranks.stopping.is_set()
            if is_measured or is_late or is_over or is_stopping:
                told = {"fingerprint": fingerprint, "precision": config.precision}
                files.save(files.checkpoint, {**told, **run.content()})
                saved_at = time.monotonic()
                watch.show(is_running=True)
            if is_over:
                return
            if is_stopping:
                logger.warning("train: stopped after step %d; the same command goes on", run.step)
                raise SystemExit(128 + signal.SIGTERM)
            take_step(run, config, *next(batches), steps=watch.steps)
            advance(1)
            seen += config.batch_size
            if run.step % config.log_every_steps == 0 or run.step == watch.steps:
                rate, logged_at = seen / (time.monotonic() - logged_at), time.monotonic()
                epoch = (run.step - 1) * config.epochs // watch.steps
                line = {"step": run.step, "epoch": epoch, **run.means()}
                line["images_per_s"], seen = round(rate, 1), 0
                if (memory_mb := peak_memory_of(run.place)) is not None:
                    line["peak_memory_mb"] = memory_mb
                advance(0, note=watch.log(line))


def _run_files(workspace: Workspace, config: TrainConfig) -> RunFiles:
    return RunFiles(workspace.path(f"runs/{config.name}"))


def take_step(
    run: RunState, config: TrainConfig, pixels: Tensor, labels: Tensor, *, steps: int
) -> None:
    """Takes one step on a batch.

    Args:
        run: what the step changes.
        config: of the run.
        pixels: (B, 3, S, S) uint8, the images of this process; of a frozen model their vectors.
        labels: (B, L) int64.
        steps: of the whole run.

    Raises:
        DivergedError: the loss or the gradient is not finite; the weights are as they were.
    """
    # From pinned memory, without waiting for the copy: what is computed next waits for it there.
    pixels, labels = (one.to(run.place, non_blocking=True) for one in (pixels, labels))
    for group in run.optimiser.param_groups:
        group["lr"] = group["factor"] * learning_rate(config, run.step, steps)

    parts = _parts(pixels, config, run)
    graph = None
    if len(parts) == 1:
        graph = _embed(run, config, *parts[0])
        own = graph.detach()
    else:
        with torch.no_grad():
            own = torch.cat([_embed(run, config, *part) for part in parts])
    embeddings = run.ranks.gathered(own).requires_grad_()  # (B of all, D) float32
    all_labels = run.ranks.gathered(labels)
    with autocast(run.place, config.precision):
        cost = run.loss(embeddings, all_labels)

    run.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(run.scaler.scale(cost.total))
    slopes = run.ranks.own(embeddings.grad if embeddings.grad is not None else torch.zeros(0))
    if graph is not None:
        torch.autograd.backward(graph, slopes)
    else:
        for (at, images), slope in zip(parts, torch.split(slopes, len(parts[0][1])), strict=True):
            torch.autograd.backward(_embed(run, config, at, images), slope)
    run.ranks.sum_gradients(run.model.parameters(), run.loss.parameters())
    _follow(run, config, cost, mean_similarity(embeddings))
    if run.loss.memory is not None and run.step > config.memory_from_step:
        run.loss.memory.append(embeddings.detach(), all_labels)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Returns the learning rate of a step: up from 0 in `warm_up_steps`, then half a cosine down.

    Args:
        config: of the run.
        step: steps done.
        steps: of the whole run.
    """
    warm_up = config.warm_up_steps
    if step < warm_up:
        share = (step + 1) / (warm_up + 1)
    else:
        share = (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2
    return config.learning_rate * share


def _parts(pixels: Tensor, config: TrainConfig, run: RunState) -> list[tuple[int, Tensor]]:
    """Returns the images that are embedded at once, with the place of the first in the batch."""
    first = run.ranks.rank * len(pixels)
    size = config.images_at_once or len(pixels)
    return [(first + at, pixels[at : at + size]) for at in range(0, len(pixels), size)]


def _embed(run: RunState, config: TrainConfig, first: int, images: Tensor) -> Tensor:
    """Embeds images, (B, D) float32: the same ones alike, whenever in a step."""
    place = images.device
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        # Dropout is drawn anew for each part, and alike in both passes.
        torch.manual_seed(seed_of(f"dropout, seed {config.seed}, step {run.step}, from {first}"))
        with autocast(place, config.precision):
            embeddings: Tensor = run.model(images)
    return embeddings


def _follow(run: RunState, config: TrainConfig, cost: Cost, similarity: float) -> None:
    """Moves the weights along the gradient, if it is one, and notes the loss.

    Raises:
        DivergedError: the loss or the gradient is not finite.
    """
    run.scaler.unscale_(run.optimiser)
    learned = [*run.model.parameters(), *run.loss.parameters()]
    gradients = [one.grad for one in learned if one.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if config.gradient_clip is not None:
        nn.utils.clip_grads_with_norm_(learned, config.gradient_clip, norm)
    named = {"loss": cost.total, **cost.parts, "gradient_norm": norm}
    values = torch.stack([one.detach().double().cpu() for one in named.values()])
    seen = dict(zip(named, values.tolist(), strict=True))
    is_overflow = run.scaler.is_enabled() and not math.isfinite(seen["gradient_norm"])
    is_overflow = is_overflow and math.isfinite(seen["loss"]) and run.scaler.get_scale() > 1
    if not values.isfinite().all() and not is_overflow:
        told = ", ".join(f"{name} {value:.4g}" for name, value in seen.items())
        raise DivergedError(
            f"training diverged at step {run.step + 1}: every value must be finite, got {told}; "
            f'lower learning_rate (now {config.learning_rate:g}) or set precision = "float32", '
            f"and rerun"
        )
    # Of float16, a gradient that overflows takes no step; the next one is scaled less.
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.step += 1
    if is_overflow:
        return
    if run.average is not None:
        run.average.update_parameters(run.model)
    run.note({**seen, "mean_similarity": similarity})
