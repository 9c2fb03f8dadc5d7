"""One Prefect flow per user job: a list of steps, each one task.

Tasks pass only names, paths and settings. The stages themselves track what is done or stale
(`hgld.engine.stage`), so a killed flow is simply run again.

Runs of one build take turns. A flow reads the settings once, at its turn; later changes of the file
count for the next run. An error is one line in the message of the flow's state; calling a flow
raises it, as with any library. A deployed run that needs a review is suspended; a flow that is
called ends in the state AwaitingReview.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from hgld.errors import AwaitingReviewError, IncompleteError, InputError, needing

with needing("flows", "hgld.flows.jobs", kind=ModuleNotFoundError):
    from prefect import Flow, State, Task, flow, task
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import TaskRun
    from prefect.runtime import deployment, flow_run
    from prefect.states import Completed, Failed, Running

from hgld.annotations.release.released import RELEASE_FOLDER, RELEASES_FILE, read_releases
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.flows import steps
from hgld.flows.artifacts import StageTable, show_review
from hgld.flows.build import (
    ALL_SECTIONS,
    annotate_steps,
    build_steps,
    help_of,
    keep_setting,
    load_step,
    read_sections,
    run_step,
)
from hgld.flows.cli.output import refuse_failed
from hgld.flows.pausing import suspend_until_reviewed
from hgld.flows.run_log import REFUSALS, in_one_line, log_to_run, quiet_refusals
from hgld.flows.steps import BuildStep, Sections
from hgld.flows.turns import own_turn

RETRY_AFTER_S = 60.0
"""Wait before a step whose rows failed runs again; each further wait is twice as long."""
_AWAITING_REVIEW = "AwaitingReview"

_Steps = Callable[[Sections], list[BuildStep]]
_Settings = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Request:
    """What a run was asked for, beside its steps."""

    root: str
    config: str | None
    settings: _Settings | None
    retries: int
    step_hours: float
    accept_proposals: bool | None = None
    refresh: bool = False

    def sections(self) -> Sections:
        """Reads the settings; keeps the choice to accept proposals for later runs."""
        root, config = Path(self.root), None if self.config is None else Path(self.config)
        if self.accept_proposals is not None:
            path = config or root / "hgld.toml"
            keep_setting(path, "review", "accept_proposals", self.accept_proposals)
        sections = read_sections(root, config)
        for name, section in (self.settings or {}).items():
            if name not in ALL_SECTIONS:
                known = ", ".join(ALL_SECTIONS)
                raise InputError(f"settings: unknown section {name}; known: {known}")
            sections.setdefault(name, {}).update(section)
        if self.refresh:
            sections.setdefault("scrape", {})["refresh"] = True
        return sections


def _has_failed_rows(_task: Task[..., Any], _run: TaskRun, state: State) -> bool:
    return isinstance(state.result(raise_on_failure=False), IncompleteError)


@task(task_run_name="{name}", persist_result=False, retry_condition_fn=_has_failed_rows)
def run_as_task(root: Path, name: str, sections: Sections) -> list[StageReport] | State:
    """Runs one step; returns the reports of its stages, or the state AwaitingReview."""
    with log_to_run():
        try:
            reports = run_step(root, load_step(name, sections))
        except AwaitingReviewError as error:
            show_review(Workspace(root), error)
            return Completed(name=_AWAITING_REVIEW, message=in_one_line(error))
    refuse_failed(reports)
    return reports


def _each(*made: Callable[[Sections], BuildStep]) -> _Steps:
    return lambda sections: [one(sections) for one in made]


def _run_all(made: _Steps, asked: _Request) -> State:
    """Runs the steps that the settings ask for, in turn with other runs of the build."""
    workspace = Workspace(Path(asked.root))
    quiet_refusals()
    try:
        name = _name_run(workspace)
        with own_turn(workspace, name, _say_queued):
            _say_state(Running())
            state = _run_steps(workspace, made, asked)
    except REFUSALS as error:
        return Failed(message=in_one_line(error), data=error)
    if state.name == _AWAITING_REVIEW and deployment.id:
        suspend_until_reviewed(workspace, str(flow_run.id), str(state.message))
    return state


def _run_steps(workspace: Workspace, made: _Steps, asked: _Request) -> State:
    sections = asked.sections()
    due = made(sections)  # raises for a wrong setting before the first request
    table = StageTable(workspace, due)
    run = run_as_task.with_options(
        timeout_seconds=3600 * asked.step_hours,
        retries=asked.retries,
        retry_delay_seconds=[RETRY_AFTER_S * 2**n for n in range(asked.retries)],
    )
    for step in due:
        with table.running(step):
            state = run(workspace.root, step.name, sections, return_state=True)
        if state.name == _AWAITING_REVIEW:  # a task's own state would be merged into Completed
            table.stopped(step, str(state.message))
            return Completed(name=_AWAITING_REVIEW, message=state.message)
        try:
            if state.name == "TimedOut":
                raise IncompleteError(
                    f"{step.name} took longer than {asked.step_hours:g} h, its step_hours; what it "
                    f"finished is kept; run it again"
                )
            table.done(cast(list[StageReport], state.result()))  # raises what the step raised
        except REFUSALS as error:
            table.stopped(step, in_one_line(error))
            raise
    return Completed(message=f"{', '.join(step.name for step in due)}: done")


def _name_run(workspace: Workspace) -> str:
    """Names and tags the run by its job, build and release; returns the name."""
    root, version = workspace.root.resolve(), ""
    with contextlib.suppress(InputError):  # no release yet
        newest, *_ = read_releases(workspace.path(f"{RELEASE_FOLDER}/{RELEASES_FILE}"))
        version = f"v{newest['version']}"
    name = f"{deployment.name or flow_run.flow_name} {root.name} {version}".strip()
    tags = {*flow_run.tags, str(root), *filter(None, [version])}
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(flow_run.id), name=name, tags=sorted(tags))
    return name


def _say_queued(other: str) -> None:
    _say_state(Running(name="Queued", message=f"waits for {other}, which uses the build"))


def _say_state(state: State) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(flow_run.id), state, force=True)


_PARAMETERS = """Runs the steps.

Args:
    root: Folder of the build.
    config: Settings file; default hgld.toml in that folder.
    accept_proposals: Whether proposals count for classes that no person decided. The choice is
        saved in the settings file.
    refresh: Whether to scrape everything again.
    settings: Settings that override the file's, by section; options of a command are such settings.
    retries: How often a step whose rows failed runs again, after 1, 2, 4, ... minutes.
    step_hours: Longest time that a step may take.
"""
"""What the form of a job says of its parameters: Prefect reads it from a docstring."""


def _job(name: str, about: str, *made: Callable[[Sections], BuildStep]) -> Flow[..., State]:
    """Makes the flow of a job from its steps."""

    def run(
        root: str = "build",
        config: str | None = None,
        settings: _Settings | None = None,
        retries: int = 3,
        step_hours: float = 168,
    ) -> State:
        return _run_all(_each(*made), _Request(root, config, settings, retries, step_hours))

    return _as_flow(run, name, about)


def _accepting_job(name: str, about: str, made: _Steps) -> Flow[..., State]:
    """Makes the flow of a job that needs a taxonomy."""

    def run(
        root: str = "build",
        config: str | None = None,
        accept_proposals: bool | None = None,
        settings: _Settings | None = None,
        retries: int = 3,
        step_hours: float = 168,
    ) -> State:
        asked = _Request(root, config, settings, retries, step_hours, accept_proposals)
        return _run_all(made, asked)

    return _as_flow(run, name, about)


def _scrape(
    root: str = "build",
    config: str | None = None,
    refresh: bool = False,
    settings: _Settings | None = None,
    retries: int = 3,
    step_hours: float = 168,
) -> State:
    asked = _Request(root, config, settings, retries, step_hours, refresh=refresh)
    return _run_all(_each(steps.metadata_step, steps.scrape_step), asked)


def _as_flow(run: Callable[..., State], name: str, about: str) -> Flow[..., State]:
    run.__doc__ = _PARAMETERS
    return flow(name=name, description=about)(run)


scrape = _as_flow(_scrape, "scrape", "Fetches GLDv2's tables and the classes of every landmark.")
cluster = _job(
    "cluster",
    "Makes label embeddings, clusters and proposals.",
    *(steps.embed_step, steps.cluster_step, steps.propose_step),
)
review = _accepting_job(
    "review",
    "Makes the taxonomy from the decisions; waits while classes are undecided.",
    _each(steps.propose_step, steps.review_step),
)
annotate = _accepting_job(
    "annotate", "Writes the annotations as a release; waits for a review.", annotate_steps
)
train = _job("train", "Fetches the images and trains a model.", steps.images_step, steps.train_step)
build = _accepting_job("build", "Runs every step of a build.", build_steps)
metadata = _job("metadata", help_of("metadata"), steps.metadata_step)
embed = _job("embed", help_of("embed"), steps.embed_step)
propose = _job("propose", help_of("propose"), steps.propose_step)
images = _job("images", help_of("images"), steps.images_step)
parents = _job("parents", help_of("parents"), steps.parents_step)
look = _job("look", help_of("look"), steps.look_step)
fill = _job("fill", help_of("fill"), steps.fill_step)
benchmark = _job("benchmark", "Measures models and writes the report.", steps.benchmark_step)
agree = _job("agree", help_of("agree"), steps.agree_step)
export = _job("export", help_of("export"), steps.export_step)
