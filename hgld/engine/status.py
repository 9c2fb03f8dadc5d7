"""Where the stages of a build stand: what is done, what is not any more, what is under way."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hgld.engine.manifest import Manifest
from hgld.engine.stage import Stage, input_digests, output_damages
from hgld.engine.successor import is_being_placed, read_started
from hgld.engine.workspace import GONE, Workspace
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
            outputs = [*(dataset.path for dataset in stage.outputs), *stage.output_files]
            unsettled |= dict.fromkeys(outputs, f"{stage.name} is {status.state}")
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
    done = workspace.manifest(stage.name)
    state, reason = _state(workspace, stage, done, settings or {}, unsettled or {})
    under_way = _under_way(workspace, stage, done)
    if under_way:
        state, reason = under_way
    rows, problems = (done.rows, done.problems) if done else (0, 0)
    return StageStatus(stage=stage.name, state=state, reason=reason, rows=rows, problems=problems)


def _state(
    workspace: Workspace,
    stage: Stage,
    done: Manifest | None,
    settings: Mapping[str, object],
    unsettled: Mapping[str, str],
) -> tuple[str, str]:
    if done is None:
        is_begun = any(workspace.shards(dataset) for dataset in stage.outputs)
        return ("incomplete", "was stopped; rerun to go on") if is_begun else ("missing", "")
    if reason := next(_changes(workspace, stage, done, settings, unsettled), ""):
        return "stale", reason
    if done.failed:
        return "incomplete", f"{done.failed} rows failed; rerun to try them again"
    return "done", ""


def _under_way(workspace: Workspace, stage: Stage, done: Manifest | None) -> tuple[str, str] | None:
    """Returns what is to be said of a run that has begun and not ended, if there is one."""
    if is_being_placed(workspace, stage.name):
        return "incomplete", "was stopped while its output was put in place; rerun to go on"
    started = read_started(workspace, stage.name)
    if started is None:
        return None
    if done and done.fingerprint == started.fingerprint and done.finished_at >= started.started_at:
        return None  # it has ended, and was killed just before it could say so
    if workspace.lock_holder() == started.pid:
        return "running", f"process {started.pid}, since {started.started_at}"
    stands = "; what it wrote before stands" if done else ""
    return "incomplete", f"a run of {started.started_at} was stopped; rerun to go on{stands}"


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
    yield from _changed_inputs(workspace, stage, done)
    for damage in output_damages(workspace, stage, done):
        is_gone = damage.what == GONE
        yield "an output file is gone" if is_gone else f"{damage.path} {damage.what}"


def _changed_inputs(workspace: Workspace, stage: Stage, done: Manifest) -> Iterator[str]:
    # What a run did not read, such as the landmarks where it was given a list, makes it not stale.
    read = [dataset for dataset in stage.inputs if dataset.path in done.inputs]
    files = tuple(name for name in stage.input_files if name in done.inputs)
    try:
        inputs = input_digests(workspace, replace(stage, inputs=tuple(read), input_files=files))
    except (MissingInputError, DamagedError) as error:
        yield str(error)
        return
    yield from (f"input {name} changed" for name in inputs if done.inputs.get(name) != inputs[name])
