"""What changed on Commons and Wikidata between two generations of the raw archive.

A refresh asks every question again, into a generation of its own (`hgld.scrape.archive`). Both
sides are built from the archive with the same rows and settings, so what differs is what the world
changed. A landmark of which the earlier generation knows nothing (a row added since) is not
compared.

A refresh that was stopped is gone on with by the next scrape. It is given up by deleting its folder
`raw/refresh-N`; the next scrape then rebuilds the tables from the generation before.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.stage import Stage, StageWriter
from hgld.engine.workspace import Workspace
from hgld.tables import CATEGORIES, CLASS_CHANGES, CLASSES, LANDMARK_CHANGES, qid_number

logger = logging.getLogger(__name__)

REFRESH_REPORT = "scrape/changes.md"

REFRESH_STAGE = Stage(
    name="refresh",
    version=1,
    inputs=(CATEGORIES, CLASSES),
    outputs=(LANDMARK_CHANGES, CLASS_CHANGES),
    output_files=(REFRESH_REPORT,),
    result=REFRESH_REPORT,
)

_LISTED = 100  # rows of each part of the report; the tables have them all
_KINDS = ("new", "gone", "changed", "status")

LandmarkKey = tuple[str, int]
"""Split and landmark id."""
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one generation says of a landmark."""

    status: str
    qid: str | None = None
    classes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Class Q-id to its label and the statement's rank."""


def seen_of_landmark(category: _Row, classes: Iterable[_Row]) -> tuple[LandmarkKey, Seen]:
    """Returns whose row of CATEGORIES it is, and what that and its rows of CLASSES say."""
    facts = {row["class_qid"]: (row["class_label"], row["rank"]) for row in classes}
    key = category["split"], category["landmark_id"]
    return key, Seen(status=category["status"], qid=category.get("qid"), classes=facts)


def _written(workspace: Workspace) -> Iterator[tuple[LandmarkKey, Seen]]:
    """Yields what the tables of a scrape say of each landmark, in order.

    A shard of the one table has the landmarks of the shard of the other with the same name.
    """
    shards = zip(workspace.shards(CATEGORIES), workspace.shards(CLASSES), strict=True)
    for categories, classes in shards:
        rows: dict[LandmarkKey, list[_Row]] = {}
        for row in pq.read_table(classes, partitioning=None).to_pylist():
            rows.setdefault((row["split"], row["landmark_id"]), []).append(row)
        for row in pq.read_table(categories, partitioning=None).to_pylist():
            yield seen_of_landmark(row, rows.get((row["split"], row["landmark_id"]), ()))


def write_changes(
    writer: StageWriter, before: Iterable[tuple[LandmarkKey, Seen]], generation: int
) -> None:
    """Writes what changed, as two tables and a report.

    Args:
        writer: of `REFRESH_STAGE`.
        before: what the generation before says of the landmarks of the scrape, in their order.
        generation: number of the one that the tables of the scrape are from.
    """
    landmarks, tally, compared, not_compared = list[_Row](), ClassTally(), 0, 0
    for (key, was), (_, now) in zip(before, _written(writer.workspace), strict=True):
        if was.status == "failed":
            not_compared += 1
            continue
        compared += 1
        landmarks += landmark_changes(key, was, now)
        tally.add(was, now)
    classes = list(tally.changes())
    for dataset, rows in ((LANDMARK_CHANGES, landmarks), (CLASS_CHANGES, classes)):
        writer.write(dataset, "00000", pa.Table.from_pylist(rows, schema=dataset.schema))
    with writer.file(REFRESH_REPORT) as path:
        text = report_changes(landmarks, classes, (compared, not_compared), generation)
        path.write_text(text, encoding="utf-8")
    touched = {(row["split"], row["landmark_id"]) for row in landmarks}
    logger.info(
        "refresh: %d of %d landmarks and %d classes changed; see %s",
        len(touched),
        compared,
        len(classes),
        writer.workspace.path(REFRESH_REPORT),
    )


def landmark_changes(key: LandmarkKey, was: Seen, now: Seen) -> Iterator[_Row]:
    """Yields the rows of LANDMARK_CHANGES of one landmark, by class."""
    row: _Row = {
        "split": key[0],
        "landmark_id": key[1],
        "status_before": was.status,
        "status_after": now.status,
        "qid_before": was.qid,
        "qid_after": now.qid,
    }
    differing = [
        qid
        for qid in was.classes.keys() | now.classes.keys()
        if was.classes.get(qid) != now.classes.get(qid)
    ]
    for qid in sorted(differing, key=qid_number):
        label_before, rank_before = was.classes.get(qid, (None, None))
        label_after, rank_after = now.classes.get(qid, (None, None))
        yield {
            **row,
            "change": _change(qid in was.classes, qid in now.classes),
            "class_qid": qid,
            "label_before": label_before,
            "label_after": label_after,
            "rank_before": rank_before,
            "rank_after": rank_after,
        }
    if not differing and (was.status, was.qid) != (now.status, now.qid):
        yield {**row, "change": "status"}


@dataclass(slots=True)
class ClassTally:
    """How many landmarks each class has, and its label, before and now."""

    _counts: tuple[Counter[str], Counter[str]] = field(
        default_factory=lambda: (Counter(), Counter()), init=False
    )
    _labels: tuple[dict[str, str], dict[str, str]] = field(
        default_factory=lambda: ({}, {}), init=False
    )

    def add(self, was: Seen, now: Seen) -> None:
        """Counts a landmark."""
        for seen_then, counts, labels in zip((was, now), self._counts, self._labels, strict=True):
            counts.update(seen_then.classes.keys())
            labels.update((qid, label) for qid, (label, _) in seen_then.classes.items())

    def changes(self) -> Iterator[_Row]:
        """Yields the rows of CLASS_CHANGES, by class."""
        counts, labels = self._counts, self._labels
        for qid in sorted(counts[0].keys() | counts[1].keys(), key=qid_number):
            was = labels[0].get(qid), counts[0][qid]
            now = labels[1].get(qid), counts[1][qid]
            if was != now:
                yield {
                    "class_qid": qid,
                    "change": _change(qid in counts[0], qid in counts[1]),
                    "label_before": was[0],
                    "label_after": now[0],
                    "landmarks_before": was[1],
                    "landmarks_after": now[1],
                }


def _change(was: bool, is_now: bool) -> str:
    if was and is_now:
        return "changed"
    return "gone" if was else "new"


def report_changes(
    landmarks: Sequence[_Row], classes: Sequence[_Row], compared: tuple[int, int], generation: int
) -> str:
    """Returns what changed as Markdown.

    Args:
        landmarks: rows of LANDMARK_CHANGES.
        classes: rows of CLASS_CHANGES.
        compared: how many landmarks were compared, and how many could not be.
        generation: number of the newer side.

    Returns:
        The counts, and the first rows of each part; those classes first that moved most landmarks.
    """
    by_move = sorted(
        classes, key=lambda row: -abs(row["landmarks_after"] - row["landmarks_before"])
    )
    return "\n".join(
        [
            f"# Refresh {generation} of the scrape",
            "",
            f"{compared[0]} landmarks compared with the generation before.",
            f"{compared[1]} were not known to it.",
            "",
            *_table(
                ("", *_KINDS),
                (
                    ("classes", *_counted(classes)),
                    ("classes of a landmark", *_counted(landmarks)),
                ),
            ),
            "",
            "## By class",
            "",
            *_table(
                ("change", "class", "label", "landmarks"),
                (
                    (row["change"], row["class_qid"], _label(row), _arrow(row, "landmarks"))
                    for row in by_move[:_LISTED]
                ),
            ),
            *_rest(classes, CLASS_CHANGES.path),
            "",
            "## By landmark",
            "",
            *_table(
                ("change", "split", "landmark", "status", "item", "class", "label", "rank"),
                (
                    (
                        row["change"],
                        row["split"],
                        row["landmark_id"],
                        _arrow(row, "status"),
                        _arrow(row, "qid"),
                        row.get("class_qid", ""),
                        _label(row),
                        _arrow(row, "rank"),
                    )
                    for row in landmarks[:_LISTED]
                ),
            ),
            *_rest(landmarks, LANDMARK_CHANGES.path),
            "",
        ]
    )


def _counted(rows: Iterable[_Row]) -> list[int]:
    counts = Counter(row["change"] for row in rows)
    return [counts[kind] for kind in _KINDS]


def _rest(rows: Sequence[_Row], path: str) -> list[str]:
    left = len(rows) - _LISTED
    return ["", f"{left} more are in `{path}`."] if left > 0 else []


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([_escaped(str(cell)) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _label(row: _Row) -> str:
    return _arrow(row, "label")


def _arrow(row: _Row, name: str) -> str:
    """Returns `before -> after`, or the one that there is, or both where they are the same."""
    sides = [row.get(f"{name}_before"), row.get(f"{name}_after")]
    return " -> ".join(dict.fromkeys(str(side) for side in sides if side is not None))


def _escaped(text: str) -> str:
    """Returns text that is itself in Markdown: labels come from whoever edits Wikidata."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|&#~" else c for c in shown)
