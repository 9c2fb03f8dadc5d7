"""What is told of one level: measures, counts, labels of most errors, confusions."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement.levels import compare_level, measure
from hgld.benchmarks.labels.agreement.page import confusions
from tests.benchmarks.labels.agreement.worlds import compared

OFFICIAL: Mapping[int, str | None] = {
    **dict.fromkeys(range(8), "lake"),
    **dict.fromkeys(range(8, 11), "ocean area "),
    11: None,
    12: "museum",
}
OURS: Mapping[int, str | None] = {
    **dict.fromkeys(range(4), "church"),
    4: "boat",
    5: None,
    6: "lake",
    7: "pond",
    **dict.fromkeys(range(8, 11), "ocean area"),
    11: "lake",
    99: "lake",
}


def test_measures_equal_the_values_by_hand() -> None:
    # Of 6 officially labelled, lake and church are right once; one of them has no label of ours.
    official = ["lake", "lake", "lake", "church", "church", "tree", None, None]
    ours = ["lake", "church", None, "church", "tree", "lake", "lake", None]
    pairs = Counter(zip(official, ours, strict=True))
    found = {name: one.value for name, one in measure(pairs).items()}
    assert found["accuracy"] == 2 / 6
    assert found["accuracy_where_both"] == 2 / 5
    # lake 2*1/(3+2), church 2*1/(2+2), tree 0: it is given once, and wrongly
    assert found["macro_f1"] == pytest.approx((2 / 5 + 1 / 2 + 0) / 3)
    # Counts 1 1 0 / 0 1 1 / 1 0 0 of lake, church, tree: parts of 2, 2, 1 and of 2, 2, 1.
    assert found["b_cubed_precision"] == found["b_cubed_recall"] == pytest.approx(3 / 5)
    # No pair is together in both, 2 in each, of 10: E = 2 * 2 / 10.
    assert found["ari"] == pytest.approx((0 - 0.4) / (2 - 0.4))


def test_agreement_on_everything_is_1_and_what_is_undefined_is_nan() -> None:
    found = measure({("a", "a"): 2, ("b", "b"): 3, ("c", "c"): 1})
    assert [one.value for one in found.values()] == pytest.approx([1] * len(found))
    nothing_official = measure({(None, "a"): 1, (None, None): 1})
    assert all(math.isnan(one.value) for one in nothing_official.values())
    nothing_of_ours = measure({("a", None): 2})
    assert (nothing_of_ours["accuracy"].value, nothing_of_ours["macro_f1"].value) == (0, 0)
    assert math.isnan(nothing_of_ours["b_cubed_f1"].value)


def test_counts_are_of_the_landmarks_in_both_and_labels_have_an_example_of_each_error(
    tmp_path: Path,
) -> None:
    landmarks, _ = compared(tmp_path, OFFICIAL, OURS)
    level = compare_level("hierarchical_label", landmarks)
    (counts,) = level.coverage.values()
    assert list(counts.values()) == [12, 10, 4, 1, 1, 0]
    assert level.measures["accuracy"].value == 4 / 11
    assert ("lake", "church", 4) in level.pairs
    assert sum(count for _, _, count in level.pairs) == 12
    worst, *others = level.labels
    assert (worst.label, worst.landmarks, worst.same, worst.unlabelled) == ("lake", 8, 1, 1)
    assert (worst.recall, worst.precision, worst.errors) == (1 / 8, 1.0, 7)
    found = [(one["landmark_id"], one["our_label"]) for one in worst.examples]
    assert found == [(0, "church"), (5, None), (4, "boat"), (7, "pond")]
    # Those that only we give are there with no landmark of theirs.
    assert {one.label: (one.landmarks, one.ours, one.errors) for one in others} == {
        "ocean area": (3, 3, 0),
        "boat": (0, 1, 0),
        "church": (0, 4, 0),
        "pond": (0, 1, 0),
    }
    # natural: 8 lakes and 3 ocean areas, of which we have 1 and 3; pond has no side
    side = compare_level("natural_or_human_made", landmarks)
    assert [(one.label, one.errors) for one in side.labels] == [("natural", 7), ("human-made", 0)]


def test_confusions_have_a_row_for_each_official_label(tmp_path: Path) -> None:
    official = dict(enumerate(["lake", "lake", "lake", "lake", "church", "church", None]))
    ours = dict(enumerate(["lake", "lake", "lake", None, "pond", "lake", "lake"]))
    landmarks, _ = compared(tmp_path, official, ours)
    found, left_out = confusions(compare_level("hierarchical_label", landmarks))
    counts = {label: [cell.count for cell in row] for label, row in found.rows}
    lake, church = (found.columns.index(label) for label in ("lake", "church"))
    assert found.columns[2:] == ("another label", "no label")
    assert (counts["lake"][lake], counts["lake"][2:]) == (3, [0, 1])
    assert (counts["church"][lake], counts["church"][2:]) == (1, [1, 0])
    assert counts["church"][church] == left_out == 0
