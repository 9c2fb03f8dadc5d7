"""Official rows that look wrong, each with the evidence, for whoever keeps the official file.

Two criteria, either of which the file itself speaks for:

- `peers`: every class of the landmark that has a label has ours; fewer than `rare_share` of the
  other landmarks with the same deciding class are officially labelled as this one is, and more
  than half of them as we label it. A difference of opinion on what a class is (an aerial tramway
  as rail transportation) is no finding: there the official label is that of most.
- `side`: fewer than `rare_share` of the other landmarks with the same official label have this
  one's `natural_or_human_made`, which follows from the label.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.annotations.rule import deciding_classes
from hgld.engine.workspace import Workspace
from hgld.tables import CLASSES, SUSPECTS, TAXONOMY

_KEY = ["split", "landmark_id"]
_CLASS_COLUMNS = ("class_qid", "class_label", "decision")
_MAJORITY = 0.5


def with_classes(labels: pa.Table, workspace: Workspace) -> pa.Table:
    """Adds to landmarks of a build why they have their label.

    Args:
        labels: what `side_by_side` returns.
        workspace: the build whose labels they are.

    Returns:
        The rows in their order, with class_qid, class_label and decision of the deciding class,
        and with votes and votes_against; null where a landmark has no class.

    Raises:
        MissingInputError: the build has no classes or no taxonomy, or they do not fit together.
    """
    classes, taxonomy = workspace.read(CLASSES), workspace.read(TAXONOMY)
    deciding = deciding_classes(classes, taxonomy).select([*_KEY, *_CLASS_COLUMNS])
    rows = classes.select([*_KEY, "class_qid"])
    rows = rows.group_by(rows.column_names).aggregate([])
    place = pc.index_in(rows["class_qid"], value_set=taxonomy["class_qid"])
    voted = pc.utf8_trim_whitespace(taxonomy["hierarchical_label"]).take(place)
    rows = rows.append_column("voted", voted).filter(pc.is_valid(voted))
    rows = rows.join(labels.select([*_KEY, "our_hierarchical_label"]), _KEY, join_type="inner")
    is_for = pc.fill_null(pc.equal(rows["voted"], rows["our_hierarchical_label"]), False)
    votes = (
        rows.append_column("votes", pc.cast(is_for, pa.int64()))
        .append_column("votes_against", pc.cast(pc.invert(is_for), pa.int64()))
        .group_by(_KEY)
        .aggregate([("votes", "sum"), ("votes_against", "sum")])
        .rename_columns([*_KEY, "votes", "votes_against"])
    )
    joined = labels.drop_columns(["class_label"]).join(deciding, _KEY).join(votes, _KEY)
    for name in ("votes", "votes_against"):  # none of its classes may have a vote
        count = pc.if_else(pc.is_valid(joined["class_qid"]), pc.fill_null(joined[name], 0), None)
        joined = joined.set_column(joined.column_names.index(name), name, count)
    return joined.sort_by([(name, "ascending") for name in _KEY])


def without_classes(labels: pa.Table) -> pa.Table:
    """Adds the columns of `with_classes` to landmarks of which only a published file is known.

    Args:
        labels: what `side_by_side` returns.

    Returns:
        The rows, with nulls but for the class_label that the file has.
    """
    count = len(labels)
    for name in ("class_qid", "decision"):
        labels = labels.append_column(name, pa.nulls(count, pa.string()))
    for name in ("votes", "votes_against"):
        labels = labels.append_column(name, pa.nulls(count, pa.int64()))
    return labels


def find_suspects(labels: pa.Table, *, peers: int, rare_share: float) -> pa.Table:
    """Finds the official rows that look wrong.

    Args:
        labels: what `with_classes` or `without_classes` returns. Without classes, landmarks of
            the same class are those of the same class_label, and no votes are asked for.
        peers: how many other landmarks a row must be compared with at least.
        rare_share: below which share of them what the row has is rare.

    Returns:
        Rows of SUSPECTS: by reason, those of most peers first, then by split and landmark.
    """
    found = pa.concat_tables(
        [_against_peers(labels, peers, rare_share), _against_side(labels, peers, rare_share)]
    )
    evidence = [_in_words(row) for row in found.to_pylist()]
    found = found.append_column("evidence", pa.array(evidence, pa.string()))
    order = [
        ("reason", "ascending"),
        ("peers", "descending"),
        *((key, "ascending") for key in _KEY),
    ]
    return found.sort_by(order).select(SUSPECTS.schema.names).cast(SUSPECTS.schema)


def _against_peers(labels: pa.Table, peers: int, rare_share: float) -> pa.Table:
    kind = pc.coalesce(labels["class_qid"], labels["class_label"])
    is_known = pc.and_(pc.is_valid(labels["official_hierarchical_label"]), pc.is_valid(kind))
    rows, kind = labels.filter(is_known), kind.filter(is_known)
    names = ("official_hierarchical_label", "our_hierarchical_label")
    officials, ours = (_numbers(rows[name], rows[names[0]]) for name in names)
    classes = _numbers(kind, kind)
    size = int(officials.max(initial=0)) + 2  # and one for a label that no row has officially
    ours = np.where(ours < 0, size - 1, ours)
    as_official = _frequency(classes * size + officials, classes * size + officials) - 1
    as_ours = _frequency(classes * size + officials, classes * size + ours)
    others = _frequency(classes, classes) - 1
    is_agreed = pc.and_(pc.equal(rows["votes_against"], 0), pc.greater(rows["votes"], 0))
    is_suspect = (
        (officials != ours)
        & pc.fill_null(is_agreed, True).to_numpy()
        & (others >= peers)
        & (as_official < rare_share * others)
        & (as_ours > _MAJORITY * others)
    )
    return _suspects(rows, "peers", is_suspect, (others, as_official, as_ours))


def _against_side(labels: pa.Table, peers: int, rare_share: float) -> pa.Table:
    names = ("official_hierarchical_label", "official_natural_or_human_made")
    is_known = pc.and_(pc.is_valid(labels[names[0]]), pc.is_valid(labels[names[1]]))
    rows = labels.filter(is_known)
    officials, sides = (_numbers(rows[name], rows[name]) for name in names)
    pairs = officials * (int(sides.max(initial=0)) + 1) + sides
    others, as_official = _frequency(officials, officials) - 1, _frequency(pairs, pairs) - 1
    is_suspect = (others >= peers) & (as_official < rare_share * others)
    return _suspects(rows, "side", is_suspect, (others, as_official, others - as_official))


def _suspects(
    rows: pa.Table,
    reason: str,
    is_suspect: NDArray[np.bool_],
    counts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> pa.Table:
    names = ("peers", "peers_as_official", "peers_otherwise")
    for name, count in zip(names, counts, strict=True):
        rows = rows.append_column(name, pa.array(count, pa.int64()))
    rows = rows.append_column("reason", pa.repeat(pa.scalar(reason), len(rows)))
    new_names = {
        "official_hierarchical_label": "official_label",
        "our_hierarchical_label": "our_label",
    }
    rows = rows.rename_columns([new_names.get(name, name) for name in rows.column_names])
    wanted = [name for name in SUSPECTS.schema.names if name != "evidence"]
    return rows.select(wanted).filter(pa.array(is_suspect, pa.bool_()))


def _in_words(row: dict[str, object]) -> str:
    if row["reason"] == "side":
        return (
            f"{row['peers_otherwise']} of {row['peers']} other landmarks that are officially "
            f"{row['official_label']} are not {row['official_natural_or_human_made']}"
        )
    kind = f"{row['class_label']}"
    if row["class_qid"]:
        kind += f" ({row['class_qid']}, {row['decision']}, {row['votes']} of {row['votes']} votes)"
    return (
        f"its class is {kind}; of {row['peers']} other landmarks of that class, "
        f"{row['peers_otherwise']} are officially {row['our_label']} and "
        f"{row['peers_as_official']} {row['official_label']}"
    )


def _numbers(column: pa.ChunkedArray, among: pa.ChunkedArray) -> NDArray[np.int64]:
    """Returns the number of each value among the different ones of a column; -1: it has none."""
    numbers = pc.index_in(column, value_set=pc.unique(among)).fill_null(-1)
    found: NDArray[np.int64] = numbers.to_numpy().astype(np.int64)
    return found


def _frequency(values: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns how often each of some numbers, 0 or more, is among values."""
    found, counts = np.unique(values, return_counts=True)
    if not len(found):
        return np.zeros(len(of), dtype=np.int64)
    place = np.minimum(np.searchsorted(found, of), len(found) - 1)
    return np.where(found[place] == of, counts[place], 0).astype(np.int64)
