"""Which official rows look wrong, on what evidence, and how many could be tested."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hgld.benchmarks.labels.agreement.label_files import (
    read_label_files,
    side_by_side,
    with_classes,
)
from hgld.benchmarks.labels.agreement.suspects import find_suspects
from hgld.engine.workspace import Workspace
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.agreement.worlds import (
    category_of,
    compared,
    write_labelled_build,
    write_labels,
)

MUSEUMS = {landmark_id: ["Q3"] for landmark_id in range(1, 12)}
ALL_MUSEUM: dict[int, str | None] = dict.fromkeys(MUSEUMS, "museum")


def find(
    workspace: Workspace,
    official: Mapping[int, str | None],
    classes: Mapping[int, list[str]] = MUSEUMS,
    *,
    peers: int = 10,
    ours: Mapping[int, str | None] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Returns the suspects of a build with these classes, and how many were tested."""
    write_labelled_build(workspace, classes)
    files = [
        write_labels(workspace.root.parent / "official.csv", official),
        workspace.path("annotations/train_label_to_hierarchical.csv"),
    ]
    if ours is not None:
        files[1] = write_labels(workspace.root.parent / "ours.csv", ours)
    rows = [read_label_files({"train": path}) for path in files]
    found, tested = find_suspects(with_classes(side_by_side(*rows), workspace), peers=peers)
    assert found.schema == SUSPECTS.schema
    return found.to_pylist(), tested


def test_one_that_differs_from_its_peers_is_found_with_all_evidence(workspace: Workspace) -> None:
    (row,), tested = find(workspace, ALL_MUSEUM | {7: "boat"})
    assert "10 are officially museum and 0 boat" in row.pop("evidence")
    assert row == {
        "split": "train",
        "landmark_id": 7,
        "category": category_of(7),
        "reason": "peers",
        "official_label": "boat",
        "official_natural_or_human_made": "human-made",
        "our_label": "museum",
        "our_natural_or_human_made": "human-made",
        "class_qid": "Q3",
        "class_label": "museum",
        "decision": "assigned",
        "votes": 1,
        "votes_against": 0,
        "peers": 10,
        "peers_as_official": 0,
        "peers_otherwise": 10,
    }
    assert tested == {"peers": 11, "side": 0}  # of ten museums each has nine others


def test_too_few_peers_tell_nothing_and_are_not_counted_as_tested(workspace: Workspace) -> None:
    assert find(workspace, ALL_MUSEUM | {7: "boat"}, peers=11) == ([], {"peers": 0, "side": 0})


MANY = ALL_MUSEUM | {1: "boat", 2: "church", 3: "lake", 4: "x", 5: "y", 6: "z"}


@pytest.mark.parametrize(
    "official",
    [dict.fromkeys(MUSEUMS, "boat"), ALL_MUSEUM | {7: "boat", 8: "boat"}, MANY, {7: None}],
    ids=["a whole class", "one of the ten others has it too", "no majority is as ours", "blank"],
)
def test_what_is_no_finding(workspace: Workspace, official: dict[int, str | None]) -> None:
    assert find(workspace, ALL_MUSEUM | official)[0] == []


def test_a_dissenting_class_excuses_the_official_label(workspace: Workspace) -> None:
    # Two votes to one for museum; the ignored class of 8 has no vote, and is none against.
    classes = MUSEUMS | {7: ["Q3", "Q5"], 8: ["Q3", "Q4"]}
    found, _ = find(workspace, ALL_MUSEUM | {7: "boat", 8: "church"}, classes, peers=5)
    assert [(row["landmark_id"], row["votes"], row["votes_against"]) for row in found] == [
        (8, 1, 0)
    ]


def test_a_label_that_no_class_speaks_for_is_no_evidence(workspace: Workspace) -> None:
    """Such as one that was filled from pictures: every class of the landmark is ignored."""
    ignored = {landmark_id: ["Q4"] for landmark_id in MUSEUMS}
    found, tested = find(workspace, ALL_MUSEUM | {7: "boat"}, ignored, ours=ALL_MUSEUM)
    assert (found, tested["peers"]) == ([], 11)


def test_landmarks_without_a_class_stay_and_are_not_tested_by_it(workspace: Workspace) -> None:
    found, tested = find(workspace, {1: "lake", 2: "lake"}, {1: ["Q1"], 2: []}, peers=1)
    assert (found, tested) == ([], {"peers": 0, "side": 2})


def test_a_side_that_contradicts_its_label_is_found_whatever_ours_is(tmp_path: Path) -> None:
    landmarks, _ = compared(
        tmp_path, dict.fromkeys(range(1, 13), "ocean area "), dict.fromkeys(range(1, 13))
    )
    landmarks[2] = landmarks[2]._replace(official_natural_or_human_made="human-made")
    found, tested = find_suspects(landmarks, peers=10)
    (row,) = found.to_pylist()
    assert (row["landmark_id"], row["reason"], row["our_label"]) == (3, "side", None)
    assert (row["peers"], row["peers_as_official"], row["peers_otherwise"]) == (11, 0, 11)
    assert "11 of 11" in row["evidence"]
    assert tested == {"peers": 0, "side": 12}


def test_without_a_build_the_texts_of_classes_stand_in(tmp_path: Path) -> None:
    texts = dict.fromkeys(MUSEUMS, "art museum")
    landmarks, _ = compared(tmp_path, ALL_MUSEUM | {7: "boat"}, ALL_MUSEUM, texts=texts)
    found, _ = find_suspects(landmarks, peers=10)
    (row,) = found.to_pylist()
    assert (row["landmark_id"], row["class_qid"], row["votes"]) == (7, None, None)
    assert "art museum" in row["evidence"]
