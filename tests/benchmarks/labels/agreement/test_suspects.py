"""Which official rows look wrong, and on what evidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from hgld.benchmarks.labels.agreement.label_files import read_label_files, side_by_side
from hgld.benchmarks.labels.agreement.suspects import find_suspects, with_classes, without_classes
from hgld.engine.workspace import Workspace
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.agreement.worlds import category_of, write_labelled_build, write_labels

MUSEUMS = {landmark_id: ["Q3"] for landmark_id in range(1, 12)}
ALL_MUSEUM: dict[int, str | None] = dict.fromkeys(MUSEUMS, "museum")


def find(
    workspace: Workspace,
    official: Mapping[int, str | None],
    classes: Mapping[int, list[str]] = MUSEUMS,
    *,
    peers: int = 10,
    rare_share: float = 0.1,
) -> list[dict[str, Any]]:
    """Returns the suspects of a build with these classes."""
    write_labelled_build(workspace, classes)
    files = [
        write_labels(workspace.root.parent / "official.csv", official),
        workspace.path("annotations/train_label_to_hierarchical.csv"),
    ]
    labels = with_classes(
        side_by_side(*(read_label_files({"train": path}) for path in files)), workspace
    )
    found = find_suspects(labels, peers=peers, rare_share=rare_share)
    assert found.schema == SUSPECTS.schema
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def test_one_that_differs_from_its_peers_is_found_with_all_evidence(workspace: Workspace) -> None:
    (row,) = find(workspace, ALL_MUSEUM | {7: "boat"})
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
        "evidence": (
            "its class is museum (Q3, assigned, 1 of 1 votes); of 10 other landmarks of that "
            "class, 10 are officially museum and 0 boat"
        ),
    }


def test_too_few_peers_tell_nothing(workspace: Workspace) -> None:
    assert find(workspace, ALL_MUSEUM | {7: "boat"}, peers=11) == []


def test_a_difference_on_a_whole_class_is_no_finding(workspace: Workspace) -> None:
    assert find(workspace, dict.fromkeys(MUSEUMS, "boat")) == []


def test_one_in_ten_is_not_below_a_tenth(workspace: Workspace) -> None:
    official = ALL_MUSEUM | {7: "boat", 8: "boat"}
    assert find(workspace, official) == []  # 1 of the 10 others has it too
    found = find(Workspace(workspace.root / "again"), official, rare_share=0.11)
    assert [row["landmark_id"] for row in found] == [7, 8]
    assert {row["peers_as_official"] for row in found} == {1}


def test_a_class_whose_official_labels_are_many_accuses_none(workspace: Workspace) -> None:
    # Of the 10 others, 5 are as ours: no majority says what the class is.
    official = ALL_MUSEUM | {1: "boat", 2: "church", 3: "lake", 4: "x", 5: "y", 6: "z"}
    assert find(workspace, official) == []


def test_a_blank_official_label_is_not_wrong(workspace: Workspace) -> None:
    assert find(workspace, ALL_MUSEUM | {7: None}) == []


def test_a_dissenting_class_excuses_the_official_label(workspace: Workspace) -> None:
    # Two votes to one for museum; the ignored class of 8 has no vote, and is none against.
    classes = MUSEUMS | {7: ["Q3", "Q5"], 8: ["Q3", "Q4"]}
    found = find(workspace, ALL_MUSEUM | {7: "boat", 8: "church"}, classes, peers=5)
    assert [(row["landmark_id"], row["votes"], row["votes_against"]) for row in found] == [
        (8, 1, 0)
    ]


def test_a_side_that_contradicts_its_label_is_found_whatever_ours_is(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "official.csv", dict.fromkeys(range(1, 13), "ocean area "))
    text = path.read_text(encoding="utf-8").replace(
        "Place_3,,ocean area ,natural", "Place_3,,ocean area ,human-made"
    )
    path.write_text(text, encoding="utf-8")
    nothing = write_labels(tmp_path / "ours.csv", dict.fromkeys(range(1, 13)))
    tables = [read_label_files({"train": each}) for each in (path, nothing)]
    labels = without_classes(side_by_side(*tables))
    (row,) = find_suspects(labels, peers=10, rare_share=0.1).to_pylist()
    assert (row["landmark_id"], row["reason"], row["our_label"]) == (3, "side", None)
    assert (row["peers"], row["peers_as_official"], row["peers_otherwise"]) == (11, 0, 11)
    assert row["evidence"] == (
        "11 of 11 other landmarks that are officially ocean area are not human-made"
    )


def test_without_a_build_the_texts_of_classes_stand_in(tmp_path: Path) -> None:
    texts = dict.fromkeys(MUSEUMS, "art museum")
    files = [
        write_labels(tmp_path / "official.csv", ALL_MUSEUM | {7: "boat"}),
        write_labels(tmp_path / "ours.csv", ALL_MUSEUM, texts=texts),
    ]
    labels = without_classes(side_by_side(*(read_label_files({"train": path}) for path in files)))
    (row,) = find_suspects(labels, peers=10, rare_share=0.1).to_pylist()
    assert (row["landmark_id"], row["class_qid"], row["votes"]) == (7, None, None)
    assert row["evidence"].startswith("its class is art museum; of 10 other landmarks")


def test_nothing_to_compare_finds_nothing(tmp_path: Path) -> None:
    files = [write_labels(tmp_path / name, {1: None}) for name in ("official.csv", "ours.csv")]
    labels = without_classes(side_by_side(*(read_label_files({"train": path}) for path in files)))
    found = find_suspects(labels, peers=1, rare_share=0.1)
    assert (len(found), found.schema) == (0, SUSPECTS.schema)


def test_a_label_that_no_class_speaks_for_is_no_evidence(workspace: Workspace) -> None:
    """Such as one that was filled from pictures: every class of the landmark is ignored."""
    write_labelled_build(workspace, {landmark_id: ["Q4"] for landmark_id in MUSEUMS})
    folder = workspace.root.parent
    files = [
        write_labels(folder / "official.csv", ALL_MUSEUM | {7: "boat"}),
        write_labels(folder / "ours.csv", ALL_MUSEUM),
    ]
    labels = with_classes(
        side_by_side(*(read_label_files({"train": path}) for path in files)), workspace
    )
    assert set(labels["votes"].to_pylist()) == set(labels["votes_against"].to_pylist()) == {0}
    assert len(find_suspects(labels, peers=10, rare_share=0.1)) == 0


def test_landmarks_without_a_class_stay(workspace: Workspace) -> None:
    write_labelled_build(workspace, {1: ["Q1"], 2: []})
    files = [
        write_labels(workspace.root.parent / "official.csv", {1: "lake", 2: "lake"}),
        workspace.path("annotations/train_label_to_hierarchical.csv"),
    ]
    labels = with_classes(
        side_by_side(*(read_label_files({"train": path}) for path in files)), workspace
    )
    assert labels["class_qid"].to_pylist() == ["Q1", None]
    assert labels["votes"].to_pylist() == [1, None]
    assert isinstance(labels, pa.Table)
