"""What is told of one level: measures, counts, labels of most errors, spellings."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement.levels import LevelAgreement, compare_level, measure
from hgld.benchmarks.labels.agreement.page import confusions, order_by_confusion
from tests.benchmarks.labels.agreement.worlds import category_of, compared


def level_of(
    folder: Path,
    official: Mapping[int, str | None],
    ours: Mapping[int, str | None],
    column: str = "hierarchical_label",
) -> LevelAgreement:
    return compare_level(column, *compared(folder, official, ours))


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

# Of 6 officially labelled, lake and church are right once; one of them has no label of ours.
PAIRS: dict[tuple[str | None, str | None], int] = {
    ("lake", "lake"): 1,
    ("lake", "church"): 1,
    ("lake", None): 1,
    ("church", "church"): 1,
    ("church", "tree"): 1,
    ("tree", "lake"): 1,
    (None, "lake"): 1,
    (None, None): 1,
}


def test_measures_equal_the_values_by_hand() -> None:
    found = {name: one.value for name, one in measure(PAIRS).items()}
    assert found["accuracy"] == 2 / 6
    assert found["accuracy_where_both"] == 2 / 5
    # lake 2*1/(3+2), church 2*1/(2+2), tree 0: it is given once, and wrongly
    assert found["macro_f1"] == pytest.approx((2 / 5 + 1 / 2 + 0) / 3)
    # Counts 1 1 0 / 0 1 1 / 1 0 0 of lake, church, tree: parts of 2, 2, 1 and of 2, 2, 1.
    assert found["b_cubed_precision"] == found["b_cubed_recall"] == pytest.approx(3 / 5)
    # No pair is together in both, 2 in each, of 10: E = 2 * 2 / 10.
    assert found["ari"] == pytest.approx((0 - 0.4) / (2 - 0.4))


def test_an_interval_of_accuracy_is_wilsons() -> None:
    found = measure({("a", "a"): 320, ("a", "b"): 80})["accuracy"]
    z, n, p = 1.959964, 400, 0.8
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert found == pytest.approx((p, middle - half, middle + half), abs=1e-6)


def test_agreement_on_everything_is_1_in_every_measure() -> None:
    found = measure({("a", "a"): 2, ("b", "b"): 3, ("c", "c"): 1})
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        dict.fromkeys(found, 1)
    )


def test_what_is_undefined_is_nan() -> None:
    nothing_official = measure({(None, "a"): 1, (None, None): 1})
    assert all(math.isnan(one.value) for one in nothing_official.values())
    nothing_of_ours = measure({("a", None): 2})
    assert (nothing_of_ours["accuracy"].value, nothing_of_ours["macro_f1"].value) == (0, 0)
    assert math.isnan(nothing_of_ours["accuracy_where_both"].value)
    assert math.isnan(nothing_of_ours["b_cubed_f1"].value)


def test_counts_are_of_the_landmarks_in_both(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS)
    assert level.coverage == {
        "train": {
            "landmarks": 12,
            "both": 10,
            "same": 4,
            "only_official": 1,
            "only_ours": 1,
            "neither": 0,
        }
    }
    assert level.measures["accuracy"].value == 4 / 11
    assert ("lake", "church", 4) in level.pairs
    assert (None, "lake", 1) in level.pairs
    assert sum(landmarks for _, _, landmarks in level.pairs) == 12


def test_a_label_that_lost_its_blank_is_the_same_and_said(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS)
    assert level.spelled_otherwise == (("ocean area ", "ocean area"),)
    assert {one.label: one.errors for one in level.labels}["ocean area"] == 0


def test_labels_have_counts_and_an_example_of_each_error(tmp_path: Path) -> None:
    worst, *others = level_of(tmp_path, OFFICIAL, OURS).labels
    assert (worst.label, worst.landmarks, worst.same, worst.unlabelled) == ("lake", 8, 1, 1)
    assert (worst.recall, worst.precision, worst.errors) == (1 / 8, 1.0, 7)
    found = [(one.landmark_id, one.our_label) for one in worst.examples]
    assert found == [(0, "church"), (5, None), (4, "boat"), (7, "pond")]
    assert worst.examples[0].category == category_of(0)
    # Those that only we give are there with no landmark of theirs.
    assert {one.label: one.ours for one in others if not one.landmarks} == {
        "boat": 1,
        "church": 4,
        "pond": 1,
    }


def test_the_other_level_is_compared_by_itself(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS, "natural_or_human_made")
    # natural: 8 lakes and 3 ocean areas, of which we have 1 and 3; pond has no side
    assert level.measures["accuracy"].value == 4 / 11
    assert [(one.label, one.errors) for one in level.labels] == [("natural", 7), ("human-made", 0)]


def test_confusions_have_a_row_for_each_official_label(tmp_path: Path) -> None:
    found, left_out = confusions(
        level_of(
            tmp_path,
            dict(enumerate(["lake", "lake", "lake", "lake", "church", "church", None])),
            dict(enumerate(["lake", "lake", "lake", None, "pond", "lake", "lake"])),
        )
    )
    cells = {
        (label, column): cell.count
        for label, row in found.rows
        for column, cell in zip(found.columns, row, strict=True)
        if cell.count
    }
    assert cells == {
        ("lake", "lake"): 3,
        ("lake", "no label"): 1,
        ("church", "lake"): 1,
        ("church", "another label"): 1,
    }
    assert left_out == 0


def test_labels_that_are_confused_stand_together() -> None:
    # a is taken for d, b for e; c for nothing
    counts = np.diag([9, 8, 7, 6, 5])
    counts[0, 3] = counts[4, 1] = 4
    order = "".join("abcde"[place] for place in order_by_confusion(counts))
    assert sorted(order) == list("abcde")
    assert "ad" in order or "da" in order
    assert "be" in order or "eb" in order
