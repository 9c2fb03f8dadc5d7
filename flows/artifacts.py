"""Artifacts on the page of a Prefect run: its progress, its reports, and a review that is due.

They are Markdown, which Prefect renders. Text from elsewhere, such as an error, is escaped.
"""

import contextlib
import contextvars
import hashlib
import logging
import math
import re
import shlex
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from hgld.engine.stage import Stage, StageReport
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.flows.run_log import REFUSALS, in_one_line
from hgld.flows.steps import BuildStep
from hgld.pages.browse import BROWSE_PORT
from hgld.pages.review import PORT
from hgld.training.run.lines import read_lines, training_curves, validation_curves

logger = logging.getLogger(__name__)

_EVERY_S = 10.0
_LOGS = "*/metrics.jsonl"


class StageTable:
    """A table of the stages on the page of a run, and the curves of a training as it goes."""

    def __init__(self, workspace: Workspace, steps: list[BuildStep]) -> None:
        """Makes the table; it appears with the first step.

        Args:
            workspace: the build.
            steps: the steps of the run, in order.
        """
        self._workspace, self._steps = workspace, steps
        self._reports: dict[str, StageReport] = {}
        self._begun: list[BuildStep] = []
        self._message = ""
        self._ids: dict[str, UUID] = {}

    @contextlib.contextmanager
    def running(self, step: BuildStep) -> Iterator[None]:
        """Shows a step as it runs, every few seconds."""
        self._begun.append(step)
        self._message, ended, since = f"{step.name}: running", threading.Event(), time.time()

        def watch() -> None:
            while not ended.wait(_EVERY_S):
                self._show()
                self._show_training(since)

        self._show()
        context = contextvars.copy_context()  # without it, Prefect does not know the run
        thread = threading.Thread(target=context.run, args=(watch,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._show_training(since)

    def done(self, reports: Iterable[StageReport]) -> None:
        """Adds the reports of a step, and shows where the pages are that it wrote."""
        reports = list(reports)
        self._reports |= {report.manifest.stage: report for report in reports}
        self._message = ""
        self._show()
        if pages := [one.result for one in reports if one.result.suffix == ".html"]:
            self._put("report", "The report", _where_shown(self._workspace, pages))

    def stopped(self, step: BuildStep, why: str) -> None:
        """Records that a step did not finish, and why."""
        self._message = f"{step.name}: {why}"
        self._show()

    def _row(self, step: BuildStep, stage: Stage) -> Sequence[str]:
        """Returns the row of a stage; one of several in a step may have no report."""
        if step not in self._begun:
            return stage.name, "pending", "", "", ""
        if (report := self._reports.get(stage.name)) is not None:
            done, state, what = report.manifest, "up to date" if report.skipped else "done", ""
            rows, problems, what = done.rows, done.problems, str(report.result)
        else:
            try:
                now = stage_status(self._workspace, stage)
            except REFUSALS as error:
                return stage.name, "unknown", "", "", in_one_line(error)
            state, what, rows, problems = now.state, now.reason, now.rows, now.problems
        return stage.name, state, f"{rows:,}", f"{problems:,}", what

    def _show(self) -> None:
        rows = [self._row(step, stage) for step in self._steps for stage in step.stages]
        header = ("stage", "state", "rows", "problems", "result, or why there is none")
        self._put("stages", "The stages", f"{escape(self._message)}\n\n{_table(header, rows)}")

    def _show_training(self, since: float) -> None:
        """Shows the log of the training that wrote last, if one did since the step began."""
        try:
            logs = {path.stat().st_mtime: path for path in self._workspace.path("runs").glob(_LOGS)}
            written, newest = max(logs.items(), default=(0.0, Path()))
            lines = read_lines(newest) if written >= since else []
        except REFUSALS:  # the stage says what is wrong with it
            lines = []
        if not lines:
            return
        curves = training_curves(lines) | validation_curves(lines)
        rows = [
            (name, f"{first:.4g}", f"{last:.4g}", _sparkline(values))
            for name, curve in curves.items()
            if (values := [value for value in curve.values if math.isfinite(value)])
            for first, last in [(values[0], values[-1])]
        ]
        header = ("number", "first", "last", f"from step {lines[0]['step']} to {lines[-1]['step']}")
        page = _where_shown(self._workspace, [newest.with_name("run.html")])
        self._put("training", "The training", f"{_table(header, rows)}\n{page}")

    def _put(self, key: str, what: str, text: str) -> None:
        try:
            if key not in self._ids:
                self._ids[key] = _create(key, what, self._workspace, text)
                return
            with get_client(sync_client=True) as client:
                client.update_artifact(self._ids[key], ArtifactUpdate(data=text))
        except httpx.HTTPError as error:
            logger.warning("cannot put %s on the page of the run: %s", key, error)


def _sparkline(values: Sequence[float]) -> str:
    """Draws values as blocks, the mean of as many as there are to a block.

    Example:
        >>> _sparkline([0, 1, 2, 3, 4, 5, 6, 7])
        '▁▂▃▄▅▆▇█'
    """
    size = math.ceil(len(values) / 40)
    means = [statistics.fmean(values[at : at + size]) for at in range(0, len(values), size)]
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (one - low) / span)] for one in means)


def show_review(workspace: Workspace, why: AwaitingReviewError) -> None:
    """Says on the run's page that a person has to decide, and how to open the review.

    Args:
        workspace: the build.
        why: the error of the step.
    """
    place = f"127.0.0.1:{PORT}"
    text = (
        f"{escape(in_one_line(why))}\n\n{_typed('review', workspace)}\n"
        f"opens it at [{place}](http://{place}/), unless it prints another address. "
        "A suspended run goes on when that command ends with all classes decided, or by Resume "
        "on its page. Or run the deployment `review` with `accept_proposals`.\n"
    )
    try:
        _create("review", "The review", workspace, text)
    except httpx.HTTPError as error:
        logger.warning("cannot put the review on the run's page: %s", error)


def _where_shown(workspace: Workspace, pages: Iterable[Path]) -> str:
    """Says where pages of a build can be opened, and what has to run for it."""
    root, lines = workspace.root, []
    for name in (page.relative_to(root).as_posix() for page in pages):
        url = f"http://127.0.0.1:{BROWSE_PORT}/{quote(name)}"
        lines.append(f"- [{escape(name)}]({url}), the file {escape(str(root.resolve() / name))}\n")
    return (
        f"{''.join(lines)}\nThe links work while this runs, unless it prints another address:\n\n"
        f"{_typed('browse', workspace)}"
    )


def _typed(command: str, workspace: Workspace) -> str:
    # An absolute path, because the reader may be in any folder of this machine.
    words = shlex.join(["hgld", command, "--root", str(workspace.root.resolve())])
    return f"```bash\n{words}\n```\n"


def escape(text: str) -> str:
    r"""Escapes text for Markdown, in one line.

    It uses backslashes, because Prefect's page does not decode character references.

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


def _create(key: str, what: str, workspace: Workspace, text: str) -> UUID:
    about = escape(f"{what} of the build in {workspace.root}")
    made = create_markdown_artifact(
        key=f"hgld-{key}-{build_key(workspace)}", markdown=text, description=about
    )
    return cast(UUID, made)  # outside asyncio it is not a coroutine


def build_key(workspace: Workspace) -> str:
    """Returns the name of a build in keys of artifacts, another for each folder.

    Example:
        >>> build_key(Workspace(Path("/data/Build 2026_11")))
        'build-2026-11-ca53bd'
    """
    root = str(workspace.root.resolve())
    name = re.sub(r"[^a-z0-9]+", "-", workspace.root.resolve().name.lower()).strip("-")
    return f"{name or 'build'}-{hashlib.sha256(root.encode()).hexdigest()[:6]}"
