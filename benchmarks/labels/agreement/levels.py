"""One level of the labels, compared: its counts, its measures, and the labels of most errors."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.label_files import spellings_of
from hgld.benchmarks.labels.agreement.measures.agreement import estimate_all, label_counts
from hgld.benchmarks.labels.agreement.measures.contingency import Contingency, cross_tabulate
from hgld.benchmarks.labels.agreement.results import (
    Coverage,
    LabelAgreement,
    LevelAgreement,
    PairCount,
    WrongLandmark,
)
from hgld.tables import ANNOTATIONS

WORST_LABELS = 15
"""Labels of most errors that come with examples."""
_EXAMPLES = 6
_EXAMPLES_ALIKE = 2
_TITLES = {level.column: level.title for level in ANNOTATIONS["train"].levels}


def compare_level(
    column: str,
    labels: pa.Table,
    columns: tuple[pa.ChunkedArray, pa.ChunkedArray],
    *,
    draws: int,
    seed: int,
) -> LevelAgreement:
    """Compares one level of the labels.

    Args:
        column: of the level.
        labels: rows of the landmarks in both files, with the columns of `with_classes`.
        columns: the level in the whole official files and in ours, as they spell it.
        draws: for the intervals.
        seed: of the draws.

    Returns:
        What was found. Labels are named as the official files spell them, and as ours do where
        these have no such label.
    """
    official, ours = labels[f"official_{column}"], labels[f"our_{column}"]
    table = cross_tabulate(official, ours)
    theirs, own = (spellings_of(one) for one in columns)
    names = own | theirs
    return LevelAgreement(
        column=column,
        title=_TITLES[column],
        estimates=estimate_all(table, draws, seed),
        coverage=tuple(_coverage(labels, official, ours)),
        labels=_label_agreements(column, labels, table, names),
        pairs=tuple(_pairs(table, names)),
        unknown=_counts_without(ours, theirs, names),
        never_given=_counts_without(official, own, names),
        spelled_otherwise=tuple(
            (theirs[label], own[label])
            for label in sorted(theirs.keys() & own.keys())
            if theirs[label] != own[label]
        ),
    )


def _coverage(
    labels: pa.Table, official: pa.ChunkedArray, ours: pa.ChunkedArray
) -> Iterator[Coverage]:
    for split in sorted(pc.unique(labels["split"]).to_pylist()):
        mask = pc.equal(labels["split"], split)
        table = cross_tabulate(official.filter(mask), ours.filter(mask))
        is_ours = table.ours < len(table.labels)
        yield Coverage(
            split=split,
            landmarks=int(table.counts.sum()),
            both=int(table.counts[table.both].sum()),
            only_official=int(table.counts[table.labelled & ~is_ours].sum()),
            only_ours=int(table.counts[~table.labelled & is_ours].sum()),
            neither=int(table.counts[~table.labelled & ~is_ours].sum()),
            same=int(table.counts[table.same].sum()),
        )


def _label_agreements(
    column: str, labels: pa.Table, table: Contingency, names: dict[str, str]
) -> tuple[LabelAgreement, ...]:
    totals, ours, same = (
        counts[0].tolist() for counts in label_counts(table, table.counts[None, :])
    )
    missing = np.zeros(len(table.labels), dtype=np.int64)
    is_missing = table.labelled & ~table.both
    missing[table.official[is_missing]] = table.counts[is_missing]
    order = sorted(
        (number for number, total in enumerate(totals) if total),
        key=lambda number: (same[number] - totals[number], table.labels[number]),
    )
    return tuple(
        LabelAgreement(
            label=names[table.labels[number]],
            landmarks=totals[number],
            ours=ours[number],
            same=same[number],
            unlabelled=int(missing[number]),
            examples=_examples(column, labels, table.labels[number], names)
            if place < WORST_LABELS and same[number] < totals[number]
            else (),
        )
        for place, number in enumerate(order)
    )


def _examples(
    column: str, labels: pa.Table, label: str, names: dict[str, str]
) -> tuple[WrongLandmark, ...]:
    """Returns wrongly labelled landmarks: of each error two at most, the most frequent first."""
    has_it = labels.filter(pc.equal(labels[f"official_{column}"], label))
    ours = pc.fill_null(has_it[f"our_{column}"], "")
    wrong = has_it.filter(pc.not_equal(ours, label))
    found, error, counts = np.unique(
        pc.fill_null(wrong[f"our_{column}"], "").to_numpy(zero_copy_only=False).astype(str),
        return_inverse=True,
        return_counts=True,
    )
    chosen: list[int] = []
    for kind in np.lexsort((found, -counts)):
        chosen += _first(error == kind, _EXAMPLES_ALIKE)
    rows = wrong.take(pa.array(chosen[:_EXAMPLES], pa.int64()))
    return tuple(
        WrongLandmark(
            split=row["split"],
            landmark_id=row["landmark_id"],
            category=row["category"],
            class_label=row["class_label"],
            class_qid=row["class_qid"],
            ours=names.get(row[f"our_{column}"]),
        )
        for row in rows.to_pylist()
    )


def _first(mask: NDArray[np.bool_], count: int) -> list[int]:
    found: list[int] = np.flatnonzero(mask)[:count].tolist()
    return found


def _pairs(table: Contingency, names: dict[str, str]) -> Iterator[PairCount]:
    spelled = [*(names[label] for label in table.labels), None]
    cells = (table.official.tolist(), table.ours.tolist(), table.counts.tolist())
    for official, ours, landmarks in zip(*cells, strict=True):
        yield PairCount(official=spelled[official], ours=spelled[ours], landmarks=landmarks)


def _counts_without(
    column: pa.ChunkedArray, known: dict[str, str], names: dict[str, str]
) -> dict[str, int]:
    """Counts the labels of a column that are not known, the most frequent first."""
    counts = pc.value_counts(column.drop_null())
    found = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    unknown = sorted((-count, label) for label, count in found if label not in known)
    return {names[label]: -count for count, label in unknown}
