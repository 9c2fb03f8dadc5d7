"""What is recorded of how a run was trained: its settings, its seed, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.training.config import model_files, train_stage
from hgld.training.model.exporting import training_hours
from hgld.training.watching.lines import peak_memory, read_lines

# What may differ between runs that are one method.
_OWN = ("name", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A run whose training ended in this build and left the model that is there."""

    settings: Mapping[str, object]
    """Those that decide its weights."""
    inputs: Mapping[str, str]
    """Digests of what it was trained on."""
    hours: float | None
    peak_memory_mb: float | None

    @property
    def seed(self) -> int | None:
        """Of the weights, the batches and the crops; None where it is not recorded."""
        found = self.settings.get("seed")
        return found if isinstance(found, int) else None

    def is_like(self, other: "TrainedRun") -> bool:
        """Says whether both have the same settings and data, but for name and a known seed."""
        own, others = (
            {name: value for name, value in one.settings.items() if name not in _OWN}
            for one in (self, other)
        )
        is_seeded = self.seed is not None and other.seed is not None
        return is_seeded and own == others and self.inputs == other.inputs


def read_trained_run(workspace: Workspace, run: str) -> TrainedRun | None:
    """Returns what is recorded of a run.

    Args:
        workspace: a build with the run's model.
        run: its name.

    Returns:
        What is known; None of a model that no finished training of this build wrote.
    """
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
    )


def runs_by_method(runs: Mapping[str, TrainedRun | None]) -> list[list[str]]:
    """Puts runs together that differ in their seed alone.

    Args:
        runs: by name, what is recorded of each; one of which no seed is stays alone.

    Returns:
        Names, in the order in which they are given; a second run of one seed is no further seed,
        and starts a method of its own.
    """
    methods: list[list[str]] = []
    for name, run in runs.items():
        for others in methods:
            known = [one for one in map(runs.get, others) if one]
            is_new = run is not None and run.seed not in [one.seed for one in known]
            if run and known and is_new and run.is_like(known[0]):
                others.append(name)
                break
        else:
            methods.append([name])
    return methods


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
    said = ("epochs", "batch_size", "learning_rate", "image_size")
    known = [
        f"{one.replace('_', ' ')} {settings[one]:g}"
        for one in said
        if isinstance(settings.get(one), int | float)
    ]
    if seeds:
        known.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    return ", ".join([f"trained by {name}", *known])
