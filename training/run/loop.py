"""A training run, without a framework: read it from top to bottom, then `step.py`.

Every random number (order, augmentation, dropout) is drawn from a stream named by the seed and
the place in the run, none from what was drawn before. So a checkpoint holds no generator's state,
and on a CPU a run that was stopped anywhere ends with the weights of one that was not, bit by
bit, given the same number of threads. On a GPU the sums of some kernels vary from run to run.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from hgld.engine.config import row_settings
from hgld.engine.progress import progress
from hgld.engine.stage import StageReport, StageWriter, run_stage, settle
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.data.images import AugmentedImages
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.loading import run_batches
from hgld.training.data.sampler import LandmarkSampler, SuperCategorySampler
from hgld.training.model.backbone import fetch_weights, weights_settings
from hgld.training.model.devices import (
    begin_peak_memory,
    enough_memory,
    kept_memory,
    peak_memory_of,
)
from hgld.training.model.saved import write_model
from hgld.training.model.whitening import centre_vectors, whiten_projection
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loss import landmark_labels
from hgld.training.run.state import RunState, fit_to_images, init_settings, start_run, take_over
from hgld.training.run.step import take_step
from hgld.training.run.watch import RunWatch, split_images
from hgld.training.together import Ranks

logger = logging.getLogger(__name__)


def run_train(workspace: Workspace, config: TrainConfig, ranks: Ranks | None = None) -> StageReport:
    """Trains a model on the annotated training images, or goes on where a stopped run was.

    Writes `runs/<name>/model.safetensors` and `config.json` (see `hgld.load_model`) and, as it
    goes, `runs/<name>/metrics.jsonl` and a checkpoint, which goes when the run ends. What a run
    before it left stays as it is until this one has passed every check, and its model until this
    one ends.

    Args:
        workspace: a build with annotations and images.
        config: the settings; those that change the weights make another run.
        ranks: the first of several processes that train together.

    Returns:
        The stage's report.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: too few images or landmarks for the settings, an unreadable image, a
            backbone, weights or a device that cannot be had, a checkpoint of another run.
        FetchError: weights cannot be fetched.
        DamagedError: an image or a checkpoint is not what was recorded.
        DivergedError: a loss or gradient is not finite.
    """
    stage = train_stage(config.name, config.labels)
    done = workspace.manifest(stage.name)
    if not config.init and not weights_settings(config, done):
        # Before the fingerprint, which has their digest: else the next run would be another one.
        # And after a look at the build: where there is no network that takes a minute to tell.
        settle(workspace)
        workspace.input_digests(stage.inputs, stage.input_files)
        fetch_weights(config.model)
    start = init_settings(workspace, config) or weights_settings(config, done)
    settings = {**row_settings(config), **start}
    report = run_stage(
        workspace, stage, settings, lambda writer: _train(writer, config, ranks or Ranks())
    )
    if not report.skipped:
        _run_files(workspace, config).end()
    return report


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
    images, _ = split_images(training_images(Workspace(root), config.label_choice), config)
    order = order_of(images, config, ranks)
    run = start_run(config, landmark_labels(images.labels), ranks)
    run.restore(ranks.shared({}))
    steps = config.epochs * len(order)
    with kept_memory(run.place), enough_memory(run.place, config.batch_size, config.crop_side):
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
    images: LabelledImages, order: LandmarkSampler, config: TrainConfig, done: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields pixels (B, 3, S, S) uint8 and labels (B, L) of the steps that are not done."""
    altered = AugmentedImages(
        images,
        config.crop_side,
        min_crop=config.min_crop,
        colour_jitter=config.colour_jitter,
        seed=config.seed,
    )
    return run_batches(altered, order, epochs=config.epochs, start=done, workers=config.workers)


def _train(writer: StageWriter, config: TrainConfig, ranks: Ranks) -> None:
    # Whatever can be refused is refused before a file of this run, or of another one, is touched.
    workspace = writer.workspace
    images, held_out = split_images(training_images(workspace, config.label_choice), config)
    order = order_of(images, config, ranks)
    run = start_run(config, landmark_labels(images.labels), ranks)
    if config.init:
        take_over(run.model, workspace, config)
    files, steps = _run_files(workspace, config), config.epochs * len(order)
    if kept := files.resume(writer.fingerprint):
        run.restore(kept)
    else:
        if config.whitening and not config.init:
            fit_to_images(whiten_projection, run.model, images, config)
        run.begin()
    logger.info(
        "train: %d images of %d landmarks; steps %d to %d, %d images each, on %s, %d processes",
        *(len(images), len(images.names[0])),
        *(run.step + 1, steps, config.batch_size, run.place, ranks.count),
    )
    watch = RunWatch(files, config, held_out, steps)
    with kept_memory(run.place), enough_memory(run.place, config.batch_size, config.crop_side):
        ranks.shared(run.content())
        batches = _batches(images, order, config, run.step)
        try:
            _take_steps(run, config, batches, watch, files, writer.fingerprint)
        finally:
            watch.show(is_running=False)
            watch.close()
        model = watch.kept(run)
        if config.centring:
            fit_to_images(centre_vectors, model, images, config)
    weights, settings = map(writer.file, model_files(config.name))
    with settings as settings_path, weights as weights_path:
        write_model(model, weights_path, settings_path)


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
            if is_measured or is_late or is_over:
                files.save(files.checkpoint, {"fingerprint": fingerprint, **run.content()})
                saved_at = time.monotonic()
                watch.show(is_running=True)
            if is_over:
                return
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
