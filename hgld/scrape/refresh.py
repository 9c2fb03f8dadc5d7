"""What changed on Commons and Wikidata between two generations of the raw archive.

A refresh asks every question again, into a generation of its own (`hgld.scrape.archive`). Both
sides are built from the archive with the same rows and settings, so every difference is a change
on Commons or Wikidata. A landmark that the earlier generation does not know (a row added since) is
not compared.

The next scrape resumes a refresh that was stopped. To abandon it, delete its folder
`raw/refresh-N`; the next scrape then uses the generation before.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageWriter
from hgld.tables import CATEGORIES, CLASS_CHANGES, CLASSES, LANDMARK_CHANGES, qid_numbers

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

_LISTED = 100  # rows of each part of the report; the tables have all rows
_KINDS = ("new", "gone", "changed", "status")

_LANDMARK = ["split", "landmark_id"]
_SIDES = {"left_suffix": "_before", "right_suffix": "_after"}


def write_changes(
    writer: StageWriter, categories: pa.Table, classes: pa.Table, generation: int
) -> None:
    """Writes what changed, as two tables and a report.

    Args:
        writer: of `REFRESH_STAGE`.
        categories: CATEGORIES of the previous generation, for the landmarks of the scrape.
        classes: CLASSES of the previous generation.
        generation: number of the generation behind the current tables.
    """
    read = writer.workspace.read
    now = read(CATEGORIES, columns=[*_LANDMARK, "status", "qid"])
    landmarks = compared_landmarks(categories, now)
    both = classes, read(CLASSES, columns=[*_LANDMARK, "class_qid", "class_label", "rank"])
    of_landmarks, of_classes = landmark_changes(landmarks, *both), class_changes(landmarks, *both)
    writer.write(LANDMARK_CHANGES, "00000", of_landmarks)
    writer.write(CLASS_CHANGES, "00000", of_classes)
    compared = len(landmarks), len(now) - len(landmarks)
    text = report_changes(of_landmarks, of_classes, compared, generation)
    writer.write_text(REFRESH_REPORT, text)
    counts = (f"{len(one):,}" for one in (landmarks, of_landmarks, of_classes))
    logger.info("refresh: %s landmarks compared; %s landmark and %s class changes", *counts)


def compared_landmarks(before: pa.Table, after: pa.Table) -> pa.Table:
    """Returns the landmarks that both sides know, with status and qid of each side.

    Args:
        before: CATEGORIES of the earlier side.
        after: CATEGORIES of the later side.

    Returns:
        split, landmark_id, status and qid of both sides, and `place`, the row number in `after`.
    """
    columns = [*_LANDMARK, "status", "qid"]
    known = before.select(columns).filter(pc.not_equal(before["status"], "failed"))
    placed = after.select(columns).append_column("place", pa.array(range(len(after)), pa.int64()))
    return known.join(placed, _LANDMARK, join_type="inner", **_SIDES)


def landmark_changes(landmarks: pa.Table, before: pa.Table, after: pa.Table) -> pa.Table:
    """Returns the rows of LANDMARK_CHANGES, in the order of the landmarks, then by class.

    Args:
        landmarks: from `compared_landmarks`.
        before: CLASSES of the earlier side.
        after: CLASSES of the later side.
    """
    keys = [*_LANDMARK, "class_qid"]
    sides = [
        table.select([*keys, "class_label", "rank"]).rename_columns([*keys, "label", "rank"])
        for table in (before, after)
    ]
    classes = sides[0].join(sides[1], keys, join_type="full outer", **_SIDES)
    differing = classes.filter(pc.or_(_differs(classes, "label"), _differs(classes, "rank")))
    rows = landmarks.join(differing, _LANDMARK, join_type="left outer")
    is_of_class = pc.is_valid(rows["class_qid"])
    is_changed = pc.or_(_differs(rows, "status"), _differs(rows, "qid"))
    rows = rows.append_column("change", pc.if_else(is_of_class, _change(rows), "status"))
    return _sorted(rows.filter(pc.or_(is_of_class, is_changed)), LANDMARK_CHANGES.schema)


def class_changes(landmarks: pa.Table, before: pa.Table, after: pa.Table) -> pa.Table:
    """Returns the rows of CLASS_CHANGES, by class; for the arguments see `landmark_changes`."""
    sides = [
        table.join(landmarks, _LANDMARK, join_type="left semi")
        .group_by(["class_qid", "class_label"])
        .aggregate([([], "count_all")])
        .rename_columns(["class_qid", "label", "landmarks"])
        for table in (before, after)
    ]
    rows = sides[0].join(sides[1], "class_qid", join_type="full outer", **_SIDES)
    rows = rows.filter(pc.or_(_differs(rows, "label"), _differs(rows, "landmarks")))
    rows = rows.append_column("change", _change(rows))
    for name in ("landmarks_before", "landmarks_after"):
        counts = pc.fill_null(rows[name], 0)
        rows = rows.set_column(rows.column_names.index(name), name, counts)
    return _sorted(rows, CLASS_CHANGES.schema)


def _differs(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """Says where the two sides of a column differ; null differs from every value."""
    before, after = rows[f"{name}_before"], rows[f"{name}_after"]
    one_is_null = pc.xor(pc.is_null(before), pc.is_null(after))
    return pc.or_(one_is_null, pc.fill_null(pc.not_equal(before, after), False))


def _change(rows: pa.Table) -> pa.ChunkedArray:
    is_new, is_gone = pc.is_null(rows["label_before"]), pc.is_null(rows["label_after"])
    return pc.if_else(is_new, "new", pc.if_else(is_gone, "gone", "changed"))


def _sorted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns the rows sorted by landmark, then by the number of the class."""
    rows = rows.append_column("number", qid_numbers(rows["class_qid"]))
    by = [name for name in ("place", "number") if name in rows.column_names]
    return rows.sort_by([(name, "ascending") for name in by]).select(schema.names)


def report_changes(
    landmarks: pa.Table, classes: pa.Table, compared: tuple[int, int], generation: int
) -> str:
    """Returns what changed as Markdown.

    Args:
        landmarks: rows of LANDMARK_CHANGES.
        classes: rows of CLASS_CHANGES.
        compared: how many landmarks were compared, and how many could not be.
        generation: number of the newer generation.

    Returns:
        The counts, and the first rows of each part; classes with the largest change come first.
    """
    counted = [
        (name, *(Counter(table["change"].to_pylist())[kind] for kind in _KINDS))
        for name, table in (("classes", classes), ("classes of a landmark", landmarks))
    ]
    moved = pc.abs(pc.subtract(classes["landmarks_after"], classes["landmarks_before"]))
    by_move = classes.take(pc.sort_indices(pc.negate(moved)))  # stable: then by class
    class_rows = [
        (row["change"], row["class_qid"], _arrow(row, "label"), _arrow(row, "landmarks"))
        for row in by_move.slice(0, _LISTED).to_pylist()
    ]
    landmark_rows = [
        (
            *(row["change"], row["split"], row["landmark_id"]),
            *(_arrow(row, "status"), _arrow(row, "qid"), row["class_qid"] or ""),
            *(_arrow(row, "label"), _arrow(row, "rank")),
        )
        for row in landmarks.slice(0, _LISTED).to_pylist()
    ]
    of_landmark = ("change", "split", "landmark", "status", "item", "class", "label", "rank")
    counts = f"{compared[0]} landmarks compared with the generation before.\n"
    counts += f"{compared[1]} were not known to it."
    parts = [
        f"# Refresh {generation} of the scrape",
        counts,
        _table(("", *_KINDS), counted),
        "## By class",
        _table(("change", "class", "label", "landmarks"), class_rows),
        _rest(classes, CLASS_CHANGES),
        "## By landmark",
        _table(of_landmark, landmark_rows),
        _rest(landmarks, LANDMARK_CHANGES),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    shown = [[_escaped(str(cell)) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *shown))


def _rest(rows: pa.Table, dataset: Dataset) -> str:
    left = len(rows) - _LISTED
    return f"{left} more are in `{dataset.path}`." if left > 0 else ""


def _arrow(row: dict[str, Any], name: str) -> str:
    """Returns `before -> after`, or one value if the sides are equal or one is null."""
    sides = [row[f"{name}_before"], row[f"{name}_after"]]
    return " -> ".join(dict.fromkeys(str(side) for side in sides if side is not None))


def _escaped(text: str) -> str:
    """Returns text escaped for Markdown: anyone who edits Wikidata can write a label."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|&#~" else c for c in shown)
