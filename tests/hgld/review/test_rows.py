"""What a row of a sheet may say, what is asked about, and what is refused."""

from collections.abc import Mapping

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.applying import (
    Applied,
    ApplyChoices,
    apply_file,
)
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    append_event,
    read_decisions,
)
from hgld.review.log.events import Change, Event
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

WHEN = "2026-11-26T09:00:00+00:00"
NATURAL = {"natural_or_human_made": "natural"}


def log_bytes(workspace: Workspace) -> bytes:
    path = workspace.path(DECISIONS_FILE)
    return path.read_bytes() if path.exists() else b""


def contents(workspace: Workspace) -> dict[str, tuple[str | None, ...]]:
    return {qid: one.content for qid, one in read_decisions(workspace).items()}


def names_of(workspace: Workspace) -> dict[str, str | None]:
    return {qid: one.hierarchical_label for qid, one in read_decisions(workspace).items()}


@pytest.mark.parametrize(
    ("cells", "content"),
    [
        (
            {
                "action": "ASSIGN",
                "hierarchical_label": " Church ",
                "natural_or_human_made": "Human-Made",
            },
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
        ({"class_label": "  Chapel", "action": "ignore"}, ("ignore", None, None, "")),
        *(
            ({"class_qid": qid, "action": "ignore"}, ("ignore", None, None, ""))
            for qid in (
                *("https://www.wikidata.org/wiki/Q10", "http://www.wikidata.org/entity/Q10"),
                *("wd:Q10", "'Q10", "Q10\u200b", " q10\ufeff ", "m.wikidata.org/wiki/Q10#P31"),
                '\'=HYPERLINK("https://www.wikidata.org/wiki/Q10", "Q10")',
            )
        ),
    ],
)
def test_case_stray_spaces_and_links_are_forgiven(
    clustered: Workspace, cells: Mapping[str, str], content: tuple[str | None, ...]
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    assert apply_sheet(clustered, fill_in(clustered, {"Q10": cells}), "bob").appended == 1
    assert contents(clustered)["Q10"] == content


@pytest.mark.fault(28, "odd text in decisions")
@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"action": "asign"}, "action"),
        ({"action": "assign"}, "hierarchical_label"),
        ({"hierarchical_label": "church"}, "natural_or_human_made"),
        (CHURCH | {"natural_or_human_made": "Nature"}, "Nature"),
        (CHURCH | {"action": "ignore"}, "hierarchical_label"),
        (NATURAL, "natural_or_human_made"),
        ({"note": "ask bob"}, "note"),
        ({"class_label": "lake"}, "class_label"),
        *((CHURCH | {"hierarchical_label": one}, "letter") for one in ("0", "-", "12.05.2024")),
        *(
            (CHURCH | {"hierarchical_label": one}, "U\\+")
            for one in ("a\0b", "a\x1b[2J", "\u202eb")
        ),
        (IGNORE | {"note": "a\x1b]0;x\x07b"}, "note"),
        (IGNORE | {"note": "x" * 32_768}, "note"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_applied(
    clustered: Workspace, cells: Mapping[str, str], text: str
) -> None:
    sheet = fill_in(clustered, {"Q16970": CHURCH, "Q10": cells, "Q23397": LAKE})
    with pytest.raises(InputError, match=rf"row 4 \(Q10\): .*{text}") as caught:
        apply_sheet(clustered, sheet, "ann")
    assert str(caught.value).isprintable()
    assert log_bytes(clustered) == b""


@pytest.mark.parametrize(
    "cell", ['=HYPERLINK("https://www.wikidata.org/wiki/Q9";"Q10")', "x", "", "Q" + "1" * 5000]
)
def test_a_class_that_the_build_lacks_is_named(clustered: Workspace, cell: str) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"class_qid": cell}})
    with pytest.raises(InputError, match="row 4") as caught:
        apply_sheet(clustered, sheet, "ann")
    assert len(str(caught.value)) < 400


def test_a_class_with_two_rows_is_named(clustered: Workspace) -> None:
    sheet = fill_in(clustered, ALL)
    rows = rows_of(sheet)
    write_rows(sheet, [*rows, rows[0]])
    with pytest.raises(InputError, match=r"row 6 \(Q16970\)"):
        apply_sheet(clustered, sheet, "ann")


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
    towwer, musem = ({"hierarchical_label": name} for name in ("towwer", "Musem"))
    cells = {"Q16970": MUSEUM, "Q10": MUSEUM | towwer, "Q9": MUSEUM | towwer}
    sheet = fill_in(clustered, cells | {"Q23397": MUSEUM | musem})
    asked = r"'towwer' \(rows 3, 4\).*'tower'.*'Musem' \(row 5\).*'museum'.*--new=towwer"
    with pytest.raises(InputError, match=asked):
        apply_file(clustered, sheet, "ann", ApplyChoices(known=KNOWN))
    assert log_bytes(clustered) == b""
    with pytest.raises(InputError, match="csv: 'Musem'"):
        apply_file(clustered, sheet, "ann", ApplyChoices(known=KNOWN, meant=["Towwer"]))
    meant = ApplyChoices(known=KNOWN, meant=["towwer", "musem"])
    assert apply_file(clustered, sheet, "ann", meant).appended == 4
    # Now it is in use: nobody is asked again, also in a sheet that was exported before.
    again = fill_in(clustered, {"Q16970": MUSEUM | towwer})
    assert apply_file(clustered, again, "ann", ApplyChoices(known=KNOWN)).appended == 1


MADE = [
    *("05-Jan", "Jan-05", "5. Mai", "05 janv. 24", '=HYPERLINK("http://x";"y")', "@SUM(A1)"),
    *("-2+3+cmd|' /C calc'!A1", "+church", "#N/A", "#BEZUG!", "Err:502", "FALSE", "wahr"),
    *("1.22E+03", "caf?", "caf\ufffd"),
]


@pytest.mark.parametrize("name", MADE)
def test_what_a_spreadsheet_may_have_made_of_a_cell_is_asked_about(
    clustered: Workspace, name: str
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"hierarchical_label": name}})
    with pytest.raises(InputError, match=r"\(row 4\): .*spreadsheet.*--new="):
        apply_sheet(clustered, sheet, "ann")
    assert log_bytes(clustered) == b""
    apply_file(clustered, sheet, "ann", ApplyChoices(meant=[name]))
    assert names_of(clustered) == {"Q10": name}
    # It is written so that no spreadsheet runs it, and read back as it is.
    again = fill_in(clustered, {"Q9": IGNORE})
    assert not rows_of(again)[2]["hierarchical_label"].startswith(tuple("=+-@"))
    assert apply_sheet(clustered, again, "ann").unchanged == 1


@pytest.mark.parametrize(
    "name",
    ["寺", "#1 church", "Ära", "true church", "e5 road", "100 m tower", "Route 66", "18th century"],
)
def test_other_new_names_are_not_asked_about(clustered: Workspace, name: str) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"hierarchical_label": name}})
    apply_sheet(clustered, sheet, "ann")
    assert names_of(clustered) == {"Q10": name}


def test_known_names_that_are_a_typo_apart_are_not_asked_about(clustered: Workspace) -> None:
    cells = {
        "Q16970": MUSEUM | {"hierarchical_label": "fountain"},
        "Q10": NATURAL | {"hierarchical_label": "mountain"},
        "Q9": NATURAL | {"hierarchical_label": "lake"},  # what is proposed is known
        "Q23397": NATURAL | {"hierarchical_label": "geyser"},  # and what is far from all is new
    }
    choices = ApplyChoices(known=KNOWN)
    assert apply_file(clustered, fill_in(clustered, cells), "ann", choices).appended == 4


def test_a_row_that_is_as_it_was_is_not_asked_about(clustered: Workspace) -> None:
    towwer = MUSEUM | {"hierarchical_label": "towwer"}
    choices = ApplyChoices(known=KNOWN, meant=["towwer"])
    apply_file(clustered, fill_in(clustered, {"Q10": towwer}), "ann", choices)
    sheet = fill_in(clustered, {"Q9": IGNORE})
    apply_sheet(clustered, fill_in(clustered, {"Q10": MUSEUM}), "bob")  # then nobody uses it
    assert apply_file(clustered, sheet, "ann", ApplyChoices(known=KNOWN)).appended == 1


def test_a_name_that_was_renamed_since_the_export_is_taken_as_it_is_called_now(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    before = fill_in(clustered, {"Q10": CHURCH, "Q9": NOTE})
    change = Change(
        classes={"Q16970": "church building"},
        effect="assign",
        hierarchical_label="place of worship",
        natural_or_human_made="human-made",
        renamed_from="church",
    )
    append_event(
        clustered, Event(event="rename", decided_at=WHEN, reviewer="bob", changes=(change,))
    )
    assert apply_sheet(clustered, before, "ann") == Applied(appended=2, unchanged=1, undecided=1)
    worship = dict.fromkeys(("Q16970", "Q10"), "place of worship")
    assert names_of(clustered) == worship | {"Q9": None}
    # Whoever has seen the new name and writes the old one means it.
    apply_sheet(clustered, fill_in(clustered, {"Q23397": CHURCH}), "ann")
    assert names_of(clustered) == worship | {"Q9": None, "Q23397": "church"}


def test_one_super_category_has_one_spelling_and_one_side(clustered: Workspace) -> None:
    both = fill_in(clustered, {"Q16970": CHURCH, "Q10": CHURCH | NATURAL})
    with pytest.raises(InputError, match=r"church.*Q10|Q10.*church"):
        apply_sheet(clustered, both, "ann")
    bobs = fill_in(clustered, {"Q10": {"hierarchical_label": "Church"} | NATURAL})
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    for prefer in (None, "mine", "theirs"):
        with pytest.raises(InputError, match=r"Q16970.*Q10"):
            apply_sheet(clustered, bobs, "bob", prefer=prefer)
    assert set(read_decisions(clustered)) == {"Q16970"}
    # It may change sides everywhere at once, and a class that went away follows.
    moved = dict.fromkeys(("Q16970", "Q10"), CHURCH | NATURAL)
    assert apply_sheet(clustered, fill_in(clustered, moved), "ann").appended == 2
    write_proposals(clustered, CLASSES[1:])
    apply_sheet(clustered, fill_in(clustered, {"Q10": CHURCH}), "ann")
    assert read_decisions(clustered)["Q16970"].natural_or_human_made == "human-made"
