"""One Prefect flow per user job: a list of steps, each one task.

Tasks pass only names, paths and settings. The stages themselves track what is done or stale
(`hgld.engine.stage`), so a killed flow is simply run again.

A flow reads the settings once, at its start; later changes of the file count for the next run. An
error or a pending review is one line in the message of the flow's state. Calling a flow raises its
error, as with any library.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from hgld.errors import AwaitingReviewError, missing_package

try:
    from prefect import State, flow, task
    from prefect.states import Completed, Failed
except ModuleNotFoundError as error:
    raise missing_package("hgld.flows.jobs", error, "flows") from error

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.flows import steps
from hgld.flows.artifacts import StageTable, show_review
from hgld.flows.build import annotate_steps, build_steps, load_step, read_sections, run_step
from hgld.flows.cli.output import refuse_failed
from hgld.flows.run_log import REFUSALS, in_one_line, log_to_run, quiet_refusals
from hgld.flows.steps import BuildStep, Sections

_AWAITING_REVIEW = "AwaitingReview"

_Steps = Callable[[Sections], list[BuildStep]]


@task(task_run_name="{name}", persist_result=False)
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


def _run_all(made: _Steps, root: str, config: str | None, *, refresh: bool = False) -> State:
    """Runs the steps that the settings ask for."""
    quiet_refusals()
    try:
        sections = read_sections(Path(root), None if config is None else Path(config))
        if refresh:
            sections.setdefault("scrape", {})["refresh"] = True
        due = made(sections)  # raises for a wrong setting before the first request
        table = StageTable(Workspace(Path(root)), due)
        for step in due:
            state = run_as_task(Path(root), step.name, sections, return_state=True)
            if state.name == _AWAITING_REVIEW:  # a task's own state would be merged into Completed
                table.stopped(step, str(state.message))
                return Completed(name=_AWAITING_REVIEW, message=state.message)
            try:
                table.done(cast(list[StageReport], state.result()))  # raises what the step raised
            except REFUSALS as error:
                table.stopped(step, in_one_line(error))
                raise
    except REFUSALS as error:
        return Failed(message=in_one_line(error), data=error)
    return Completed(message=f"{', '.join(step.name for step in due)}: done")


@flow(name="scrape")
def scrape(root: str = "build", config: str | None = None, refresh: bool = False) -> State:
    """Fetches GLDv2's tables and the classes of every landmark; `refresh` scrapes all again."""
    return _run_all(_each(steps.metadata_step, steps.scrape_step), root, config, refresh=refresh)


@flow(name="cluster")
def cluster(root: str = "build", config: str | None = None) -> State:
    """Makes label embeddings, clusters and proposals."""
    return _run_all(_each(steps.embed_step, steps.cluster_step, steps.propose_step), root, config)


@flow(name="review")
def review(root: str = "build", config: str | None = None) -> State:
    """Makes the taxonomy from the decision log; AwaitingReview while classes are undecided."""
    return _run_all(_each(steps.propose_step, steps.review_step), root, config)


@flow(name="annotate")
def annotate(root: str = "build", config: str | None = None) -> State:
    """Writes the annotations, using proposals if the settings accept them."""
    return _run_all(annotate_steps, root, config)


@flow(name="train")
def train(root: str = "build", config: str | None = None) -> State:
    """Fetches the images and trains a model."""
    return _run_all(_each(steps.images_step, steps.train_step), root, config)


@flow(name="benchmark")
def benchmark(root: str = "build", config: str | None = None) -> State:
    """Measures models and writes the report."""
    return _run_all(_each(steps.benchmark_step), root, config)


@flow(name="agree")
def agree(root: str = "build", config: str | None = None) -> State:
    """Compares the labels with the official ones in the setting `official` of [agree]."""
    return _run_all(_each(steps.agree_step), root, config)


@flow(name="build")
def build(root: str = "build", config: str | None = None) -> State:
    """Runs every step of a build."""
    return _run_all(build_steps, root, config)
