"""What a whole run would take, from some of its steps."""

import dataclasses
import itertools
import resource
import statistics
import sys
import time
from dataclasses import dataclass

import torch

from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.training.config import TrainConfig
from hgld.training.data.labels import training_images
from hgld.training.methods.loss import landmark_labels
from hgld.training.model.devices import enough_memory, kept_memory
from hgld.training.run.batches import batches_of, count_steps
from hgld.training.run.loop import follow
from hgld.training.run.start import start_run
from hgld.training.run.step import take_step
from hgld.training.run.watch import split_images
from hgld.training.together.processes import device_of, others_beside
from hgld.training.together.ranks import Ranks

_WARM_UP, _MEASURED = 3, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """What a run would take."""

    device: str
    processes: int
    steps: int
    """Of the whole run."""
    step_s: float
    """Median, with reading the images."""
    images_per_s: float
    memory_gb: float
    """Most of one process: of the GPU, or of the machine where there is none."""

    @property
    def hours(self) -> float:
        """Of the whole run, without validations and checkpoints."""
        return self.steps * self.step_s / 3600

    def words(self) -> str:
        """Returns it in a few lines."""
        held = "GPU memory" if self.device.startswith("cuda") else "memory"
        unit = "GPU hours" if self.device.startswith("cuda") else "hours of its processes"
        return (
            f"{self.steps:,} steps of {self.step_s:.3g} s, {self.images_per_s:.3g} images a second "
            f"({_MEASURED} steps on {self.device}, {self.processes} processes)\n"
            f"{self.hours:.3g} hours, {self.hours * self.processes:.3g} {unit}; validations and "
            f"checkpoints come on top\n"
            f"{self.memory_gb:.3g} GB of {held} in a process"
        )


def estimate_train(workspace: Workspace, config: TrainConfig) -> RunEstimate:
    """Takes some steps of a run, on its own images, and leaves nothing of them.

    Args:
        workspace: a build with annotations and images.
        config: of the run.

    Returns:
        What the whole of it would take.

    Raises:
        MissingInputError: as `run_train`.
        InputError: as `run_train`.
        FetchError: as `run_train`.
        DamagedError: as `run_train`.
        DivergedError: as `run_train`.
    """
    chosen = training_images(workspace, config.pictures, config.label_choice)
    images, _ = split_images(chosen, config)
    steps = count_steps(images, config)
    device = device_of(config, Ranks(0, config.nproc))
    run = start_run(dataclasses.replace(config, device=device), landmark_labels(images.labels))
    if run.place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.place)
    times = [time.monotonic()]
    few = min(_WARM_UP + _MEASURED, steps)
    with (
        kept_memory(run.place),
        others_beside(workspace.root, config, follow) as run.ranks,
        progress("estimate", few) as advance,
        enough_memory(run.place, config.batch_size, config.crop_side),
    ):
        run.ranks.shared(run.content())
        for pixels, labels in itertools.islice(batches_of(images, config, run), few):
            take_step(run, config, pixels, labels, steps=steps)
            if run.place.type == "cuda":
                torch.cuda.synchronize(run.place)
            times.append(time.monotonic())
            advance(1)
    spans = [after - before for before, after in itertools.pairwise(times)]
    median = statistics.median(spans[_WARM_UP:] or spans)
    return RunEstimate(
        device=str(run.place),
        processes=config.nproc,
        steps=steps,
        step_s=median,
        images_per_s=config.batch_size / median,
        memory_gb=_peak_bytes(run.place) / 1e9,
    )


def _peak_bytes(place: torch.device) -> int:
    if place.type == "cuda":
        return torch.cuda.max_memory_allocated(place)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # in KB on Linux
