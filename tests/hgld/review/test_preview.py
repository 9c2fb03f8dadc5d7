"""What a file would do, told before it does."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.exchange import Applied, SuperCategoryChange, export_file, preview_file
from hgld.review.log.decisions import append_decisions
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    MUSEUM,
    apply_sheet,
    decision_of,
    fill_in,
)


def told(one: SuperCategoryChange) -> tuple[object, ...]:
    classes = one.classes_before, one.classes_after
    landmarks = one.landmarks_before, one.landmarks_after
    return one.change, one.hierarchical_label, one.natural_or_human_made, classes, landmarks


def files_of(workspace: Workspace) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}


def test_super_categories_that_are_new_vanish_or_change_are_told_with_their_counts(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    natural = MUSEUM | {"natural_or_human_made": "human-made"}
    sheet = fill_in(clustered, {"Q23397": natural, "Q9": CHURCH, "Q10": {"action": "clear"}})
    before = files_of(clustered)
    applied, changes = preview_file(clustered, sheet)
    assert applied == Applied(appended=3, unchanged=1, undecided=1)
    assert [told(change) for change in changes] == [
        ("new", "museum", "human-made", (0, 1), (0, 4)),
        ("vanished", "ocean area ", "natural", (1, 0), (4, 0)),
        ("changed", "church", "human-made", (2, 2), (11, 11)),
    ]
    assert files_of(clustered) == before
    assert apply_sheet(clustered, sheet, "ann") == applied


def test_a_side_that_changes_is_told(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    natural = CHURCH | {"natural_or_human_made": "natural"}
    _, changes = preview_file(clustered, fill_in(clustered, {"Q16970": natural}))
    (change,) = changes
    assert told(change) == ("changed", "church", "natural", (1, 1), (9, 9))
    assert change.side_before == "human-made"
    assert "human-made -> natural" in change.words()


def test_a_landmark_of_two_classes_counts_once_where_the_build_lists_landmarks(
    clustered: Workspace,
) -> None:
    pairs = [("Q16970", "church building"), ("Q10", "chapel")]
    rows = class_rows({("train", 1): pairs, ("train", 2): pairs[:1], ("index", 1): pairs[1:]})
    write_scrape(clustered, rows)
    _, changes = preview_file(clustered, fill_in(clustered, {"Q16970": CHURCH, "Q10": CHURCH}))
    (change,) = changes
    assert (change.classes_after, change.landmarks_after) == (2, 3)


def test_where_nothing_would_change_nothing_is_told(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    applied, changes = preview_file(clustered, fill_in(clustered, {}))
    assert changes == []
    assert applied == Applied(appended=0, unchanged=4, undecided=0)


def test_a_file_that_would_be_refused_is_refused(clustered: Workspace) -> None:
    wrong = fill_in(clustered, {"Q10": {"action": "asign"}})
    with pytest.raises(InputError, match="row 4"):
        preview_file(clustered, wrong)
    mine = fill_in(clustered, {"Q10": IGNORE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "bob")
    with pytest.raises(ConflictError):
        preview_file(clustered, mine)


def test_the_events_and_the_taxonomy_of_another_build_are_told_as_well(
    clustered: Workspace, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    cells = {"Q10": CHURCH, "Q23397": LAKE | {"action": "assign"}}
    append_decisions(other, [decision_of(qid, one, "ann") for qid, one in cells.items()])
    for name in ("all.jsonl", "all.ttl"):
        export_file(other, tmp_path / name)
        applied, changes = preview_file(clustered, tmp_path / name)
        assert applied == Applied(appended=2, unchanged=0, undecided=2)
        assert [(one.change, one.hierarchical_label) for one in changes] == [
            ("new", "church"),
            ("new", "ocean area "),
        ]
    assert not clustered.path("review").exists()


def test_a_name_of_an_old_log_does_nothing_to_the_terminal(clustered: Workspace) -> None:
    odd = MUSEUM | {"hierarchical_label": "mu\x1b[2Jseum"}
    append_decisions(clustered, [decision_of("Q10", odd, "ann")])
    _, changes = preview_file(clustered, fill_in(clustered, {"Q10": CHURCH}))
    assert [change.hierarchical_label for change in changes] == ["church", "mu\x1b[2Jseum"]
    assert r"mu\x1b[2Jseum" in changes[1].words()
