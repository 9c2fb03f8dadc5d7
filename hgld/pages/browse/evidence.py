"""Why a landmark has its label: what its release says, and what the build knows beyond it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.pages.browse.words import decision_words
from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.log.decisions import read_decisions
from hgld.review.log.history import Decision
from hgld.tables import (
    CATEGORIES,
    CLUSTER_PROPOSALS,
    CLUSTERS,
    FILLED_RULE,
    FILLS,
    PROPOSALS,
    TAXONOMY,
)

logger = logging.getLogger(__name__)

_DAY = 10  # characters of a date

Row = dict[str, Any]
"""A row of a table; a landmark's is of LANDMARK_LABELS."""
_Records = TypeVar("_Records")


class DecisionEvidence(NamedTuple):
    """How the label of a landmark was decided."""

    how: str
    """In words; empty: nobody decided."""
    who: str
    when: str
    """YYYY-MM-DD; empty: not known."""
    note: str
    """The reviewer's, or the evidence of the proposal or the fill."""
    is_older: bool
    """Whether the build has another decision by now."""


class ClassEvidence(NamedTuple):
    """A class of a landmark, with its own decision."""

    class_qid: str
    class_label: str
    is_deciding: bool
    cluster: str
    label: str
    """The super-category it stands for; empty: none."""
    how: str
    who: str
    when: str
    note: str


class Evidence:
    """The records of a build; each is empty if it is missing, or if there is no build."""

    def __init__(self, workspace: Workspace | None) -> None:
        """Reads them."""
        self._workspace = workspace
        names = {
            row["cluster_id"]: f"{row['name']} (cluster {row['cluster_id']})"
            for row in self._rows(CLUSTER_PROPOSALS, ["cluster_id", "name"])
        }
        self._clusters = {
            row["class_qid"]: names.get(row["cluster_id"], f"cluster {row['cluster_id']}")
            for row in self._rows(CLUSTERS, ["class_qid", "cluster_id"])
        }
        self._taxonomy = {row["class_qid"]: row for row in self._rows(TAXONOMY)}
        self._proposals = {
            row["class_qid"]: row["evidence"]
            for row in self._rows(PROPOSALS, ["class_qid", "evidence"])
        }
        self._fills = {
            (row["split"], row["landmark_id"]): row["evidence"]
            for row in self._rows(FILLS, ["split", "landmark_id", "evidence"])
        }
        self._pages = {
            (row["split"], row["landmark_id"]): row["page_title"]
            for row in self._rows(CATEGORIES, ["split", "landmark_id", "page_title"])
        }
        self._log: dict[str, Decision] = self._read(read_decisions, {})

    def page_title(self, landmark: Row) -> str:
        """Returns the page that a category leads to; empty: the category's own, or not known."""
        title = landmark_name(self._pages.get((landmark["split"], landmark["landmark_id"])) or "")
        return title if title != landmark_name(landmark["category"] or "") else ""

    def decision(self, landmark: Row) -> DecisionEvidence:
        """Returns how the label of a landmark was decided, as its release has it."""
        decision, qid = landmark["decision"] or "", landmark["class_qid"] or ""
        how, when, note = decision_words(decision), "", self._proposals.get(qid, "")
        logged, now = self._log.get(qid), self._taxonomy.get(qid)
        if decision == FILLED_RULE:
            how, now = f"{how} ({landmark['method'] or 'unknown method'})", None
            note = self._fills.get((landmark["split"], landmark["landmark_id"]), "")
        elif decision in {"assigned", "ignored"} and logged is not None:
            when, note = logged.decided_at[:_DAY], logged.note
        if landmark["confidence"] is not None:
            how += f", with a confidence of {landmark['confidence']:.0%}"
        if landmark["accepted_above"]:
            how += f" (at least {landmark['accepted_above']:.0%} was required)"
        reviewer = landmark["reviewer"]
        is_older = now is not None and (now["decision"], now["reviewer"]) != (decision, reviewer)
        return DecisionEvidence(how, reviewer or "", when, note, is_older)

    def classes(self, landmark: Row) -> list[ClassEvidence]:
        """Returns the classes of a landmark; a release on its own says less of them."""
        voted = {one["class_qid"]: one["hierarchical_label"] for one in landmark["candidates"]}
        return [
            self._class(one, landmark, voted.get(one["class_qid"], ""))
            for one in landmark["classes"] or ()
        ]

    def _class(self, one: Mapping[str, str], landmark: Row, voted: str) -> ClassEvidence:
        qid = one["class_qid"]
        is_deciding = qid == landmark["class_qid"]
        is_by_class = is_deciding and landmark["decision"] != FILLED_RULE
        row = self._taxonomy.get(qid) or (landmark if is_by_class else {})
        who, logged = row.get("reviewer") or "", self._log.get(qid)
        return ClassEvidence(
            class_qid=qid,
            class_label=one["class_label"] or qid,
            is_deciding=is_deciding,
            cluster=self._clusters.get(qid, ""),
            label=row.get("hierarchical_label") or voted,
            how=decision_words(row.get("decision") or ""),
            who=who,
            when=logged.decided_at[:_DAY] if logged is not None and who else "",
            note=self._proposals.get(qid, "") if logged is None else logged.note,
        )

    def _rows(self, dataset: Dataset, columns: list[str] | None = None) -> list[Row]:
        return self._read(lambda build: list(build.read(dataset, columns).to_pylist()), [])

    def _read(self, read: Callable[[Workspace], _Records], nothing: _Records) -> _Records:
        try:
            return nothing if self._workspace is None else read(self._workspace)
        except HgldError as error:
            logger.debug("browse: not shown: %s", error)
            return nothing
