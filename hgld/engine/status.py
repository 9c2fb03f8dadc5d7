"""The state of each stage of a build: done, stale, incomplete, running or missing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hgld.engine.stage import Stage, manifest_beside, started_path
from hgld.engine.workspace import Manifest, Workspace
from hgld.errors import DamagedError, MissingInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """What `hgld status` shows for a stage."""

    stage: str
    state: str
    """done; stale: it would run again; incomplete: rows failed or a run was stopped, and its work
    is kept; running; missing: it has never run."""
    reason: str
    rows: int
    """Rows of the last finished run."""
    problems: int


def build_status(
    workspace: Workspace, stages: Iterable[tuple[Stage, Mapping[str, object]]]
) -> list[StageStatus]:
    """Compares the output of stages with their current settings and inputs.

    Args:
        workspace: the build.
        stages: each with its settings, as in `stage_status`, after the stages that it reads from.

    Returns:
        Their states. A stage whose input would be made again is stale too.
    """
    unsettled: dict[str, str] = {}
    states = []
    for stage, settings in stages:
        status = stage_status(workspace, stage, settings, unsettled)
        if status.state != "done":
            unsettled |= dict.fromkeys(stage.places, f"{stage.name} is {status.state}")
        states.append(status)
    return states


def stage_status(
    workspace: Workspace,
    stage: Stage,
    settings: Mapping[str, object] | None = None,
    unsettled: Mapping[str, str] | None = None,
) -> StageStatus:
    """Compares the output of a stage with its current settings and inputs.

    Args:
        workspace: the build.
        stage: the stage.
        settings: its current settings, as far as known; None: do not compare settings.
        unsettled: inputs whose own stage is not done, with its state in words.

    Returns:
        The state and, unless it is done, the reason in words.
    """
    done, started = workspace.manifest(stage.name), started_path(workspace, stage.name)
    state, reason = "done", ""
    if manifest_beside(workspace, stage.name).exists():
        state, reason = "incomplete", "a run was stopped while its output was put in place; rerun"
    elif started.is_file():
        process = started.read_text(errors="replace")
        is_running = process and process == workspace.lock_holder()
        stopped = ("incomplete", "a run was stopped; rerun to resume it")
        state, reason = ("running", process) if is_running else stopped
        reason += "; the earlier output is kept" if done else ""
    elif done is None:
        is_there = any(workspace.shards(dataset) for dataset in stage.outputs)
        lost = "its manifest is missing or damaged; rerun to write it again"
        state, reason = ("incomplete", lost) if is_there else ("missing", "")
    elif change := next(_changes(workspace, stage, done, settings or {}, unsettled or {}), ""):
        state, reason = "stale", change
    elif done.failed:
        state, reason = "incomplete", f"{done.failed} rows failed; rerun to retry them"
    rows, problems = (done.rows, done.problems) if done else (0, 0)
    return StageStatus(stage=stage.name, state=state, reason=reason, rows=rows, problems=problems)


def _changes(
    workspace: Workspace,
    stage: Stage,
    done: Manifest,
    settings: Mapping[str, object],
    unsettled: Mapping[str, str],
) -> Iterator[str]:
    """Yields what changed since a stage ended, in words, the cheapest checks first."""
    if done.version != stage.version:
        yield f"version {done.version} -> {stage.version}"
    for key, value in settings.items():
        if done.settings.get(key) != value:
            yield f"setting {key}: {done.settings.get(key)!r} -> {value!r}"
    yield from (f"input {name}: {unsettled[name]}" for name in done.inputs if name in unsettled)
    # An input that the run did not read (the landmarks, when given a list) does not make it stale.
    read = [dataset for dataset in stage.inputs if dataset.path in done.inputs]
    files = [name for name in stage.input_files if name in done.inputs]
    try:
        inputs = workspace.input_digests(read, files)
    except (MissingInputError, DamagedError) as error:
        yield str(error)
        return
    yield from (f"input {name} changed" for name in inputs if done.inputs[name] != inputs[name])
    for name, what in workspace.damages(done.records, done.patterns):
        yield f"{name} {what}"
