"""Measures of a level, labels of most errors, confusions, and official rows that look wrong."""

import math
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels import findings
from hgld.benchmarks.labels.findings import compare_level, confusions, find_suspects, measure
from hgld.benchmarks.labels.label_files import (
    ComparedLandmark,
    read_label_files,
    side_by_side,
    with_classes,
)
from hgld.engine.workspace import Workspace
from tests.benchmarks.labels.label_worlds import compared, write_labelled_build

MUSEUMS = range(1, 12)


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
    # No pair is together in both, 2 in each, of 10: E = 2 * 2 / 10.
    assert found["ari"] == pytest.approx((0 - 0.4) / (2 - 0.4))


def test_agreement_on_everything_is_1_and_what_is_undefined_is_nan() -> None:
    found = measure({("a", "a"): 2, ("b", "b"): 3, ("c", "c"): 1})
    assert [one.value for one in found.values()] == pytest.approx([1] * len(found))
    nothing_official = measure({(None, "a"): 1, (None, None): 1})
    assert all(math.isnan(one.value) for one in nothing_official.values())
    nothing_of_ours = measure({("a", None): 2})
    assert (nothing_of_ours["accuracy"].value, nothing_of_ours["macro_f1"].value) == (0, 0)
    assert math.isnan(nothing_of_ours["ari"].value)


def test_counts_are_of_the_landmarks_in_both_and_labels_have_an_example_of_each_error(
    tmp_path: Path,
) -> None:
    official = [*["lake"] * 8, *["ocean area "] * 3, None, "museum"]
    ours = [*["church"] * 4, "boat", None, "lake", "pond", *["ocean area"] * 3, "lake"]
    landmarks, _ = compared(tmp_path, dict(enumerate(official)), dict(enumerate(ours)))
    level = compare_level("hierarchical_label", landmarks)
    assert list(level.coverage.values()) == [10, 1, 1, 0]
    assert level.measures["accuracy"].value == 4 / 11
    assert ("lake", "church", 4) in level.pairs
    assert sum(count for _, _, count in level.pairs) == 12
    worst, *others = level.labels
    assert (worst.label, worst.landmarks, worst.same, worst.unlabelled) == ("lake", 8, 1, 1)
    assert (worst.ours, worst.errors) == (1, 7)
    found = [(one["landmark_id"], one["our_label"]) for one in worst.examples]
    assert found == [(0, "church"), (5, None), (4, "boat"), (7, "pond")]
    # Those that only we give are there with no landmark of theirs.
    told = [(one.label, one.landmarks, one.ours, one.errors) for one in others]
    assert told[:2] == [("boat", 0, 1, 0), ("church", 0, 4, 0)]
    assert told[2:] == [("ocean area", 3, 3, 0), ("pond", 0, 1, 0)]
    heat = confusions(level)
    assert heat.columns == ("lake", "ocean area", "no label", "another label")
    shown = {label: [cell.count for cell in row] for label, row in heat.rows}
    assert shown == {"lake": [1, 0, 1, 6], "ocean area": [0, 3, 0, 0]}
    # natural: 8 lakes and 3 ocean areas, of which we have 1 and 3; pond has no side
    side = compare_level("natural_or_human_made", landmarks)
    assert [(one.label, one.errors) for one in side.labels] == [("natural", 7), ("human-made", 0)]


def museums(official: dict[int, str], **seventh: object) -> list[ComparedLandmark]:
    """Returns museums of which some are officially something else, and the seventh is changed."""
    museum = ComparedLandmark(
        "train", 0, "", "museum", "human-made", "museum", "human-made", "museum",
        "Q3", "assigned", 1, 0,
    )  # fmt: skip
    landmarks = [
        museum._replace(landmark_id=one, official_label=official.get(one, "museum"))
        for one in MUSEUMS
    ]
    landmarks[6] = landmarks[6]._replace(**seventh)  # type: ignore[arg-type]  # its fields
    return landmarks


def test_one_that_differs_from_its_peers_is_found_with_all_evidence() -> None:
    landmarks = museums({7: "boat"})
    found, tested = find_suspects(landmarks)
    (row,) = found.to_pylist()
    assert "10 are officially museum and 0 boat" in row.pop("evidence")
    counts = {"peers": 10, "peers_as_official": 0, "peers_otherwise": 10}
    assert row == {**landmarks[6]._asdict(), **counts, "reason": "peers"}
    assert tested == {"peers": 11, "side": 0}  # of ten museums each has nine others
    # Where no build is known, the texts of classes stand in.
    unknown = dict.fromkeys(("class_qid", "decision", "votes", "votes_against"))
    texts = [one._replace(**unknown) for one in landmarks]  # type: ignore[arg-type]
    (row,) = find_suspects(texts)[0].to_pylist()
    assert (row["landmark_id"], row["class_qid"], row["class_label"]) == (7, None, "museum")


@pytest.mark.parametrize(
    ("official", "peers", "seventh", "tested"),
    [
        ({7: "boat"}, 11, {}, 0),  # too few tell nothing, and are not counted as tested
        (dict.fromkeys(MUSEUMS, "boat"), 10, {}, 11),  # the whole class is read otherwise
        ({7: "boat", 8: "boat"}, 10, {}, 11),  # one other in ten is not fewer than a tenth
        ({one: f"x{one}" for one in range(1, 7)}, 10, {}, 11),  # no majority is as ours
        ({7: "boat"}, 10, {"votes_against": 1}, 11),  # a class of it speaks for another label
        ({7: "boat"}, 10, {"votes": 0}, 11),  # no class of it speaks for ours: a fill
        ({7: "boat"}, 9, {"class_qid": None, "class_label": None}, 10),
    ],
)
def test_what_is_no_finding(
    official: dict[int, str],
    peers: int,
    seventh: dict[str, object],
    tested: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "PEERS", peers)
    found, counts = find_suspects(museums(official, **seventh))
    assert (len(found), counts["peers"]) == (0, tested)


def test_a_side_that_contradicts_its_label_is_found_whatever_ours_is() -> None:
    landmarks = museums({}, official_natural_or_human_made="natural", our_label=None)
    found, tested = find_suspects(landmarks)
    (row,) = found.to_pylist()
    assert (row["landmark_id"], row["reason"], row["our_label"]) == (7, "side", None)
    assert (row["peers"], row["peers_as_official"], row["peers_otherwise"]) == (10, 0, 10)
    assert tested == {"peers": 11, "side": 11}


def test_a_landmark_of_a_build_has_its_class_and_votes(workspace: Workspace) -> None:
    # Q3 and Q5 speak for different labels, Q4 for none.
    classes = {1: ["Q3", "Q5"], 2: ["Q3", "Q4"], 3: ["Q4"], 4: []}
    write_labelled_build(workspace, classes)
    path = workspace.path("annotations/train_label_to_hierarchical.csv")
    rows = read_label_files({"train": path})
    told = {one.landmark_id: one for one in with_classes(side_by_side(rows, rows), workspace)}
    votes = {key: (one.votes, one.votes_against) for key, one in told.items()}
    assert votes == {1: (1, 1), 2: (1, 0), 3: (0, 0), 4: (None, None)}
    assert (told[2].class_qid, told[2].class_label) == ("Q3", "museum")
    assert told[4].class_label is None
