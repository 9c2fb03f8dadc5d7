"""One Prefect flow a user job: a list of steps, each one task.

Tasks pass names, paths and digests only. What is done, stale or half done is the stages' own
business (`hgld.engine.stage`), so a flow that was killed is simply run again.
"""

from pathlib import Path

from prefect import State, flow, task
from prefect.states import Completed

from hgld.errors import AwaitingReviewError, IncompleteError
from hgld.flows.steps import STEPS, Section, Sections, load_step, read_sections, run_step

_AWAITING_REVIEW = "AwaitingReview"


@task(task_run_name="{name}", persist_result=False)
def run_as_task(root: Path, name: str, sections: Sections) -> dict[str, str] | State:
    """Runs one step; returns the digest of every output, or the state AwaitingReview."""
    try:
        reports = run_step(root, name, sections)
    except AwaitingReviewError as error:
        return Completed(name=_AWAITING_REVIEW, message=str(error))
    failed = sum(report.manifest.failed for report in reports)
    if failed:
        raise IncompleteError(f"{name}: {failed} rows failed; run the flow again to retry them")
    return {key: digest for report in reports for key, digest in report.manifest.outputs.items()}


def _run_all(
    names: tuple[str, ...], root: str, config: str | None, scrape: Section | None = None
) -> State:
    folder = Path(root)
    sections = read_sections(folder, None if config is None else Path(config))
    sections.setdefault("scrape", {}).update(scrape or {})
    for name in names:  # refuse a wrong setting before the first request
        load_step(name, sections)
    for name in names:
        state = run_as_task(folder, name, sections, return_state=True)
        if state.name == _AWAITING_REVIEW:  # a task's own state would be merged into Completed
            return Completed(name=_AWAITING_REVIEW, message=state.message)
        state.result()  # raises what the step raised
    return Completed(message=f"{', '.join(names)}: done")


@flow(name="scrape")
def scrape(root: str = "build", config: str | None = None, refresh: bool = False) -> State:
    """GLDv2's tables, and the classes of every landmark; all of them again, to refresh."""
    return _run_all(("metadata", "scrape"), root, config, {"refresh": True} if refresh else None)


@flow(name="cluster")
def cluster(root: str = "build", config: str | None = None) -> State:
    """Label embeddings, clusters and proposals."""
    return _run_all(("embed", "cluster"), root, config)


@flow(name="review")
def review(root: str = "build", config: str | None = None) -> State:
    """The taxonomy from the decision log; ends as AwaitingReview while classes are undecided."""
    return _run_all(("review",), root, config)


@flow(name="annotate")
def annotate(root: str = "build", config: str | None = None) -> State:
    """The annotations."""
    return _run_all(("annotate",), root, config)


@flow(name="train")
def train(root: str = "build", config: str | None = None) -> State:
    """Images and training."""
    return _run_all(("images", "train"), root, config)


@flow(name="benchmark")
def benchmark(root: str = "build", config: str | None = None) -> State:
    """Results and report."""
    return _run_all(("benchmark",), root, config)


@flow(name="build")
def build(root: str = "build", config: str | None = None) -> State:
    """Every step of a build."""
    return _run_all(STEPS, root, config)
