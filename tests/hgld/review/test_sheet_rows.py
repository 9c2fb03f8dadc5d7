"""What is forgiven in a row, what is asked, and what takes a decision back."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.exchange import Applied, ApplyChoices, apply_file
from hgld.review.log.decisions import DECISIONS_FILE, append_event, read_decisions, read_log
from hgld.review.log.events import Change, Event
from hgld.review.log.undoing import undo
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
    write_rows,
)

BLANK = dict.fromkeys(("action", "hierarchical_label", "natural_or_human_made", "note"), "")
CLEAR = {"action": "clear"}


def content_of(workspace: Workspace) -> dict[str, tuple[str | None, ...]]:
    return {qid: one.content for qid, one in read_decisions(workspace).items()}


def test_a_sheet_is_one_event_with_a_change_for_each_content(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    (event,) = read_log(clustered).events
    assert (event.event, event.reviewer, event.seen) == ("sheet", "ann", 0)
    assert event.why == "sheet-0.csv"
    assert [(each.effect, dict(each.classes)) for each in event.changes] == [
        ("assign", {"Q16970": "church building", "Q10": "chapel"}),
        ("ignore", {"Q9": "=HYPERLINK(1)"}),
        ("assign", {"Q23397": "lake"}),
    ]


def test_a_sheet_is_taken_back_by_one_undo(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    before = content_of(clustered)
    apply_sheet(clustered, fill_in(clustered, ALL | {"Q10": IGNORE}), "ann")
    toggle = undo(read_log(clustered).events, "ann")
    assert toggle is not None
    append_event(clustered, toggle.signed("ann", "2026-01-01T00:00:00+00:00"))
    assert content_of(clustered) == before


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


@pytest.mark.parametrize(
    ("cells", "content"),
    [
        (
            {"action": "ASSIGN"}
            | {"hierarchical_label": " Church ", "natural_or_human_made": "Human-Made"},
            ("assign", "church", "human-made", ""),
        ),
        (
            {"action": " ", "hierarchical_label": "CHURCH", "natural_or_human_made": "human made"},
            ("assign", "church", "human-made", ""),
        ),
        (
            {"hierarchical_label": "Ocean area", "natural_or_human_made": " Natural\u00a0"},
            ("assign", "ocean area ", "natural", ""),
        ),
        ({"action": "Ignore  ", "note": " "}, ("ignore", None, None, "")),
        ({"class_qid": " q10 ", "action": "IGNORE"}, ("ignore", None, None, "")),
        ({"class_label": "  Chapel", "action": "ignore"}, ("ignore", None, None, "")),
    ],
)  # fmt: skip
def test_case_and_stray_spaces_are_forgiven(
    clustered: Workspace, cells: Mapping[str, str], content: tuple[str | None, ...]
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    sheet = fill_in(clustered, {"Q10": cells})
    assert apply_sheet(clustered, sheet, "bob").appended == 1
    assert content_of(clustered)["Q10"] == content


def test_a_label_written_otherwise_is_no_change(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    rewritten = {
        "Q23397": {"action": "Assign", "hierarchical_label": "OCEAN  AREA"},
        "Q10": {"natural_or_human_made": "Human made"},
    }
    sheet = fill_in(clustered, rewritten)
    assert apply_sheet(clustered, sheet, "bob") == Applied(appended=0, unchanged=4, undecided=0)


def test_clear_takes_a_decision_back(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    cleared = fill_in(clustered, {"Q10": CLEAR, "Q9": BLANK | {"action": " CLEAR"}})
    assert apply_sheet(clustered, cleared, "bob") == Applied(appended=2, unchanged=2, undecided=2)
    assert set(read_decisions(clustered)) == {"Q16970", "Q23397"}
    (change,) = read_log(clustered).events[-1].changes
    assert (change.effect, set(change.classes)) == ("clear", {"Q10", "Q9"})
    assert apply_sheet(clustered, cleared, "bob") == Applied(appended=0, unchanged=4, undecided=2)


def test_clear_where_nothing_is_decided_adds_nothing(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q10": CLEAR})
    assert apply_sheet(clustered, sheet, "ann") == Applied(appended=0, unchanged=1, undecided=4)
    assert not clustered.path(DECISIONS_FILE).exists()


def test_a_row_that_was_blanked_is_asked_about_and_each_is_named(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    before = clustered.path(DECISIONS_FILE).read_bytes()
    sheet = fill_in(clustered, {"Q10": BLANK, "Q9": BLANK | {"action": " "}})
    with pytest.raises(InputError) as caught:
        apply_sheet(clustered, sheet, "bob")
    text = str(caught.value)
    for words in ("row 3 (Q9)", "row 4 (Q10)", "'church'", "clear"):
        assert words in text
    assert clustered.path(DECISIONS_FILE).read_bytes() == before


def test_a_blanked_row_whose_decision_was_taken_back_meanwhile_agrees(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    blanked, cleared = fill_in(clustered, {"Q10": BLANK}), fill_in(clustered, {"Q10": CLEAR})
    apply_sheet(clustered, cleared, "ann")
    assert apply_sheet(clustered, blanked, "bob").appended == 0


def test_many_wrong_rows_are_told_at_once_and_not_too_many(clustered: Workspace) -> None:
    classes = [{"class_qid": f"Q{number}", "class_label": "x"} for number in range(1, 16)]
    write_proposals(clustered, classes)
    wrong = fill_in(clustered, {str(row["class_qid"]): {"action": "asign"} for row in classes})
    with pytest.raises(InputError) as caught:
        apply_sheet(clustered, wrong, "ann")
    assert str(caught.value).count("row ") == 10
    assert "5 more" in str(caught.value)


KNOWN = ["tower", "fountain", "mountain"]


def test_a_name_a_typo_away_is_asked_about_and_created_when_it_is_meant(
    clustered: Workspace,
) -> None:
    towwer = MUSEUM | {"hierarchical_label": "towwer"}
    musem = MUSEUM | {"hierarchical_label": "Musem"}
    sheet = fill_in(clustered, {"Q16970": MUSEUM, "Q10": towwer, "Q9": towwer, "Q23397": musem})
    asked = r"'towwer' \(rows 3, 4\).*'tower'.*'Musem' \(row 5\).*'museum'.*--new towwer"
    with pytest.raises(InputError, match=asked):
        apply_file(clustered, sheet, "ann", ApplyChoices(known=KNOWN))
    assert not clustered.path(DECISIONS_FILE).exists()
    with pytest.raises(InputError, match="csv: 'Musem'"):
        apply_file(clustered, sheet, "ann", ApplyChoices(known=KNOWN, meant=["Towwer"]))
    meant = ApplyChoices(known=KNOWN, meant=["towwer", "musem"])
    assert apply_file(clustered, sheet, "ann", meant).appended == 4
    # Now it is in use: nobody is asked again.
    again = fill_in(clustered, {"Q16970": towwer})
    assert apply_file(clustered, again, "ann", ApplyChoices(known=KNOWN)).appended == 1


def test_known_names_that_are_a_typo_apart_are_not_asked_about(clustered: Workspace) -> None:
    natural = {"natural_or_human_made": "natural"}
    cells = {
        "Q16970": MUSEUM | {"hierarchical_label": "fountain"},
        "Q10": natural | {"hierarchical_label": "mountain"},
        "Q9": natural | {"hierarchical_label": "lake"},  # what is proposed is known
        "Q23397": natural | {"hierarchical_label": "geyser"},  # and what is far from all is new
    }
    choices = ApplyChoices(known=KNOWN)
    assert apply_file(clustered, fill_in(clustered, cells), "ann", choices).appended == 4


def test_a_row_that_is_as_it_was_is_not_asked_about(clustered: Workspace) -> None:
    towwer = MUSEUM | {"hierarchical_label": "towwer"}
    choices = ApplyChoices(known=KNOWN, meant=["towwer"])
    apply_file(clustered, fill_in(clustered, {"Q10": towwer}), "ann", choices)
    sheet = fill_in(clustered, {"Q9": IGNORE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": MUSEUM}), "bob")  # then nobody uses it
    plain = ApplyChoices(known=KNOWN)
    assert apply_file(clustered, sheet, "ann", plain).appended == 1


def rename(workspace: Workspace, old: str, new: str, classes: Mapping[str, str]) -> None:
    change = Change(
        classes=classes,
        effect="assign",
        hierarchical_label=new,
        natural_or_human_made="human-made",
        renamed_from=old,
    )
    event = Event(
        event="rename", decided_at="2026-11-26T09:00:00+00:00", reviewer="bob", changes=(change,)
    )
    append_event(workspace, event)


def test_a_name_that_was_renamed_since_the_export_is_taken_as_it_is_called_now(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    before = fill_in(clustered, {"Q10": CHURCH, "Q9": NOTE})
    rename(clustered, "church", "place of worship", {"Q16970": "church building"})
    assert apply_sheet(clustered, before, "ann") == Applied(appended=2, unchanged=1, undecided=1)
    named = {qid: one.hierarchical_label for qid, one in read_decisions(clustered).items()}
    assert named == dict.fromkeys(("Q16970", "Q10"), "place of worship") | {"Q9": None}
    # Whoever has seen the new name and writes the old one means it.
    apply_sheet(clustered, fill_in(clustered, {"Q23397": CHURCH}), "ann")
    assert read_decisions(clustered)["Q23397"].hierarchical_label == "church"
    assert read_decisions(clustered)["Q10"].hierarchical_label == "place of worship"


def test_an_exported_row_of_a_changed_class_says_so(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    write_proposals(clustered, [CLASSES[0], CLASSES[2] | {"class_label": "oratory"}])
    rows = {row["class_qid"]: row["status"] for row in rows_of(fill_in(clustered, {}))}
    assert rows == {"Q16970": "open", "Q10": "changed label"}


def test_a_file_may_have_any_bytes_as_its_name_and_a_reviewer_may_not(
    clustered: Workspace, tmp_path: Path
) -> None:
    sheet = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sh\xf8.csv"))
    sheet.write_bytes(fill_in(clustered, {"Q10": IGNORE}).read_bytes())
    with pytest.raises(InputError, match="reviewer"):
        apply_sheet(clustered, sheet, "j\udcf8rn")
    assert apply_sheet(clustered, sheet, "ann").appended == 1
    assert read_log(clustered).events[-1].why == "sh?.csv"
