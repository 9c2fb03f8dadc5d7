"""What is recorded of the runs that are compared: how each was trained, and which are one method.

Runs whose recorded settings and data are the same but for name and seed are one method.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.model.config import width_of_vectors
from hgld.training.model.files import read_model_settings
from hgld.training.run.lines import peak_memory, read_lines, training_hours

if TYPE_CHECKING:  # of a module that loads torch
    from hgld.training.index.embeddings import Environment

logger = logging.getLogger(__name__)

OWN = ("name", "seed")
"""Settings that may differ between runs that are one method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A run whose training ended in this build and left the model that is there."""

    settings: Mapping[str, object]
    """Those that decide its weights."""
    inputs: Mapping[str, str]
    """Digests of what it was trained on."""
    hours: float | None
    peak_memory_mb: float | None
    made_with: "Sequence[Environment]" = ()
    """Each environment that it was trained in; none where that is not recorded."""

    @property
    def seed(self) -> int | None:
        """Of the weights, the batches and the crops; None where it is not recorded."""
        found = self.settings.get("seed")
        return found if isinstance(found, int) else None

    @property
    def shared(self) -> tuple[object, ...]:
        """What all runs of one method have in common: settings but for name and seed, and data."""
        return {key: one for key, one in self.settings.items() if key not in OWN}, self.inputs


def require_runs(workspace: Workspace, runs: Sequence[str]) -> None:
    """Refuses to start without the models, or with one that is not as its training left it.

    A model that no training of this build wrote, put there by hand, is taken and said so.

    Raises:
        MissingInputError: a run has left no model; the text names those that have.
        DamagedError: a model does not have the bytes that the training wrote.
    """
    for run in runs:
        path = workspace.path(model_files(run)[0])
        train = workspace.command("train" if run == TrainConfig().name else f"train --name {run}")
        if not path.exists():
            there = ", ".join(
                sorted(one.parent.name for one in path.parents[1].glob(f"*/{path.name}"))
            )
            raise MissingInputError(
                f"{path} is not there yet; run {train}, or name one of: {there or 'none is there'}"
            )
        done = workspace.manifest(train_stage(run).name)
        if done is None:
            logger.warning("%s is of no finished training of this build; taken as it is", path)
        else:
            for damage in workspace.damages(done.records, ()):
                damaged = workspace.path(damage.path)
                raise DamagedError(f"{damaged} {damage.what}; run {train} to make it again")


def take_vectors(workspace: Workspace, runs: Sequence[str]) -> list[str]:
    """Returns those runs whose model takes vectors of other programs, and no pictures.

    Raises:
        InputError: the settings of a model cannot be read.
        DamagedError: they are not what was written.
    """
    kept = {run: read_model_settings(workspace.path(model_files(run)[1])) for run in runs}
    return [run for run, one in kept.items() if width_of_vectors(one["model"]["backbone"])]


def read_trained_run(workspace: Workspace, run: str) -> TrainedRun | None:
    """Returns what is recorded of a run.

    Args:
        workspace: a build with the run's model.
        run: its name.

    Returns:
        What is known; None of a model that no finished training of this build wrote.
    """
    from hgld.training.run.checkpoint import RunFiles

    done = workspace.manifest(train_stage(run).name)
    weights = model_files(run)[0]
    if done is None or done.outputs.get(weights) != file_digest(workspace.path(weights)):
        return None
    log = workspace.path(f"runs/{run}/metrics.jsonl")
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    batch_size = done.settings.get("batch_size")
    return TrainedRun(
        settings=done.settings,
        inputs=done.inputs,
        hours=training_hours(lines, batch_size) if isinstance(batch_size, int) else None,
        peak_memory_mb=peak_memory(read_lines(log)),
        made_with=RunFiles(log.parent).environments(),
    )


def runs_by_method(runs: Mapping[str, TrainedRun | None]) -> list[list[str]]:
    """Puts runs together that differ only in their seed.

    Args:
        runs: by name, what is recorded of each; one without a seed stays by itself.

    Returns:
        Names, in the order in which they are given; a second run of one seed is no further seed,
        and starts a method of its own.
    """
    methods: dict[str, list[str]] = {}
    for name, run in runs.items():
        seed, shared = (run.seed, run.shared) if run else (None, None)
        for first, names in methods.items():
            known = runs[first]
            # As many known seeds as runs: all differ.
            seeds = {seed, *(one.seed for one in map(runs.get, names) if one)} - {None}
            if known and known.shared == shared and len(seeds) > len(names):
                names.append(name)
                break
        else:
            methods[name] = [name]
    return list(methods.values())


def name_of_runs(seeds: Mapping[str, int | None]) -> str:
    """Returns what runs of several seeds are called together.

    Args:
        seeds: by run.

    Example:
        >>> name_of_runs({"csl-0": 0, "csl-1": 1}), name_of_runs({"csl": 0, "again": 1})
        ('csl', 'csl, again')
    """
    stems = {run.removesuffix(str(seed)).rstrip("-_. ") for run, seed in seeds.items()}
    is_shared = len(stems) == 1 and all(run.endswith(str(seed)) for run, seed in seeds.items())
    return stems.pop() if is_shared and all(stems) else ", ".join(seeds)


def training_words(settings: Mapping[str, object], seeds: Sequence[int] = ()) -> str:
    """Returns in a few words how runs were trained.

    Args:
        settings: of one of them.
        seeds: of all.

    Example:
        >>> training_words({"method": {"name": "happier"}, "epochs": 2}, [0, 1])
        'trained by happier, epochs 2, seeds 0, 1'
    """
    method = settings.get("method")
    name = method.get("name") if isinstance(method, Mapping) else method
    known = [
        f"{one.replace('_', ' ')} {value:g}"
        for one in ("epochs", "batch_size", "learning_rate", "image_size")
        if isinstance(value := settings.get(one), int | float)
    ]
    if seeds:
        known.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    return ", ".join([f"trained by {name}", *known])
