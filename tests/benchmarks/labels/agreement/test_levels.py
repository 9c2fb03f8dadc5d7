"""What is told of one level: counts, labels of most errors and their examples, spellings."""

from collections.abc import Mapping
from pathlib import Path

from hgld.benchmarks.labels.agreement.levels import compare_level
from hgld.benchmarks.labels.agreement.results import Coverage, LevelAgreement, PairCount
from hgld.benchmarks.labels.agreement.suspects import without_classes
from tests.benchmarks.labels.agreement.worlds import category_of, labels_table


def level_of(
    folder: Path,
    official: Mapping[int, str | None],
    ours: Mapping[int, str | None],
    column: str = "hierarchical_label",
) -> LevelAgreement:
    first, second, rows = labels_table(folder, official, ours)
    columns = (first[column], second[column])
    return compare_level(column, without_classes(rows), columns, draws=0, seed=0)


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


def test_counts_are_of_the_landmarks_in_both(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS)
    assert level.coverage == (
        Coverage(
            split="train", landmarks=12, both=10, only_official=1, only_ours=1, neither=0, same=4
        ),
    )
    assert level.estimates["accuracy"].value == 4 / 11
    assert level.title == "super-category"
    assert PairCount(official="lake", ours="church", landmarks=4) in level.pairs
    assert PairCount(official=None, ours="lake", landmarks=1) in level.pairs
    assert sum(pair.landmarks for pair in level.pairs) == 12


def test_a_label_that_lost_its_blank_is_the_same_and_said(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS)
    assert level.spelled_otherwise == (("ocean area ", "ocean area"),)
    assert [one.label for one in level.labels] == ["lake", "ocean area "]
    assert level.labels[1].errors == 0
    # The same on both sides is no difference.
    level = level_of(tmp_path, {1: "ocean area "}, {1: "ocean area "})
    assert (level.spelled_otherwise, level.labels[0].same) == ((), 1)


def test_labels_that_the_other_side_lacks_are_reported(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS)
    assert list(level.unknown.items()) == [("church", 4), ("boat", 1), ("pond", 1)]
    assert level.never_given == {}
    assert level_of(tmp_path, OURS, OFFICIAL).never_given == level.unknown


def test_examples_are_of_the_most_frequent_errors_two_of_each(tmp_path: Path) -> None:
    worst = level_of(tmp_path, OFFICIAL, OURS).labels[0]
    assert (worst.label, worst.landmarks, worst.same, worst.unlabelled) == ("lake", 8, 1, 1)
    assert (worst.recall, worst.precision, worst.errors) == (1 / 8, 1.0, 7)
    found = [(one.landmark_id, one.ours) for one in worst.examples]
    assert found == [(0, "church"), (1, "church"), (5, None), (4, "boat"), (7, "pond")]
    assert worst.examples[0].category == category_of(0)


def test_precision_counts_the_officially_labelled_alone(tmp_path: Path) -> None:
    (lake,) = level_of(
        tmp_path, {1: "lake", 2: None, 3: None}, dict.fromkeys((1, 2, 3), "lake")
    ).labels
    assert (lake.ours, lake.precision) == (1, 1.0)


def test_the_other_level_is_compared_by_itself(tmp_path: Path) -> None:
    level = level_of(tmp_path, OFFICIAL, OURS, "natural_or_human_made")
    # natural: 8 lakes and 3 ocean areas, of which we have 1 and 3; pond has no side
    assert level.estimates["accuracy"].value == 4 / 11
    assert [(one.label, one.errors) for one in level.labels] == [("natural", 7)]
    # Landmark 12 alone, which is not of ours, is human-made: the label is known all the same.
    assert level.unknown == {}
