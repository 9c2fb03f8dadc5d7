"""What a Prefect run leaves on its page: how far it came, and what its steps found.

Most of it is Markdown, which Prefect's page renders. What others wrote, such as the label of a
class, is escaped.
"""

import json
import logging
import math
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.runtime import flow_run, task_run

from hgld.engine.dataset import Dataset
from hgld.engine.stage import StageReport
from hgld.engine.status import StageStatus, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.flows.run_log import REFUSALS, in_one_line
from hgld.flows.steps import (
    BuildStep,
)
from hgld.pages.review import PORT
from hgld.tables import CATEGORIES, CLASSES, CLUSTER_PROPOSALS

logger = logging.getLogger(__name__)

_TOP_CLASSES = 20
_TOP_CLUSTERS = 10
_CURVE_ROWS = 20


@dataclass(slots=True)
class StageTable:
    """The stages of a run in a table on its page, brought up to date after each step."""

    workspace: Workspace
    steps: list[BuildStep]
    """Of the run, in order."""
    _rows: dict[str, StageStatus] = field(default_factory=dict)
    _message: str = ""
    _id: UUID | None = None

    def done(self, reports: Iterable[StageReport]) -> None:
        """Takes what a step did into the table."""
        for report in reports:
            done = report.manifest
            self._rows[done.stage] = StageStatus(
                stage=done.stage,
                state="up to date" if report.skipped else "done",
                reason=str(report.result),
                rows=done.rows,
                problems=done.problems,
            )
        self._show()

    def stopped(self, step: BuildStep, why: str) -> None:
        """Takes into the table that a step did not come to its end, and why."""
        self._message = f"{step.name}: {why}"
        for stage in step.stages:
            try:
                self._rows[stage.name] = stage_status(self.workspace, stage)
            except REFUSALS as error:
                self._rows[stage.name] = _blank(stage.name, "unknown", in_one_line(error))
        self._show()

    def markdown(self) -> str:
        """Returns the table, a row a stage."""
        stages = [stage.name for step in self.steps for stage in step.stages]
        rows = [self._rows.get(stage, _blank(stage, "to come", "")) for stage in stages]
        table = _table(
            ("stage", "state", "rows", "problems", "result, or why not"),
            [
                (one.stage, one.state, f"{one.rows:,}", f"{one.problems:,}", one.reason)
                for one in rows
            ],
        )
        return f"{escape(self._message)}\n\n{table}" if self._message else table

    def _show(self) -> None:
        text = self.markdown()
        try:
            if self._id is None:
                about = f"The stages of the build in {self.workspace.root}"
                self._id = _create("hgld-stages", about, text)
            else:
                with get_client(sync_client=True) as client:
                    client.update_artifact(self._id, ArtifactUpdate(data=text))
        except httpx.HTTPError as error:
            logger.warning("the table of stages is not on the run's page: %s", error)


def show_step(workspace: Workspace, step: BuildStep) -> None:
    """Puts what a step found on the run's page, as far as it came; nothing where it found nothing.

    Args:
        workspace: the build.
        step: the step, whose settings name what it wrote.
    """
    name = step.name
    if name not in _PAGES:
        return
    about, page = _PAGES[name]
    try:
        if text := page(workspace, step):
            _create(f"hgld-{name}", f"{about} of the build in {workspace.root}", text)
    except (*REFUSALS, pa.ArrowException, httpx.HTTPError) as error:
        logger.warning("%s: nothing on the run's page: %s", name, in_one_line(error))


def show_review(workspace: Workspace, why: AwaitingReviewError) -> None:
    """Puts on the run's page that a person has to decide, on what, and how to open the review.

    Args:
        workspace: the build.
        why: what the step said.
    """
    try:
        text = _review_due(workspace, why)
        _create("hgld-review", f"The review of the build in {workspace.root}", text)
    except (*REFUSALS, pa.ArrowException, httpx.HTTPError) as error:
        logger.warning("review: nothing on the run's page: %s", in_one_line(error))


def escape(text: str) -> str:
    r"""Returns text that Markdown shows as it is, in one line.

    With backslashes, since Prefect's page shows a character reference as it is written.

    Example:
        >>> print(escape("a|b <img src=x> www.example.org"))
        a\|b \<img src=x\> www\.example.org
    """
    printable = "".join(one if one.isprintable() else " " for one in text)
    return re.sub(r"[\\&<>|*_`~\[\]@#!]|:(?=//)|(?<=www)\.", r"\\\g<0>", printable, flags=re.I)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[escape(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _create(key: str, about: str, text: str) -> UUID:
    artifact = ArtifactCreate(
        key=key,
        type="markdown",
        description=escape(about),
        data=text,
        flow_run_id=flow_run.id,
        task_run_id=task_run.id,
    )
    with get_client(sync_client=True) as client:
        return client.create_artifact(artifact).id


def _blank(stage: str, state: str, reason: str) -> StageStatus:
    return StageStatus(stage=stage, state=state, reason=reason, rows=0, problems=0)


def _review_due(workspace: Workspace, why: AwaitingReviewError) -> str:
    """Returns how to open the review, and the clusters that settle most."""
    # With the whole path: whoever reads the page may be anywhere on this machine.
    command = shlex.join(["hgld", "review", "--root", str(workspace.root.resolve())])
    manual = Path(__file__).resolve().parents[1] / "docs/cli.md"
    more = f" ([how it works](<{manual.as_uri()}#hgld-review>))" if manual.exists() else ""
    text = (
        f"{escape(in_one_line(why))}\n\n## Open the review{more}\n\n```bash\n{command}\n```\n\n"
        f"It is then at [127.0.0.1:{PORT}](http://127.0.0.1:{PORT}/), unless it says another "
        f"address.\n"
    )
    shards = workspace.shards(CLUSTER_PROPOSALS)
    if not shards:
        return text
    clusters = pa.concat_tables([pq.read_table(path, partitioning=None) for path in shards])
    due = [one for one in clusters.sort_by("place").to_pylist() if one["open"]]
    rows = [
        (
            one["name"],
            f"{one['open']:,}",
            f"{one['landmarks']:,}",
            one["proposed_label"] or "ignore",
        )
        for one in due[:_TOP_CLUSTERS]
    ]
    header = ("cluster", "open classes", "landmarks", "proposed")
    return f"{text}\n## What settles most\n\n{_table(header, rows)}"


def _scraped(workspace: Workspace, _step: BuildStep) -> str:
    """Returns the landmarks by status, and the classes of most landmarks."""
    # Not by `workspace.read`, which refuses a table with failed rows: they are what one looks for.
    statuses = _counts(workspace, CATEGORIES, "status")
    if not statuses:
        return ""
    labels = _counts(workspace, CLASSES, "class_label")
    return (
        f"## Landmarks by status\n\n{_table(('status', 'landmarks'), statuses)}\n"
        f"## Largest of {len(labels):,} classes\n\n"
        f"{_table(('class', 'landmarks'), labels[:_TOP_CLASSES])}"
    )


def _counts(workspace: Workspace, dataset: Dataset, column: str) -> list[tuple[str, str]]:
    """Returns each value of a column and how often it is there, the most frequent first."""
    shards = workspace.shards(dataset)
    if not shards:
        return []
    values = pa.concat_tables(
        [pq.read_table(path, columns=[column], partitioning=None) for path in shards]
    )
    counts = [
        (str(one["values"]), one["counts"].as_py()) for one in pc.value_counts(values[column])
    ]
    return [(value, f"{count:,}") for value, count in sorted(counts, key=lambda one: -one[1])]


def _trained(workspace: Workspace, step: BuildStep) -> str:
    """Returns the training curve in figures."""
    (stage,) = step.stages
    path = workspace.path(stage.output_files[0]).with_name("metrics.jsonl")
    lines = [one for one in (_whole_lines(path) if path.exists() else []) if "loss" in one]
    if not lines:
        return ""
    every = math.ceil(len(lines) / _CURVE_ROWS)
    figures = [*lines[every - 1 :: every]]
    columns = [name for name, value in lines[0].items() if isinstance(value, int | float)]
    rows = [[f"{line.get(name, math.nan):.4g}" for name in columns] for line in figures]
    return f"{_table(columns, rows)}\n{escape(str(path))}\n"


def _whole_lines(path: Path) -> list[dict[str, float]]:
    """Returns the lines of a training log, without one that is being written."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def _compared(workspace: Workspace, step: BuildStep) -> str:
    """Returns the table of a benchmark and where its report lies."""
    from hgld.benchmarks.retrieval.report.metrics import cells_of, metrics_of
    from hgld.benchmarks.retrieval.results import read_results, result_files

    files = result_files(_data_set(step))
    if not workspace.path(files.results).exists():
        return ""
    results = read_results(workspace, _data_set(step))
    rows = [
        (metric.title, metric.level, *(f"{one.mean} ± {one.error}" for one in cells))
        for metric in metrics_of(results)
        for cells in [cells_of(results, metric)]
    ]
    report = workspace.path(files.report).resolve()
    on = f"{results.data_set}: " if results.data_set else ""
    return (
        f"{on}{results.counts.queries:,} queries, {results.counts.index_images:,} index images; "
        f"percent ± standard error over queries\n\n"
        f"{_table(('metric', 'level', *(method.title for method in results.methods)), rows)}\n"
        f"[The report](<{report.as_uri()}>): {escape(str(report))}\n"
    )


def _data_set(step: BuildStep) -> str | None:
    """Returns which data set a benchmark measures on; None: the build's own queries."""
    from hgld.benchmarks.retrieval.config import BenchmarkConfig

    return step.settings.data_set if isinstance(step.settings, BenchmarkConfig) else None


def _agreed(workspace: Workspace, _step: BuildStep) -> str:
    """Returns how far labels agree with official ones, and where the report lies."""
    from hgld.benchmarks.labels.agreement.config import AGREEMENT_FILE, AGREEMENT_PAGE
    from hgld.benchmarks.labels.agreement.report import MEASURES, in_percent
    from hgld.benchmarks.labels.agreement.results import read_estimates

    if not workspace.path(AGREEMENT_FILE).exists():
        return ""
    levels = read_estimates(workspace)
    rows = [
        (title, *(" / ".join(filter(None, in_percent(one[key]))) for one in levels.values()))
        for key, (title, _) in MEASURES.items()
    ]
    report = workspace.path(AGREEMENT_PAGE).resolve()
    return (
        f"Percent / bootstrap 95% interval over the landmarks\n\n"
        f"{_table(('measure', *levels), rows)}\n"
        f"[The report](<{report.as_uri()}>): {escape(str(report))}\n"
    )


# What a run's page says of each step that has more to say than its row in the table of stages.
_PAGES: dict[str, tuple[str, Callable[[Workspace, BuildStep], str]]] = {
    "scrape": ("The scrape", _scraped),
    "train": ("The training curve", _trained),
    "benchmark": ("The benchmark", _compared),
    "agree": ("The agreement with official labels", _agreed),
}
