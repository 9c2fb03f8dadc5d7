"""Artifacts on the page of a Prefect run: its progress, and a review that is due.

They are Markdown, which Prefect renders. Text from elsewhere, such as an error, is escaped.
"""

import logging
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from hgld.engine.stage import StageReport
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.flows.run_log import REFUSALS, in_one_line
from hgld.flows.steps import BuildStep
from hgld.pages.review import PORT

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class StageTable:
    """A table of the stages on the page of a run, updated after each step."""

    workspace: Workspace
    steps: list[BuildStep]
    """The steps of the run, in order."""
    _rows: dict[str, Sequence[str]] = field(default_factory=dict)
    _message: str = ""
    _id: UUID | None = None

    def done(self, reports: Iterable[StageReport]) -> None:
        """Adds the reports of a step."""
        for report in reports:
            done, state = report.manifest, "up to date" if report.skipped else "done"
            self._put(done.stage, state, report.result, done.rows, done.problems)
        self._show()

    def stopped(self, step: BuildStep, why: str) -> None:
        """Records that a step did not finish, and why."""
        self._message = f"{step.name}: {why}"
        for stage in step.stages:
            try:
                now = stage_status(self.workspace, stage)
                self._put(stage.name, now.state, now.reason, now.rows, now.problems)
            except REFUSALS as error:
                self._put(stage.name, "unknown", in_one_line(error))
        self._show()

    def _put(self, stage: str, state: str, what: object, rows: int = 0, problems: int = 0) -> None:
        self._rows[stage] = (stage, state, f"{rows:,}", f"{problems:,}", str(what))

    def _show(self) -> None:
        stages = [stage.name for step in self.steps for stage in step.stages]
        rows = [self._rows.get(stage, (stage, "pending", "", "", "")) for stage in stages]
        header = ("stage", "state", "rows", "problems", "result, or why there is none")
        text = f"{escape(self._message)}\n\n{_table(header, rows)}"
        try:
            if self._id is None:
                self._id = _create("stages", "The stages", self.workspace, text)
            else:
                with get_client(sync_client=True) as client:
                    client.update_artifact(self._id, ArtifactUpdate(data=text))
        except httpx.HTTPError as error:
            logger.warning("cannot put the table of stages on the run's page: %s", error)


def show_review(workspace: Workspace, why: AwaitingReviewError) -> None:
    """Says on the run's page that a person has to decide, and how to open the review.

    Args:
        workspace: the build.
        why: the error of the step.
    """
    # An absolute path, because the reader may be in any folder of this machine.
    command = shlex.join(["hgld", "review", "--root", str(workspace.root.resolve())])
    place = f"127.0.0.1:{PORT}"
    text = (
        f"{escape(in_one_line(why))}\n\n```bash\n{command}\n```\n\n"
        f"opens it at [{place}](http://{place}/), unless it prints another address.\n"
    )
    try:
        _create("review", "The review", workspace, text)
    except httpx.HTTPError as error:
        logger.warning("cannot put the review on the run's page: %s", error)


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
    made = create_markdown_artifact(key=f"hgld-{key}", markdown=text, description=about)
    return cast(UUID, made)  # outside asyncio it is not a coroutine
