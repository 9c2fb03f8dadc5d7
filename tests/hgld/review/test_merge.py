"""What of a sheet is new, what is a conflict, and what is refused."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.exchange import Applied
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions, read_log
from hgld.review.log.history import Decision
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    MUSEUM,
    NOTE,
    apply_sheet,
    fill_in,
    rows_of,
    write_old_log,
    write_rows,
)


@pytest.mark.fault(23, "two reviewers")
def test_a_conflict_shows_both_versions_and_who_decided_when(clustered: Workspace) -> None:
    mine = fill_in(clustered, {"Q10": NOTE, "Q23397": LAKE, "Q9": IGNORE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH, "Q9": MUSEUM}), "bob")
    before = clustered.path(DECISIONS_FILE).read_bytes()
    with pytest.raises(ConflictError, match=r"--mine.*--theirs") as caught:
        apply_sheet(clustered, mine, "ann")
    when = read_decisions(clustered)["Q10"].decided_at
    assert [conflict.split()[0] for conflict in caught.value.conflicts] == ["Q9", "Q10"]
    for words in ("'chapel'", "ignore, note 'see\\nQ5'", "'church' human-made", "'bob'", when):
        assert words in caught.value.conflicts[1]
    assert clustered.path(DECISIONS_FILE).read_bytes() == before
    assert apply_sheet(clustered, mine, "ann", prefer="theirs") == Applied(
        appended=1, unchanged=0, settled=2, undecided=1
    )
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q10": "bob",
        "Q9": "bob",
        "Q23397": "ann",
    }
    assert apply_sheet(clustered, mine, "ann", prefer="mine") == Applied(
        appended=2, unchanged=1, settled=2, undecided=1
    )
    assert {one.reviewer for one in read_decisions(clustered).values()} == {"ann"}
    assert [event.reviewer for event in read_log(clustered).events] == ["bob", "ann", "ann"]


@pytest.mark.fault(23, "two reviewers")
def test_a_note_added_to_an_old_sheet_reverts_nobody(clustered: Workspace) -> None:
    """As it went before: a second reviewer's sheet took back what the first had decided."""
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    old = fill_in(clustered, {"Q9": NOTE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE, "Q16970": IGNORE}), "ann")
    assert apply_sheet(clustered, old, "bob").appended == 1
    decisions = read_decisions(clustered)
    assert decisions["Q10"].action == decisions["Q16970"].action == "ignore"
    assert {qid: one.reviewer for qid, one in decisions.items()} == dict.fromkeys(ALL, "ann") | {
        "Q9": "bob"
    }


def test_the_merged_result_keeps_one_spelling_and_one_side(clustered: Workspace) -> None:
    natural = {"hierarchical_label": "Church", "natural_or_human_made": "natural"}
    bob = fill_in(clustered, {"Q10": natural})
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    for prefer in (None, "mine", "theirs"):
        with pytest.raises(InputError, match=r"(?i)church"):
            apply_sheet(clustered, bob, "bob", prefer=prefer)
    assert set(read_decisions(clustered)) == {"Q16970"}
    bob = fill_in(clustered, {"Q10": natural | {"natural_or_human_made": "human-made"}})
    apply_sheet(clustered, bob, "bob")
    assert read_decisions(clustered)["Q10"].hierarchical_label == "church"


def test_who_took_a_decision_back_and_who_changed_it_are_in_conflict(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE, "Q10": IGNORE}), "ann")
    bobs = fill_in(clustered, {"Q9": MUSEUM})
    clears = fill_in(clustered, {"Q9": {"action": "clear"}, "Q10": {"action": "Clear "}})
    assert apply_sheet(clustered, clears, "ann") == Applied(appended=2, unchanged=0, undecided=4)
    assert read_decisions(clustered) == {}
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


def moved(position: str) -> list[str]:
    return [
        *("", "12", position.replace("line 1", "line 2"), position.replace("line 1", "line 0")),
        position.replace("(", "(0")[:-2] + ")",
    ]


@pytest.mark.fault(25, "sheet of another log")
def test_a_row_whose_position_is_none_of_this_log_is_named(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "ann")
    sheet = fill_in(clustered, {"Q10": CHURCH})
    rows = rows_of(sheet)
    for position in moved(rows[2]["log_position"]):
        write_rows(sheet, [*rows[:2], rows[2] | {"log_position": position}])
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


def test_a_sheet_exported_from_a_log_of_an_earlier_version_is_merged(clustered: Workspace) -> None:
    old = Decision(
        decided_at="2026-11-26T09:00:00+00:00",
        reviewer="ann",
        class_qid="Q9",
        class_label="=HYPERLINK(1)",
        action="ignore",
        hierarchical_label="left over",
    )
    write_old_log(clustered, [old])
    sheet = fill_in(clustered, {"Q10": CHURCH})
    apply_sheet(clustered, fill_in(clustered, {"Q9": CHURCH}), "bob")
    assert apply_sheet(clustered, sheet, "cid") == Applied(appended=1, unchanged=1, undecided=2)
    assert {qid: one.reviewer for qid, one in read_decisions(clustered).items()} == {
        "Q9": "bob",
        "Q10": "cid",
    }


@pytest.mark.fault(28, "odd text in decisions")
def test_a_note_longer_than_a_spreadsheet_keeps_is_refused(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q9": IGNORE | {"note": "x" * 32_768}})
    with pytest.raises(InputError, match=r"row 3 \(Q9\): note"):
        apply_sheet(clustered, sheet, "ann")
    far_longer = fill_in(clustered, {"Q9": IGNORE | {"note": "x" * 200_000}})
    with pytest.raises(InputError, match="CSV"):
        apply_sheet(clustered, far_longer, "ann")
    assert read_decisions(clustered) == {}
    longest = fill_in(clustered, {"Q9": IGNORE | {"note": "x" * 32_767}})
    assert apply_sheet(clustered, longest, "ann").appended == 1
