"""A sheet in again: one event, merged with what others decided since."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.applying import (
    Applied,
    ApplyChoices,
    apply_file,
    preview_file,
)
from hgld.review.exporting import export_file
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    append_decisions,
    append_event,
    read_decisions,
    read_log,
)
from hgld.review.log.events import check_text
from hgld.review.log.undoing import undo
from hgld.review.names import plain_text
from tests.hgld.test_csv_cells import AWKWARD
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    MUSEUM,
    NOTE,
    apply_sheet,
    decision_of,
    fill_in,
    rows_of,
    write_rows,
)

WHEN = "2026-11-26T09:00:00+00:00"
BLANK = dict.fromkeys(("action", "hierarchical_label", "natural_or_human_made", "note"), "")
CLEAR = {"action": "clear"}
NATURAL = {"natural_or_human_made": "natural"}


def log_bytes(workspace: Workspace) -> bytes:
    path = workspace.path(DECISIONS_FILE)
    return path.read_bytes() if path.exists() else b""


def contents(workspace: Workspace) -> dict[str, tuple[str | None, ...]]:
    return {qid: one.content for qid, one in read_decisions(workspace).items()}


def reviewers(workspace: Workspace) -> dict[str, str]:
    return {qid: one.reviewer for qid, one in read_decisions(workspace).items()}


def test_a_sheet_is_one_event_which_one_undo_takes_back(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    before = contents(clustered)
    apply_sheet(clustered, fill_in(clustered, ALL | {"Q10": MUSEUM, "Q16970": MUSEUM}), " Ann  B ")
    event = read_log(clustered).events[-1]
    assert (event.event, event.reviewer, event.seen) == ("sheet", "Ann B", 1)
    assert event.why == "sheet-1.csv"
    assert [(each.effect, dict(each.classes)) for each in event.changes] == [
        ("assign", {"Q16970": "church building", "Q10": "chapel"}),
        ("ignore", {"Q9": "=HYPERLINK(1)"}),
        ("assign", {"Q23397": "lake"}),
    ]
    toggle = undo(read_log(clustered).events, "Ann B")
    assert toggle is not None
    append_event(clustered, toggle.signed("Ann B", WHEN))
    assert contents(clustered) == before


def test_a_sheet_of_rows_that_were_exported_at_several_times_keeps_the_first(
    clustered: Workspace,
) -> None:
    early = {row["class_qid"]: row for row in rows_of(fill_in(clustered, {}))}
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    late = fill_in(clustered, {"Q23397": LAKE})
    rows = [row for row in rows_of(late) if row["class_qid"] != "Q10"]
    write_rows(late, [*rows, early["Q10"] | CHURCH])
    apply_sheet(clustered, late, "bob")
    assert read_log(clustered).events[-1].seen == 0


def test_applying_a_sheet_again_appends_nothing_and_a_changed_row_one_line(
    clustered: Workspace,
) -> None:
    sheet = fill_in(clustered, ALL)
    apply_sheet(clustered, sheet, "ann")
    before = log_bytes(clustered)
    assert apply_sheet(clustered, sheet, "bob") == Applied(appended=0, unchanged=4, undecided=0)
    rewritten = {
        "Q23397": {"action": "Assign", "hierarchical_label": "OCEAN  AREA"},
        "Q10": {"natural_or_human_made": "Human made"},
    }
    assert apply_sheet(clustered, fill_in(clustered, rewritten), "bob").appended == 0
    assert log_bytes(clustered) == before
    assert apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "bob").appended == 1
    assert log_bytes(clustered).startswith(before)
    assert contents(clustered)["Q10"][0] == "ignore"


def test_clear_takes_a_decision_back(clustered: Workspace) -> None:
    empty = fill_in(clustered, {"Q10": CLEAR})
    assert apply_sheet(clustered, empty, "ann") == Applied(appended=0, unchanged=1, undecided=4)
    assert log_bytes(clustered) == b""
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    cleared = fill_in(clustered, {"Q10": CLEAR, "Q9": BLANK | {"action": " CLEAR"}})
    assert apply_sheet(clustered, cleared, "bob") == Applied(appended=2, unchanged=2, undecided=2)
    assert set(read_decisions(clustered)) == {"Q16970", "Q23397"}
    (change,) = read_log(clustered).events[-1].changes
    assert (change.effect, set(change.classes)) == ("clear", {"Q10", "Q9"})
    assert apply_sheet(clustered, cleared, "bob") == Applied(appended=0, unchanged=4, undecided=2)


def test_a_row_that_was_blanked_is_asked_about_unless_its_decision_is_gone(
    clustered: Workspace,
) -> None:
    blank_from_the_start = fill_in(clustered, {})
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    assert apply_sheet(clustered, blank_from_the_start, "bob").appended == 0
    blanked = fill_in(clustered, {"Q10": BLANK, "Q9": BLANK | {"action": " "}})
    cleared = fill_in(clustered, {"Q10": CLEAR, "Q9": CLEAR})
    with pytest.raises(InputError) as caught:
        apply_sheet(clustered, blanked, "bob")
    for words in ("row 3 (Q9)", "row 4 (Q10)", "'church'", "clear"):
        assert words in str(caught.value)
    apply_sheet(clustered, cleared, "ann")
    assert apply_sheet(clustered, blanked, "bob").appended == 0


def test_a_reviewer_has_a_name_and_a_file_any(clustered: Workspace, tmp_path: Path) -> None:
    sheet = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sh\xf8.csv"))
    sheet.write_bytes(fill_in(clustered, {"Q10": IGNORE}).read_bytes())
    for name in (" ", "j\udcf8rn", "a\x1b[31mb"):
        with pytest.raises(InputError, match="reviewer"):
            apply_sheet(clustered, sheet, name)
    assert apply_sheet(clustered, sheet, "ann").appended == 1
    assert read_log(clustered).events[-1].why == "sh?.csv"


@given(AWKWARD, AWKWARD, AWKWARD)
@settings(
    max_examples=20,
    deadline=None,  # each writes and flushes files
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # emptied below
)
def test_texts_of_any_characters_survive_sheet_log_and_sheet(
    workspace: Workspace, tmp_path: Path, class_label: str, label: str, note: str
) -> None:
    for one in (label, note):
        try:
            check_text("x", one)
        except ValueError:
            assume(False)
    shutil.rmtree(workspace.path("review"), ignore_errors=True)
    write_proposals(workspace, [{"class_qid": "Q1", "class_label": class_label}])
    sheet = tmp_path / "sheet.csv"
    sheet.unlink(missing_ok=True)
    export_file(workspace, sheet)
    (row,) = rows_of(sheet)
    cells = {"hierarchical_label": f"x{label}", "natural_or_human_made": "natural"}
    write_rows(sheet, [row | cells | {"note": f"x{note}"}])
    apply_file(workspace, sheet, "ann", ApplyChoices(meant=[f"x{label}"]))
    decision = read_decisions(workspace)["Q1"]
    assert decision.class_label == class_label
    # What was typed into a sheet has single spaces and typed quotes, what a program wrote its own.
    assert (decision.hierarchical_label, decision.note) == (plain_text(f"x{label}"), f"x{note}")
    append_decisions(workspace, [replace(decision, hierarchical_label=f" x{label}")])
    sheet.unlink()
    export_file(workspace, sheet)
    assert apply_sheet(workspace, sheet, "ann") == Applied(appended=0, unchanged=1, undecided=0)
    assert read_decisions(workspace)["Q1"].hierarchical_label == f" x{label}"


@pytest.mark.fault(23, "two reviewers")
def test_a_conflict_shows_all_versions_and_who_decided_when(clustered: Workspace) -> None:
    mine = fill_in(clustered, {"Q10": NOTE, "Q23397": LAKE, "Q9": IGNORE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH, "Q9": MUSEUM}), "bob")
    before = log_bytes(clustered)
    with pytest.raises(ConflictError, match=r"--mine.*--theirs") as caught:
        apply_sheet(clustered, mine, "ann")
    when = read_decisions(clustered)["Q10"].decided_at
    assert [conflict.split()[0] for conflict in caught.value.conflicts] == ["Q9", "Q10"]
    for words in ("'chapel'", "open", "ignore, note 'see\\nQ5'", "'church' human-made", "'bob'"):
        assert words in caught.value.conflicts[1]
    assert when in caught.value.conflicts[1]
    assert log_bytes(clustered) == before
    assert apply_sheet(clustered, mine, "ann", prefer="theirs") == Applied(
        appended=1, unchanged=0, settled=2, undecided=1
    )
    assert reviewers(clustered) == {"Q10": "bob", "Q9": "bob", "Q23397": "ann"}
    assert apply_sheet(clustered, mine, "ann", prefer="mine") == Applied(
        appended=2, unchanged=1, settled=2, undecided=1
    )
    assert set(reviewers(clustered).values()) == {"ann"}


@pytest.mark.fault(23, "two reviewers")
def test_a_note_added_to_an_old_sheet_reverts_nobody(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    old = fill_in(clustered, {"Q9": NOTE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE, "Q16970": IGNORE}), "ann")
    assert apply_sheet(clustered, old, "bob").appended == 1
    assert {contents(clustered)[qid][0] for qid in ("Q10", "Q16970")} == {"ignore"}
    assert reviewers(clustered) == dict.fromkeys(ALL, "ann") | {"Q9": "bob"}


def test_who_took_a_decision_back_and_who_changed_it_are_in_conflict(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE, "Q10": IGNORE}), "ann")
    bobs = fill_in(clustered, {"Q9": MUSEUM})
    clears = fill_in(clustered, {"Q9": CLEAR, "Q10": {"action": "Clear "}})
    apply_sheet(clustered, clears, "ann")
    with pytest.raises(ConflictError) as caught:
        apply_sheet(clustered, bobs, "bob")
    (conflict,) = caught.value.conflicts
    assert conflict.startswith("Q9 '=HYPERLINK(1)'")
    assert "'museum' human-made" in conflict
    assert apply_sheet(clustered, bobs, "bob", prefer="mine").appended == 1
    assert apply_sheet(clustered, clears, "ann", prefer="theirs") == Applied(
        appended=0, unchanged=1, undecided=3, settled=1
    )
    assert set(read_decisions(clustered)) == {"Q9"}


def test_a_sheet_survives_sorting_missing_rows_and_other_line_breaks(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": NOTE | {"note": "a\nb\nc"}}), "ann")
    sheet = fill_in(clustered, {"Q10": CHURCH})
    rows = [row for row in reversed(rows_of(sheet)) if row["class_qid"] != "Q23397"]
    for row in rows:
        row["note"] = row["note"].replace("\n", "\r\n")
        row["log_position"] = f" {row['log_position']} "
    write_rows(sheet, rows)
    assert apply_sheet(clustered, sheet, "bob").appended == 1
    assert read_decisions(clustered)["Q9"].reviewer == "ann"


@pytest.mark.fault(25, "sheet of another log")
def test_a_row_whose_position_is_none_of_this_log_is_named(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    sheet = fill_in(clustered, {"Q10": CHURCH})
    rows = rows_of(sheet)
    position = rows[2]["log_position"]
    lines = [position.replace("line 1", f"line {number}") for number in (0, 2)]
    for wrong in ("", "12", *lines, position.replace("(", "(0")[:-2] + ")"):
        write_rows(sheet, [*rows[:2], rows[2] | {"log_position": wrong}])
        with pytest.raises(InputError, match=r"row 4 \(Q10\): log_position"):
            apply_sheet(clustered, sheet, "ann")
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    apply_sheet(other, fill_in(other, {"Q9": NOTE}), "ann")
    with pytest.raises(InputError, match="log_position"):
        apply_sheet(clustered, fill_in(other, {"Q10": CHURCH}), "ann")
    assert set(read_decisions(clustered)) == {"Q9"}
    write_rows(sheet, rows)
    assert apply_sheet(clustered, sheet, "ann").appended == 1


def files_of(workspace: Workspace) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}


def test_a_preview_lists_super_categories_that_differ_and_writes_nothing(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    sheet = fill_in(clustered, {"Q23397": MUSEUM, "Q9": CHURCH, "Q10": CLEAR})
    before = files_of(clustered)
    applied, changes = preview_file(clustered, sheet)
    assert applied == Applied(appended=3, unchanged=1, undecided=1)
    assert changes == [
        "church (human-made): 2 -> 2 classes, 11 -> 11 landmarks",
        "museum (human-made): 0 -> 1 classes, 0 -> 4 landmarks",
        "ocean area  (natural): 1 -> 0 classes, 4 -> 0 landmarks",
    ]
    assert files_of(clustered) == before
    assert apply_sheet(clustered, sheet, "ann") == applied
    assert preview_file(clustered, fill_in(clustered, {}))[1] == []
    with pytest.raises(InputError, match="row 4"):
        preview_file(clustered, fill_in(clustered, {"Q10": {"action": "asign"}}))


def test_a_preview_counts_a_landmark_of_two_classes_once_and_shows_a_new_side(
    clustered: Workspace,
) -> None:
    pairs = [("Q16970", "church building"), ("Q10", "chapel")]
    rows = class_rows({("train", 1): pairs, ("train", 2): pairs[:1], ("index", 1): pairs[1:]})
    write_scrape(clustered, rows)
    append_decisions(clustered, [decision_of(qid, CHURCH, "ann") for qid, _ in pairs])
    sheet = fill_in(clustered, {qid: CHURCH | NATURAL for qid, _ in pairs})
    assert preview_file(clustered, sheet)[1] == [
        "church (human-made): 2 -> 0 classes, 3 -> 0 landmarks",
        "church (natural): 0 -> 2 classes, 0 -> 3 landmarks",
    ]
