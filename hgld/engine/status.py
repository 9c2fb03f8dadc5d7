"""Where the stages of a build stand: what is done, what is stale, what is under way."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hgld.engine.stage import Stage, manifest_beside, started_path
from hgld.engine.workspace import Manifest, Workspace
from hgld.errors import DamagedError, MissingInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """What `hgld status` shows of a stage."""

    stage: str
    state: str
    """done; stale: it would be made again; incomplete: rows failed, or a run was stopped, and what
    it did is kept; running; missing: it has never run."""
    reason: str
    rows: int
    """Of what stands."""
    problems: int


def build_status(
    workspace: Workspace, stages: Iterable[tuple[Stage, Mapping[str, object]]]
) -> list[StageStatus]:
    """Compares what stages wrote with what they would be made from now, all the way down.

    Args:
        workspace: the build.
        stages: each with its settings, as in `stage_status`, and after those that it reads from.

    Returns:
        Their states. A stage whose input would be made again is stale itself.
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
    """Compares what a stage wrote with what it would be made from now.

    Args:
        workspace: the build.
        stage: the stage.
        settings: its settings now, or those of them that are known; None compares the rest only.
        unsettled: inputs whose own stage is not done, and in what state it is.

    Returns:
        The state and, where it is not done, the reason in words.
    """
    done, started = workspace.manifest(stage.name), started_path(workspace, stage.name)
    state, reason = "done", ""
    if manifest_beside(workspace, stage.name).exists():
        state, reason = "incomplete", "was stopped while its output was put in place; rerun it"
    elif started.is_file():
        process = started.read_text(errors="replace")
        is_running = process and process == workspace.lock_holder()
        stopped = ("incomplete", "a run was stopped; rerun to go on")
        state, reason = ("running", process) if is_running else stopped
        reason += "; what it wrote before stands" if done else ""
    elif done is None:
        is_there = any(workspace.shards(dataset) for dataset in stage.outputs)
        lost = "its manifest is gone or damaged; rerun to write it again"
        state, reason = ("incomplete", lost) if is_there else ("missing", "")
    elif change := next(_changes(workspace, stage, done, settings or {}, unsettled or {}), ""):
        state, reason = "stale", change
    elif done.failed:
        state, reason = "incomplete", f"{done.failed} rows failed; rerun to try them again"
    rows, problems = (done.rows, done.problems) if done else (0, 0)
    return StageStatus(stage=stage.name, state=state, reason=reason, rows=rows, problems=problems)


def _changes(
    workspace: Workspace,
    stage: Stage,
    done: Manifest,
    settings: Mapping[str, object],
    unsettled: Mapping[str, str],
) -> Iterator[str]:
    """Yields what changed since a stage ended, in words, the cheapest to find out first."""
    if done.version != stage.version:
        yield f"version {done.version} -> {stage.version}"
    for key, value in settings.items():
        if done.settings.get(key) != value:
            yield f"setting {key}: {done.settings.get(key)!r} -> {value!r}"
    yield from (f"input {name}: {unsettled[name]}" for name in done.inputs if name in unsettled)
    # What a run did not read, such as the landmarks where it was given a list, makes it not stale.
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
