"""Which official rows look wrong, on what evidence, and how many could be tested."""

from typing import Any

import pytest

from hgld.benchmarks.labels.agreement.label_files import (
    ComparedLandmark,
    read_label_files,
    side_by_side,
    with_classes,
)
from hgld.benchmarks.labels.agreement.suspects import find_suspects
from hgld.engine.workspace import Workspace
from tests.benchmarks.labels.agreement.worlds import category_of, write_labelled_build

MUSEUMS = range(1, 12)


def compared(official: dict[int, str], **seventh: object) -> list[ComparedLandmark]:
    """Returns museums of which some are officially something else, and the seventh is changed."""
    museum = ComparedLandmark(
        "train", 0, "", "museum", "human-made", "museum", "human-made", "museum",
        "Q3", "assigned", 1, 0,
    )  # fmt: skip
    landmarks = [
        museum._replace(
            landmark_id=one, category=category_of(one), official_label=official.get(one, "museum")
        )
        for one in MUSEUMS
    ]
    landmarks[6] = landmarks[6]._replace(**seventh)  # type: ignore[arg-type]  # its fields
    return landmarks


def find(
    official: dict[int, str], peers: int = 10, **seventh: object
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    found, tested = find_suspects(compared(official, **seventh), peers=peers)
    return found.to_pylist(), tested


def test_one_that_differs_from_its_peers_is_found_with_all_evidence() -> None:
    (row,), tested = find({7: "boat"})
    assert "10 are officially museum and 0 boat" in row.pop("evidence")
    known = compared({7: "boat"})[6]._asdict()
    counts = {"peers": 10, "peers_as_official": 0, "peers_otherwise": 10}
    assert row == {**known, **counts, "reason": "peers"}
    assert tested == {"peers": 11, "side": 0}  # of ten museums each has nine others


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
    official: dict[int, str], peers: int, seventh: dict[str, object], tested: int
) -> None:
    found, counts = find(official, peers, **seventh)
    assert (found, counts["peers"]) == ([], tested)


def test_a_side_that_contradicts_its_label_is_found_whatever_ours_is() -> None:
    (row,), tested = find({}, official_natural_or_human_made="natural", our_label=None)
    assert (row["landmark_id"], row["reason"], row["our_label"]) == (7, "side", None)
    assert (row["peers"], row["peers_as_official"], row["peers_otherwise"]) == (10, 0, 10)
    assert tested == {"peers": 11, "side": 11}


def test_without_a_build_the_texts_of_classes_stand_in() -> None:
    unknown = dict.fromkeys(("class_qid", "decision", "votes", "votes_against"))
    landmarks = [one._replace(**unknown) for one in compared({7: "boat"})]  # type: ignore[arg-type]
    (row,) = find_suspects(landmarks, peers=10)[0].to_pylist()
    assert (row["landmark_id"], row["class_qid"], row["class_label"]) == (7, None, "museum")


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
