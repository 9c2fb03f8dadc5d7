"""Official rows that look wrong, each with the evidence, for whoever keeps the official file.

Two criteria, either of which the file itself speaks for:

- `peers`: every class of the landmark that has a label has ours; fewer than a tenth of the other
  landmarks with the same deciding class are officially labelled as this one is, and more than half
  of them as we label it. A difference of opinion on what a class is (an aerial tramway as rail
  transportation) is no finding: there the official label is that of most.
- `side`: fewer than a tenth of the other landmarks with the same official label have this one's
  `natural_or_human_made`, which follows from the label.

A row can be tested only where there are enough others, and the counts of those that were are told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from hgld.benchmarks.labels.agreement.label_files import ComparedLandmark
from hgld.tables import SUSPECTS

_RARE, _MAJORITY = 0.1, 0.5

_Row = dict[str, object]


def find_suspects(
    landmarks: Sequence[ComparedLandmark], *, peers: int
) -> tuple[pa.Table, dict[str, int]]:
    """Finds the official rows that look wrong.

    Args:
        landmarks: where no class is known, those of the same class are those of the same text, and
            no votes are asked for.
        peers: how many other landmarks a row must be compared with at least.

    Returns:
        Rows of SUSPECTS: by reason, those of most peers first, then by split and landmark; and by
        reason how many official rows could be tested.
    """
    labelled = [one for one in landmarks if one.official_label]
    tests = {
        "peers": list(_beside_class(labelled, peers)),
        "side": list(_beside_label(labelled, peers)),
    }
    rows = [row for found in tests.values() for row in found if row is not None]
    table = pa.Table.from_pylist(rows, schema=SUSPECTS.schema)
    order = [("reason", "ascending"), ("peers", "descending")]
    keys = [("split", "ascending"), ("landmark_id", "ascending")]
    return table.sort_by([*order, *keys]), {reason: len(found) for reason, found in tests.items()}


def _beside_class(landmarks: Sequence[ComparedLandmark], least: int) -> Iterator[_Row | None]:
    """Yields of each landmark that can be tested its row, or None where nothing is wrong."""
    known = [(one.class_qid or one.class_label, one) for one in landmarks]
    sizes = Counter(kind for kind, _ in known)
    labels = Counter((kind, one.official_label) for kind, one in known)
    for kind, one in known:
        others = sizes[kind] - 1
        if kind is None or others < least:
            continue
        alike, as_ours = labels[kind, one.official_label] - 1, labels[kind, one.our_label]
        has_all_votes = one.votes is None or (one.votes > 0 and not one.votes_against)
        is_wrong = one.official_label != one.our_label and has_all_votes
        if not is_wrong or alike >= _RARE * others or as_ours <= _MAJORITY * others:
            yield None
            continue
        text = f"{one.class_label}"
        if one.class_qid:
            text += f" ({one.class_qid}, {one.decision}, {one.votes} of {one.votes} votes)"
        evidence = (
            f"its class is {text}; of {others} other landmarks of that class, {as_ours} are "
            f"officially {one.our_label} and {alike} {one.official_label}"
        )
        counts = {"peers": others, "peers_as_official": alike, "peers_otherwise": as_ours}
        yield _row(one, "peers", counts, evidence)


def _beside_label(landmarks: Sequence[ComparedLandmark], least: int) -> Iterator[_Row | None]:
    known = [
        (one.official_label, one.official_natural_or_human_made, one)
        for one in landmarks
        if one.official_natural_or_human_made
    ]
    sizes = Counter(label for label, _, _ in known)
    sides = Counter((label, side) for label, side, _ in known)
    for label, side, one in known:
        others, alike = sizes[label] - 1, sides[label, side] - 1
        if others < least:
            continue
        if alike >= _RARE * others:
            yield None
            continue
        evidence = (
            f"{others - alike} of {others} other landmarks that are officially {label} are not "
            f"{side}"
        )
        counts = {"peers": others, "peers_as_official": alike, "peers_otherwise": others - alike}
        yield _row(one, "side", counts, evidence)


def _row(one: ComparedLandmark, reason: str, counts: Mapping[str, int], evidence: str) -> _Row:
    return {**one._asdict(), **counts, "reason": reason, "evidence": evidence}
