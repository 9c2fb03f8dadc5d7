"""Sheets in again: what a row may say, and how it is merged with what others decided since."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.applying import Applied, ApplyChoices, Prefer, apply_file, preview_file
from hgld.review.log.decisions import append_event, check_decisions, read_decisions, read_log
from hgld.review.sheet import FILLED_IN
from tests.hgld.review.log.acts import assigned, edited, take_back
from tests.worlds.builders import write_proposals
from tests.worlds.review import sheets
from tests.worlds.review.sheets import ALL, CHURCH, CLEAR, IGNORE, LAKE, MUSEUM, decide, fill_in

NATURAL = {"natural_or_human_made": "natural"}


def log_bytes(workspace: Workspace) -> bytes:
    path = sheets.log_of(workspace)
    return path.read_bytes() if path.exists() else b""


def contents(workspace: Workspace) -> dict[str, tuple[str | None, ...]]:
    return {qid: one.content for qid, one in read_decisions(workspace).items()}


def names_of(workspace: Workspace) -> dict[str, str | None]:
    return {qid: one.hierarchical_label for qid, one in read_decisions(workspace).items()}


def test_a_sheet_is_one_event_which_one_undo_takes_back(clustered: Workspace) -> None:
    decide(clustered, {"Q10": CHURCH})
    before = contents(clustered)
    decide(clustered, ALL | {"Q10": MUSEUM, "Q16970": MUSEUM}, " Ann  B ")
    event = read_log(clustered).events[-1]
    assert (event.event, event.reviewer, event.seen) == ("sheet", "Ann B", 1)
    assert event.why == "sheet-1.csv"
    assert [(each.effect, dict(each.classes)) for each in event.changes] == [
        ("assign", {"Q16970": "church building", "Q10": "chapel"}),
        ("ignore", {"Q9": "=HYPERLINK(1)"}),
        ("assign", {"Q23397": "lake"}),
    ]
    take_back(clustered, "Ann B")
    assert contents(clustered) == before


def test_a_blanked_row_is_asked_about_unless_its_decision_is_gone(clustered: Workspace) -> None:
    decide(clustered, ALL)
    blank = dict.fromkeys(CHURCH, "")
    blanked = fill_in(clustered, {"Q10": blank, "Q9": blank | {"action": " "}})
    with pytest.raises(InputError, match=r"row 3 \(Q9\).*row 4 \(Q10\)"):
        sheets.apply_sheet(clustered, blanked, "bob")
    decide(clustered, {"Q10": CLEAR, "Q9": CLEAR})
    assert sheets.apply_sheet(clustered, blanked, "bob").appended == 0


@pytest.mark.fault(23, "two reviewers")
def test_a_conflict_shows_all_versions_and_who_decided_when(clustered: Workspace) -> None:
    mine = fill_in(clustered, {"Q10": sheets.NOTE, "Q23397": LAKE, "Q9": IGNORE})
    decide(clustered, {"Q10": CHURCH, "Q9": MUSEUM}, "bob")
    with pytest.raises(ConflictError, match=r"--mine.*--theirs") as caught:
        sheets.apply_sheet(clustered, mine, "ann")
    bobs = read_decisions(clustered)["Q10"]
    assert [conflict.split()[0] for conflict in caught.value.conflicts] == ["Q9", "Q10"]
    for words in ("open", "ignore, note 'see\\nQ5'", "'church'", "'bob'", bobs.decided_at):
        assert words in caught.value.conflicts[1]
    theirs = sheets.apply_sheet(clustered, mine, "ann", prefer="theirs")
    assert theirs == Applied(appended=1, unchanged=0, settled=2, undecided=1)


def test_a_sheet_survives_sorting_missing_rows_and_other_line_breaks(clustered: Workspace) -> None:
    decide(clustered, {"Q9": IGNORE | {"note": "a\nb\nc"}})
    sheet = fill_in(clustered, {"Q10": CHURCH})
    rows = [row for row in reversed(sheets.rows_of(sheet)) if row["class_qid"] != "Q23397"]
    for row in rows:
        row["note"] = row["note"].replace("\n", "\r\n")
        row["log_position"] = f" {row['log_position']} "
    sheets.write_rows(sheet, rows)
    assert sheets.apply_sheet(clustered, sheet, "bob").appended == 1
    assert read_decisions(clustered)["Q9"].reviewer == "ann"


@pytest.mark.fault(25, "sheet of another log")
def test_a_row_whose_position_is_none_of_this_log_is_named(clustered: Workspace) -> None:
    decide(clustered, {"Q9": IGNORE})
    sheet = fill_in(clustered, {"Q10": CHURCH})
    rows = sheets.rows_of(sheet)
    position = rows[2]["log_position"]
    lines = [position.replace("line 1", f"line {number}") for number in (0, 2)]
    for wrong in ("", "12", *lines, position.replace("(", "(0")[:-2] + ")"):
        sheets.write_rows(sheet, [*rows[:2], rows[2] | {"log_position": wrong}])
        with pytest.raises(InputError, match=r"row 4 \(Q10\): log_position"):
            sheets.apply_sheet(clustered, sheet, "ann")
    assert set(read_decisions(clustered)) == {"Q9"}


def test_a_preview_lists_changed_super_categories_and_writes_nothing(clustered: Workspace) -> None:
    decide(clustered, ALL)
    sheet = fill_in(clustered, {"Q23397": MUSEUM, "Q9": CHURCH, "Q10": CLEAR})
    before = log_bytes(clustered)
    applied, changes = preview_file(clustered, sheet)
    assert applied == Applied(appended=3, unchanged=1, undecided=1)
    assert changes == [
        "church (human-made): 2 -> 2 classes, 11 -> 11 landmarks",
        "museum (human-made): 0 -> 1 classes, 0 -> 4 landmarks",
        "ocean area  (natural): 1 -> 0 classes, 4 -> 0 landmarks",
    ]
    assert log_bytes(clustered) == before
    assert sheets.apply_sheet(clustered, sheet, "ann") == applied
    assert preview_file(clustered, fill_in(clustered, {}))[1] == []


FORGIVEN = [
    *("https://www.wikidata.org/wiki/Q10", "http://www.wikidata.org/entity/Q10", "wd:Q10", "'Q10"),
    *("Q10\u200b", " q10\ufeff ", "m.wikidata.org/wiki/Q10#P31"),
    '\'=HYPERLINK("https://www.wikidata.org/wiki/Q10", "Q10")',
]


def test_case_stray_spaces_links_and_sides_of_known_names_are_forgiven(
    clustered: Workspace,
) -> None:
    decide(clustered, {"Q16970": CHURCH})
    church, ignored = ("assign", "church", "human-made", ""), ("ignore", None, None, "")
    typed: list[tuple[dict[str, str], tuple[str | None, ...]]] = [
        (sheets.named(" Church ", "Human-Made") | {"action": "ASSIGN"}, church),
        ({"class_label": "  Chapel", "action": "Ignore  ", "note": " "}, ignored),
        (sheets.named("CHURCH", "human made") | {"action": " "}, church),
        ({"hierarchical_label": "Church"}, church),  # which is in use
        ({"hierarchical_label": "LAKE"}, ("assign", "lake", "natural", "")),  # and this proposed
    ]
    typed += [(IGNORE | {"class_qid": qid}, ignored) for qid in FORGIVEN]
    for cells, content in typed:
        decide(clustered, {"Q10": CLEAR})
        assert decide(clustered, {"Q10": cells}, "bob").appended == 1
        assert contents(clustered)["Q10"] == content


NO_CLASS = ('=HYPERLINK("https://www.wikidata.org/wiki/Q9";"Q10")', "x", "", "Q" + "1" * 5000)


@pytest.mark.fault(28, "odd text in decisions")
@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"action": "asign"}, "action"),
        ({"action": "assign"}, "hierarchical_label"),
        ({"hierarchical_label": "xylotheque"}, "natural_or_human_made"),
        (CHURCH | {"natural_or_human_made": "Nature"}, "Nature"),
        (CHURCH | {"action": "ignore"}, "hierarchical_label"),
        (NATURAL, "natural_or_human_made"),
        ({"note": "ask bob"}, "note"),
        ({"class_label": "lake"}, "class_label"),
        *((CHURCH | {"class_qid": cell}, "no such class") for cell in NO_CLASS),
        *((CHURCH | {"hierarchical_label": one}, "letter") for one in ("0", "-", "12.05.2024")),
        *((CHURCH | {"hierarchical_label": one}, "U\\+") for one in ("a\0b", "\x1b[2J", "\u202eb")),
        (IGNORE | {"note": "a\x1b]0;x\x07b"}, "note"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_applied(
    clustered: Workspace, cells: Mapping[str, str], text: str
) -> None:
    with pytest.raises(InputError, match=rf"row 4 \(.*\): .*{text}") as caught:
        decide(clustered, {"Q16970": CHURCH, "Q10": cells, "Q23397": LAKE})
    assert str(caught.value).isprintable()
    assert log_bytes(clustered) == b""


def test_a_name_a_typo_away_is_asked_about_and_taken_when_meant(clustered: Workspace) -> None:
    known = dict.fromkeys(("tower", "fountain", "mountain"), "natural")
    towwer, musem = (MUSEUM | {"hierarchical_label": name} for name in ("towwer", "Musem"))
    cells = {"Q16970": MUSEUM, "Q10": towwer, "Q9": towwer, "Q23397": musem}
    sheet = fill_in(clustered, cells)
    asked = r"'towwer' \(rows 3, 4\).*'tower'.*'Musem' \(row 5\).*'museum'.*--new=towwer"
    with pytest.raises(InputError, match=asked):
        apply_file(clustered, sheet, "ann", ApplyChoices(known=known))
    assert log_bytes(clustered) == b""
    meant = ApplyChoices(known=known, meant=["towwer", "musem"])
    assert apply_file(clustered, sheet, "ann", meant).appended == 4
    # Now it is in use: nobody is asked again, also in a sheet that was exported before.
    again = fill_in(clustered, {"Q16970": towwer})
    assert apply_file(clustered, again, "ann", ApplyChoices(known=known)).appended == 1


MADE = [
    *("05-Jan", "Jan-05", "5. Mai", "05 janv. 24", '=HYPERLINK("http://x";"y")', "@SUM(A1)"),
    *("-2+3+cmd|' /C calc'!A1", "+church", "#N/A", "#BEZUG!", "Err:502", "FALSE", "wahr"),
    *("1.22E+03", "caf?", "caf\ufffd"),
]


@pytest.mark.parametrize("name", MADE)
def test_what_a_spreadsheet_may_have_made_is_asked_about(clustered: Workspace, name: str) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"hierarchical_label": name}})
    with pytest.raises(InputError, match=r"\(row 4\): .*spreadsheet.*--new="):
        sheets.apply_sheet(clustered, sheet, "ann")
    assert log_bytes(clustered) == b""
    apply_file(clustered, sheet, "ann", ApplyChoices(meant=[name]))
    assert names_of(clustered) == {"Q10": name}
    # It is written so that no spreadsheet runs it, and read back as it is.
    again = fill_in(clustered, {"Q9": IGNORE})
    assert not sheets.rows_of(again)[2]["hierarchical_label"].startswith(tuple("=+-@"))
    assert sheets.apply_sheet(clustered, again, "ann").unchanged == 1


def test_a_name_that_was_renamed_since_the_export_has_its_new_name(clustered: Workspace) -> None:
    decide(clustered, {"Q16970": CHURCH})
    before = fill_in(clustered, {"Q10": CHURCH, "Q9": IGNORE})
    worship, side = "place of worship", "human-made"
    change = assigned("Q16970", label=worship, side=side, renamed_from="church")
    append_event(clustered, edited(change, who="bob", event="rename"))
    applied = sheets.apply_sheet(clustered, before, "ann")
    assert applied == Applied(appended=2, unchanged=1, undecided=1)
    names = {"Q16970": worship, "Q10": worship, "Q9": None}
    assert names_of(clustered) == names
    # Whoever has seen the new name and writes the old one means it.
    decide(clustered, {"Q23397": CHURCH})
    assert names_of(clustered) == names | {"Q23397": "church"}


def test_one_super_category_has_one_spelling_and_one_side(clustered: Workspace) -> None:
    with pytest.raises(InputError, match=r"church.*Q10|Q10.*church"):
        decide(clustered, {"Q16970": CHURCH, "Q10": CHURCH | NATURAL})
    bobs = fill_in(clustered, {"Q10": sheets.named("Church", "natural")})
    decide(clustered, {"Q16970": CHURCH})
    for prefer in (None, "mine", "theirs"):
        with pytest.raises(InputError, match=r"Q16970.*Q10"):
            sheets.apply_sheet(clustered, bobs, "bob", prefer=prefer)
    assert set(read_decisions(clustered)) == {"Q16970"}
    # It may change sides everywhere at once, and a class that went away follows.
    assert decide(clustered, dict.fromkeys(("Q16970", "Q10"), CHURCH | NATURAL)).appended == 2
    write_proposals(clustered, sheets.CLASSES[1:])
    decide(clustered, {"Q10": CHURCH})
    assert read_decisions(clustered)["Q16970"].natural_or_human_made == "human-made"


SAID: dict[tuple[str | None, ...] | None, dict[str, str]] = {
    None: CLEAR,
    ("assign", "church", "human-made", ""): CHURCH,
    ("assign", "museum", "human-made", ""): MUSEUM,
    ("ignore", None, None, ""): IGNORE,
    ("ignore", None, None, "see\nQ5"): sheets.NOTE,
}
"""What is in force of a class, if anything, and what is filled in for that."""


@pytest.mark.fault(23, "two reviewers")
@pytest.mark.parametrize("prefer", ["mine", "theirs"])
def test_a_sheet_is_merged_with_all_that_may_have_been_said_since(
    workspace: Workspace, prefer: Prefer
) -> None:
    """A class for each way: what it was at the export, what bob said since, what the sheet says."""
    ways = {f"Q{n}": way for n, way in enumerate(product(SAID, repeat=3), start=1)}
    write_proposals(workspace, [{"class_qid": qid, "class_label": "x"} for qid in ways])

    def filled_in(place: int) -> Path:
        blank = dict.fromkeys(FILLED_IN, "")  # as a person would, who replaces what a row said
        return fill_in(workspace, {qid: blank | SAID[way[place]] for qid, way in ways.items()})

    sheets.apply_sheet(workspace, filled_in(0), "cid")
    mine = filled_in(2)
    sheets.apply_sheet(workspace, filled_in(1), "bob")
    expected, conflicts = {}, list[str]()
    for qid, (before, theirs, ours) in ways.items():
        is_conflict = len({before, theirs, ours}) == 3
        conflicts += [qid] * is_conflict
        counts = ours not in (before, theirs) and (not is_conflict or prefer == "mine")
        expected[qid] = (ours, "ann") if counts else (theirs, "cid" if theirs == before else "bob")
    said = log_bytes(workspace)
    with pytest.raises(ConflictError) as caught:
        sheets.apply_sheet(workspace, mine, "ann")
    assert [one.split()[0] for one in caught.value.conflicts] == conflicts
    assert log_bytes(workspace) == said
    assert sheets.apply_sheet(workspace, mine, "ann", prefer=prefer).settled == len(conflicts)
    found = {qid: (one.content, one.reviewer) for qid, one in read_decisions(workspace).items()}
    assert found == {qid: one for qid, one in expected.items() if one[0]}
    assert check_decisions(workspace) == []
    assert sheets.apply_sheet(workspace, mine, "ann", prefer=prefer).appended == 0
