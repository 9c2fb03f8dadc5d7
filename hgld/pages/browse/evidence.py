"""Why a landmark has its label: what its release says, and what the build knows beyond it."""

import operator
from typing import Any

from hgld import tables
from hgld.engine.dataset import Dataset
from hgld.pages.browse.folder import BrowsedFolder, Row, if_readable
from hgld.pages.browse.words import decision_words
from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.log.decisions import read_decisions
from hgld.review.log.history import Decision

_DECIDED = ["hierarchical_label", "decision", "reviewer"]


class Evidence:
    """The records of a build; each is empty if it is missing, or if there is no build."""

    def __init__(self, folder: BrowsedFolder) -> None:
        """Reads them."""
        self._folder, workspace = folder, folder.workspace
        names = self._column("name", tables.CLUSTER_PROPOSALS, "cluster_id")
        self._clusters = {
            qid: f"{names[one]} (cluster {one})" if one in names else f"cluster {one}"
            for qid, one in self._column("cluster_id", tables.CLUSTERS, "class_qid").items()
        }
        self._proposals = self._column("evidence", tables.PROPOSALS, "class_qid")
        self._fills = self._column("evidence", tables.FILLS, "split", "landmark_id")
        self._pages = self._column("page_title", tables.CATEGORIES, "split", "landmark_id")
        taxonomy = folder.read_beside(tables.TAXONOMY, ["class_qid", *_DECIDED])
        self._taxonomy = {row["class_qid"]: row for row in taxonomy.to_pylist()}
        self._log: dict[str, Decision] = {}
        if workspace is not None:
            self._log = if_readable(lambda: read_decisions(workspace), {})

    def of(self, landmark: Row) -> Row:
        """Returns why a landmark has its label.

        Returns:
            `how` its label was decided, as its release has it (empty: nobody did), by `who`,
            `when` (empty: not known), and the `note` of the reviewer, the proposal or the fill;
            `is_older` if the build has another decision by now; its `classes`, each with the same
            and its `label` and `cluster`; and the `page_title` that its category leads to, if that
            is another one.
        """
        key, qid = (landmark["split"], landmark["landmark_id"]), landmark["class_qid"] or ""
        told = self._told(qid, landmark)
        decided = self._taxonomy.get(qid, landmark)
        if landmark["decision"] == tables.FILLED_RULE:
            told["how"] += f" ({landmark['method'] or 'unknown method'})"
            told["note"], decided = self._fills.get(key, ""), landmark
        if landmark["confidence"] is not None:
            told["how"] += f", with a confidence of {landmark['confidence']:.0%}"
        if landmark["accepted_above"]:
            told["how"] += f" (at least {landmark['accepted_above']:.0%} was required)"
        title = landmark_name(self._pages.get(key) or "")
        return told | {
            "is_older": any(decided[one] != landmark[one] for one in ("decision", "reviewer")),
            "classes": [self._class(one, landmark) for one in landmark["classes"] or ()],
            "page_title": title if title != landmark_name(landmark["category"] or "") else "",
        }

    def _class(self, one: Row, landmark: Row) -> Row:
        """Returns what is told of a class; a release on its own says less of it."""
        qid = one["class_qid"]
        is_deciding = qid == landmark["class_qid"]
        is_by_class = is_deciding and landmark["decision"] != tables.FILLED_RULE
        decided = self._taxonomy.get(qid, landmark if is_by_class else dict.fromkeys(_DECIDED))
        voted = {each["class_qid"]: each["hierarchical_label"] for each in landmark["candidates"]}
        return self._told(qid, decided) | {
            "class_qid": qid,
            "class_label": one["class_label"] or qid,
            "is_deciding": is_deciding,
            "cluster": self._clusters.get(qid, ""),
            "label": decided["hierarchical_label"] or voted.get(qid, ""),
        }

    def _told(self, qid: str, decided: Row) -> Row:
        """Returns who decided on a class, when and why."""
        decision, reviewer = (decided[name] or "" for name in ("decision", "reviewer"))
        logged = self._log.get(qid) if decision in {"assigned", "ignored"} else None
        return {
            "how": decision_words(decision, reviewer),
            "who": reviewer,
            "when": logged.decided_at[: len("YYYY-MM-DD")] if logged else "",
            "note": logged.note if logged else self._proposals.get(qid, ""),
        }

    def _column(self, column: str, dataset: Dataset, *keys: str) -> dict[Any, Any]:
        """Reads a column of a table by others."""
        key, table = operator.itemgetter(*keys), self._folder.read_beside(dataset, [column, *keys])
        return {key(row): row[column] for row in table.to_pylist()}
