"""A training run, without a framework: read it from top to bottom, then `step.py`.

Every random number (order, augmentation, dropout) is drawn from a stream named by the seed and
the place in the run, none from what was drawn before. So a checkpoint holds no generator's state,
and on a CPU a run that was stopped anywhere ends with the weights of one that was not, bit by
bit, given the same number of threads. On a GPU the sums of some kernels vary from run to run.
"""

import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from hgld.engine.config import row_settings
from hgld.engine.progress import progress
from hgld.engine.stage import StageReport, StageWriter, run_stage, settle
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.data.labels import training_images
from hgld.training.methods.loss import landmark_labels
from hgld.training.model.backbone import fetch_weights
from hgld.training.model.devices import (
    begin_peak_memory,
    enough_memory,
    kept_memory,
    peak_memory_of,
)
from hgld.training.model.saved import write_model
from hgld.training.model.weights import weights_settings
from hgld.training.model.whitening import centre_vectors, whiten_projection
from hgld.training.run.batches import batches_of, count_steps
from hgld.training.run.branch import branch_off
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.interrupts import held_interrupts
from hgld.training.run.start import fit_to_images, init_settings, start_run, take_over
from hgld.training.run.state import RunState
from hgld.training.run.step import take_step
from hgld.training.run.watch import RunWatch, split_images
from hgld.training.together.processes import device_of, others_beside
from hgld.training.together.ranks import Ranks

logger = logging.getLogger(__name__)


def run_train(
    workspace: Workspace, config: TrainConfig, joined: Ranks | None = None
) -> StageReport:
    """Trains a model on the annotated training images, or goes on where a stopped run was.

    Writes `runs/<name>/model.safetensors` and `config.json` (see `hgld.load_model`) and, as it
    goes, `runs/<name>/metrics.jsonl` and two checkpoints, which go when the run ends. What a run
    before it left stays as it is until this one has passed every check, and its model until this
    one ends.

    Args:
        workspace: a build with annotations and images.
        config: the settings; those that change the weights make another run.
        joined: the first of processes that were started to train together, where somebody else
            has started them; by default this one starts those that `config.nproc` asks for.

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
    report = run_stage(workspace, stage, settings, lambda writer: _train(writer, config, joined))
    if not report.skipped:
        _run_files(workspace, config).end()
    return report


class _Cost:
    """Counts images, and reads out how many there were a second since the last time; and memory."""

    def __init__(self, place: torch.device) -> None:
        self.images = 0
        self._place = place
        self._since = time.monotonic()
        begin_peak_memory(place)

    def read(self) -> dict[str, float]:
        now = time.monotonic()
        rate = self.images / (now - self._since)
        self.images, self._since = 0, now
        memory_mb = peak_memory_of(self._place)
        memory = {} if memory_mb is None else {"peak_memory_mb": memory_mb}
        return {"images_per_s": round(rate, 1), **memory}


class _Keeper:
    """Writes the checkpoints of a run when they are due."""

    def __init__(self, files: RunFiles, fingerprint: str, run: RunState, watch: RunWatch) -> None:
        self._files, self._fingerprint, self._run = files, fingerprint, run
        self.watch = watch
        self._saved_at = time.monotonic()

    def save(self) -> None:
        self._files.save(self._fingerprint, self._run.content())
        self._saved_at = time.monotonic()
        self.watch.show(is_running=True)

    def measure(self) -> None:
        self.watch.measure(self._run)
        self.save()

    def is_due(self, config: TrainConfig) -> bool:
        is_due = self._run.step % config.checkpoint_every_steps == 0
        return is_due or time.monotonic() - self._saved_at >= config.checkpoint_every_s


def _train(writer: StageWriter, config: TrainConfig, joined: Ranks | None) -> None:
    # Whatever can be refused is refused before a file of this run, or of another one, is touched.
    workspace, ranks = writer.workspace, joined or Ranks(0, config.nproc)
    images, held_out = split_images(
        training_images(workspace, config.pictures, config.label_choice), config
    )
    steps = count_steps(images, config)
    device = config.device if joined else device_of(config, ranks)
    run = start_run(dataclasses.replace(config, device=device), landmark_labels(images.labels))
    if config.init:
        take_over(run.model, workspace, config)
    files = _run_files(workspace, config)
    done = workspace.manifest(writer.stage.name)
    files.resume(
        writer.fingerprint,
        lambda content: run.restore(content, steps),
        finished=done.fingerprint if done else "",
    )
    if config.branch and run.step == 0:
        branch_off(workspace, config, files, run, steps)
    if config.whitening and not config.init and run.step == 0:
        fit_to_images(whiten_projection, run.model, images, config)
    if run.step == 0:
        run.begin()
    logger.info(
        "train: %d images of %d landmarks; steps %d to %d, %d images each, on %s, %d processes",
        *(len(images), len(images.names[0])),
        *(run.step + 1, steps, config.batch_size, run.place, config.nproc),
    )
    watch = RunWatch(files, config, held_out, steps)
    with (
        kept_memory(run.place),
        others_beside(workspace.root, config, follow, joined) as run.ranks,
    ):
        run.ranks.shared(run.content())
        batches = batches_of(images, config, run)
        keeper = _Keeper(files, writer.fingerprint, run, watch)
        try:
            _take_steps(run, config, batches, keeper)
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
    keeper: _Keeper,
) -> None:
    watch, cost, stopping = keeper.watch, _Cost(run.place), False
    steps = watch.steps
    with (
        progress(f"train: {config.name}", steps, run.step) as advance,
        held_interrupts() as interrupted,
    ):
        if watch.is_due(run.step):
            keeper.measure()
        while run.step < steps and not stopping and not _is_over(run, config, watch):
            try:
                pixels, labels = next(batches)
            except (InputError, DamagedError):
                # Between two steps, an image could not be read or a process that reads them was
                # killed: mended, the run goes on from here.
                keeper.save()
                if interrupted():  # which has reached the processes that read as well
                    break
                raise
            _step(run, config, pixels, labels, keeper)
            advance(1)
            cost.images += config.batch_size
            if run.step % config.log_every_steps == 0 or run.step == steps:
                epoch = (run.step - 1) * config.epochs // steps
                line = {"step": run.step, "epoch": epoch, **run.means(), **cost.read()}
                advance(0, note=watch.log(line))
            if watch.is_due(run.step):
                keeper.measure()
            stopping = interrupted()
            if keeper.is_due(config) or run.step == steps or stopping:
                keeper.save()


def _step(
    run: RunState, config: TrainConfig, pixels: Tensor, labels: Tensor, keeper: _Keeper
) -> None:
    try:
        with enough_memory(run.place, config.batch_size, config.crop_side):
            take_step(run, config, pixels, labels, steps=keeper.watch.steps)
    except RuntimeError:
        # Another process is gone, in the midst of a step that moved no weight yet; batch
        # normalisation that learns has seen the batch, and would see it again.
        if run.ranks.count > 1 and config.freeze_batch_norm:
            keeper.save()
        raise


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
    chosen = training_images(Workspace(root), config.pictures, config.label_choice)
    images, _ = split_images(chosen, config)
    run = start_run(config, landmark_labels(images.labels))
    steps = count_steps(images, config)
    run.ranks = ranks
    run.restore(ranks.shared({}), steps)
    with kept_memory(run.place), enough_memory(run.place, config.batch_size, config.crop_side):
        batches = batches_of(images, config, run)
        while run.step < steps and not _is_over(run, config):
            pixels, labels = next(batches)
            take_step(run, config, pixels, labels, steps=steps)


def _is_over(run: RunState, config: TrainConfig, watch: RunWatch | None = None) -> bool:
    """Says, in all processes at once, whether a run is over before its last step.

    The first process knows, which has a watch. Without a patience none asks: runs go to their end.
    """
    if config.patience is None:
        return False
    return bool(run.ranks.shared({"is_over": watch is not None and watch.is_over})["is_over"])


def _run_files(workspace: Workspace, config: TrainConfig) -> RunFiles:
    return RunFiles(workspace.path(f"runs/{config.name}"))
