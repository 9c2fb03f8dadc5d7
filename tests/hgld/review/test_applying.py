"""Sheets in again: what a row may say, and how it is merged with what others decided since."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.applying import Applied, ApplyChoices, Prefer, apply_file, preview_file
from hgld.review.log.decisions import append_event, check_decisions, read_decisions, read_log
from hgld.review.log.events import Change
from hgld.review.log.history import Decision
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


Cells = dict[str, dict[str, str]]
"""What a person fills in, by Q-id and column."""
Content = tuple[str, ...]
"""Action, super-category, side and note, as a sheet shows them."""
InForce = dict[str, tuple[Content, str]]
"""Content and reviewer, by Q-id."""

QIDS = [str(row["class_qid"]) for row in sheets.CLASSES]
CELLS = [CHURCH, MUSEUM, IGNORE, sheets.NOTE, LAKE, CLEAR]
BLANK = dict.fromkeys(FILLED_IN, "")
OPEN: Content = ("clear", "", "", "")


def content_of(cells: dict[str, str]) -> Content:
    _, label, side, note = (cells.get(name, "") for name in FILLED_IN)
    return OPEN if cells == CLEAR else ("assign" if label else "ignore", label, side, note)


def shown(said: Change | Decision) -> Content:
    return tuple(each or "" for each in said.content)


@dataclass
class Oracle:
    """What two reviewers should get, in plain dictionaries."""

    log: list[tuple[str, Content, str]] = field(default_factory=list)
    """Class, content and reviewer of each decision, in their order."""

    def in_force(self) -> InForce:
        last = {qid: (content, reviewer) for qid, content, reviewer in self.log}
        return {qid: one for qid, one in last.items() if one[0] != OPEN}

    def apply(self, exported: InForce, cells: Cells, who: str, prefer: Prefer | None) -> bool:
        """Adds the edits of a sheet; False: there are conflicts, and nothing was added."""
        now, new, is_clear = self.in_force(), [], True
        for qid, filled_in in cells.items():
            mine = content_of(filled_in)
            base, theirs = (one[qid][0] if qid in one else OPEN for one in (exported, now))
            if mine in (base, theirs):
                continue
            is_clear &= theirs == base
            if theirs == base or prefer == "mine":
                new.append((qid, mine, who))
        if is_clear or prefer is not None:
            self.log += sorted(new)
        return is_clear or prefer is not None


def agrees(workspace: Workspace, oracle: Oracle) -> None:
    """Compares a log with what it should be."""
    log, lines = read_log(workspace), list[tuple[str, Content, str]]()
    assert not log.found.damaged_line
    assert check_decisions(workspace) == []
    for event in log.events:
        said = {shown(change): change.classes for change in event.changes}
        assert len(said) == len(event.changes)  # one for all classes of which it is the same
        lines += sorted((qid, one, event.reviewer) for one, of in said.items() for qid in of)
    assert lines == oracle.log
    in_force = {qid: (shown(one), one.reviewer) for qid, one in log.in_force().items()}
    assert in_force == oracle.in_force()


def play(workspace: Workspace, chance: random.Random) -> tuple[int, int]:
    """Has three reviewers export, fill in and apply sheets, some of them twice or never.

    Returns:
        How often a sheet was refused, and how many conflicts were settled.
    """
    oracle, refused, settled = Oracle(), 0, 0
    given: list[tuple[str, Path, Cells, InForce]] = []
    for _ in range(40):
        if not given or chance.random() < 0.4:
            picked = chance.sample(QIDS, chance.randrange(4))
            cells = {qid: chance.choice(CELLS) for qid in picked}
            # As a person would: what a row said before is replaced.
            sheet = fill_in(workspace, {qid: BLANK | one for qid, one in cells.items()})
            given.append((chance.choice(["ann", "bob", "cid"]), sheet, cells, oracle.in_force()))
            continue
        who, sheet, cells, exported = chance.choice(given)
        prefer: Prefer | None = chance.choice([None, None, "mine", "theirs"])
        if oracle.apply(exported, cells, who, prefer):
            settled += sheets.apply_sheet(workspace, sheet, who, prefer=prefer).settled
        else:
            refused += 1
            with pytest.raises(ConflictError):
                sheets.apply_sheet(workspace, sheet, who, prefer=prefer)
        agrees(workspace, oracle)
    return refused, settled


def check_many_rounds(folder: Path, seeds: Iterable[int]) -> None:
    """Plays a game for each seed; some sheets are refused, and some conflicts are settled."""
    counts = []
    for seed in seeds:
        workspace = Workspace(folder / str(seed))
        write_proposals(workspace, sheets.CLASSES)
        counts.append(play(workspace, random.Random(seed)))
    assert all(sum(each) for each in zip(*counts, strict=True))


@pytest.mark.fault(23, "two reviewers")
@pytest.mark.usefixtures("unflushed")
def test_many_rounds_of_three_reviewers_agree_with_the_oracle(tmp_path: Path) -> None:
    check_many_rounds(tmp_path, range(8))
