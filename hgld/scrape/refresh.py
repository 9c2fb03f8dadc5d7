"""What changed on Commons and Wikidata between two generations of the raw archive.

A refresh asks every question again, into a generation of its own (`hgld.scrape.archive`). Both
sides are built from the archive with the same rows and settings, so what differs is what the world
changed. A landmark of which the earlier generation knows nothing (a row added since) is not
compared.

The next scrape continues a refresh that was stopped. To give it up, delete its folder
`raw/refresh-N`; the next scrape then uses the generation before.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    landmarks, compared, not_compared = list[_Row](), 0, 0
    counts_before, counts_now = dict[str, ClassCount](), dict[str, ClassCount]()
    for (key, was), (_, now) in zip(before, _written(writer.workspace), strict=True):
        if was.status == "failed":
            not_compared += 1
            continue
        compared += 1
        landmarks += landmark_changes(key, was, now)
        count_classes(counts_before, was)
        count_classes(counts_now, now)
    classes = list(class_changes(counts_before, counts_now))
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


class ClassCount(NamedTuple):
    """What one generation says of a class."""

    label: str | None = None
    landmarks: int = 0


def count_classes(counts: dict[str, ClassCount], seen: Seen) -> None:
    """Counts the classes of a landmark."""
    for qid, (label, _) in seen.classes.items():
        counts[qid] = ClassCount(label, counts.get(qid, ClassCount()).landmarks + 1)


def class_changes(
    before: Mapping[str, ClassCount], after: Mapping[str, ClassCount]
) -> Iterator[_Row]:
    """Yields the rows of CLASS_CHANGES, by class."""
    for qid in sorted(before.keys() | after.keys(), key=qid_number):
        was, now = before.get(qid, ClassCount()), after.get(qid, ClassCount())
        if was != now:
            yield {
                "class_qid": qid,
                "change": _change(qid in before, qid in after),
                "label_before": was.label,
                "label_after": now.label,
                "landmarks_before": was.landmarks,
                "landmarks_after": now.landmarks,
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
    counted = [
        (name, *(Counter(row["change"] for row in rows)[kind] for kind in _KINDS))
        for name, rows in (("classes", classes), ("classes of a landmark", landmarks))
    ]
    class_rows = [
        (row["change"], row["class_qid"], _arrow(row, "label"), _arrow(row, "landmarks"))
        for row in by_move
    ]
    landmark_rows = [
        (
            *(row["change"], row["split"], row["landmark_id"]),
            *(_arrow(row, "status"), _arrow(row, "qid"), row.get("class_qid", "")),
            *(_arrow(row, "label"), _arrow(row, "rank")),
        )
        for row in landmarks
    ]
    by_landmark = ("change", "split", "landmark", "status", "item", "class", "label", "rank")
    lines = [
        f"# Refresh {generation} of the scrape",
        (
            f"{compared[0]} landmarks compared with the generation before.\n"
            f"{compared[1]} were not known to it."
        ),
        _table(("", *_KINDS), counted),
        "## By class",
        _table(("change", "class", "label", "landmarks"), class_rows, CLASS_CHANGES.path),
        "## By landmark",
        _table(by_landmark, landmark_rows, LANDMARK_CHANGES.path),
    ]
    return "\n\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], path: str = "") -> str:
    """Returns the first rows as a table in Markdown, and where the others are."""
    shown = [[_escaped(str(cell)) for cell in row] for row in rows[:_LISTED]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *shown))
    left = len(rows) - _LISTED
    return f"{text}\n\n{left} more are in `{path}`." if left > 0 else text


def _arrow(row: _Row, name: str) -> str:
    """Returns `before -> after`, or the one that there is, or both where they are the same."""
    sides = [row.get(f"{name}_before"), row.get(f"{name}_after")]
    return " -> ".join(dict.fromkeys(str(side) for side in sides if side is not None))


def _escaped(text: str) -> str:
    """Returns text that is itself in Markdown: labels come from whoever edits Wikidata."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|&#~" else c for c in shown)
