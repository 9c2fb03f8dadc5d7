import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.review.exchange import Applied, export_file
from hgld.review.log.decisions import DECISIONS_FILE, append_decisions, read_decisions
from hgld.review.log.events import has_controls
from hgld.review.names import plain_text
from tests.hgld.review.test_sheet import AWKWARD
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import (
    ALL,
    CHURCH,
    CLASSES,
    IGNORE,
    LAKE,
    apply_sheet,
    fill_in,
    rows_of,
    write_rows,
)


def log_bytes(workspace: Workspace) -> bytes:
    path = workspace.path(DECISIONS_FILE)
    return path.read_bytes() if path.exists() else b""


def test_a_sheet_has_a_row_for_each_class_by_cluster_and_landmarks(
    clustered: Workspace, tmp_path: Path
) -> None:
    assert export_file(clustered, tmp_path / "sheet.csv") == 4
    rows = rows_of(tmp_path / "sheet.csv")
    assert [row["class_qid"] for row in rows] == ["Q16970", "Q9", "Q10", "Q23397"]
    assert rows[1]["class_label"] == "'=HYPERLINK(1)"
    assert rows[3] == {
        "class_qid": "Q23397",
        "class_label": "lake",
        "landmarks": "4",
        "cluster_id": "1",
        "status": "open",
        "proposed_action": "accept",
        "proposed_label": "lake",
        "proposed_natural_or_human_made": "natural",
        "confidence": "0.875",
        "evidence": "the head noun is church",
        "wikidata": "https://www.wikidata.org/wiki/Q23397",
        "example_landmarks": "",
        "example_link": "",
        **dict.fromkeys(("action", "hierarchical_label", "natural_or_human_made", "note"), ""),
        "log_position": "after line 0 (e3b0c44298fc)",
    }


def test_an_export_overwrites_nothing(clustered: Workspace, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("my edits", encoding="utf-8")
    with pytest.raises(InputError, match=r"sheet\.csv"):
        export_file(clustered, sheet)
    assert sheet.read_text(encoding="utf-8") == "my edits"


def test_an_export_without_clusters_says_what_to_run(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="hgld propose"):
        export_file(workspace, tmp_path / "sheet.csv")


def test_applied_decisions_are_logged_and_shown_in_the_next_sheet(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {"Q9": {"action": "ignore", "note": "a link"}, "Q23397": LAKE})
    assert apply_sheet(clustered, sheet, " ann ") == Applied(appended=2, unchanged=0, undecided=2)
    decisions = read_decisions(clustered)
    assert set(decisions) == {"Q9", "Q23397"}
    assert decisions["Q9"].class_label == "=HYPERLINK(1)"
    assert {decision.reviewer for decision in decisions.values()} == {"ann"}
    rows = {row["class_qid"]: row for row in rows_of(fill_in(clustered, {}))}
    assert (rows["Q9"]["action"], rows["Q9"]["note"]) == ("ignore", "a link")
    assert rows["Q23397"]["action"] == "assign"
    assert rows["Q23397"]["hierarchical_label"] == "ocean area "
    assert rows["Q10"]["action"] == ""


def test_applying_a_sheet_again_appends_nothing(clustered: Workspace) -> None:
    sheet = fill_in(clustered, ALL)
    apply_sheet(clustered, sheet, "ann")
    before = log_bytes(clustered)
    assert apply_sheet(clustered, sheet, "bob") == Applied(appended=0, unchanged=4, undecided=0)
    assert apply_sheet(clustered, fill_in(clustered, {}), "bob").appended == 0
    assert log_bytes(clustered) == before


def test_a_changed_row_appends_one_line_and_keeps_the_old_one(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    before = log_bytes(clustered)
    assert apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "bob").appended == 1
    after = log_bytes(clustered)
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 1
    assert read_decisions(clustered)["Q10"].action == "ignore"


def test_a_blank_row_leaves_a_decision_in_force(clustered: Workspace) -> None:
    blank_sheet = fill_in(clustered, {})
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    before = read_decisions(clustered)
    assert apply_sheet(clustered, blank_sheet, "bob") == Applied(
        appended=0, unchanged=0, undecided=0
    )
    assert read_decisions(clustered) == before


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ({"action": "asign"}, r"row 4 \(Q10\): action"),
        ({"action": "assign"}, r"row 4 \(Q10\): .*hierarchical_label"),
        ({"hierarchical_label": "church"}, r"row 4 \(Q10\): .*natural_or_human_made"),
        (CHURCH | {"natural_or_human_made": "Nature"}, r"row 4 \(Q10\): .*Nature"),
        (CHURCH | {"action": "ignore"}, r"row 4 \(Q10\): .*hierarchical_label"),
        ({"natural_or_human_made": "natural"}, r"row 4 \(Q10\): .*natural_or_human_made"),
        ({"note": "ask bob"}, r"row 4 \(Q10\): .*note"),
        ({"class_label": "lake"}, r"row 4 \(Q10\): class_label"),
        (CHURCH | {"natural_or_human_made": "natural"}, "church.*Q10"),
    ],
)
def test_one_wrong_row_is_named_and_nothing_is_appended(
    clustered: Workspace, cells: Mapping[str, str], text: str
) -> None:
    sheet = fill_in(clustered, {"Q16970": CHURCH, "Q10": cells, "Q23397": LAKE})
    with pytest.raises(InputError, match=text):
        apply_sheet(clustered, sheet, "ann")
    assert log_bytes(clustered) == b""


def test_a_label_cannot_be_on_another_side_than_in_the_log(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    sheet = fill_in(clustered, {"Q10": CHURCH | {"natural_or_human_made": "natural"}, "Q16970": {}})
    rows = [row for row in rows_of(sheet) if row["class_qid"] == "Q10"]
    write_rows(sheet, rows)
    with pytest.raises(InputError, match=r"Q16970.*Q10"):
        apply_sheet(clustered, sheet, "ann")
    assert set(read_decisions(clustered)) == {"Q16970"}


def test_a_label_may_change_sides_everywhere_at_once(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    natural = CHURCH | {"natural_or_human_made": "natural"}
    assert (
        apply_sheet(
            clustered, fill_in(clustered, {"Q16970": natural, "Q10": natural}), "ann"
        ).appended
        == 2
    )


def test_a_class_that_went_away_binds_no_sheet_and_follows_its_super_category(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    write_proposals(clustered, CLASSES[1:])  # Q16970, a human-made church, is gone
    natural = CHURCH | {"natural_or_human_made": "natural"}
    applied = apply_sheet(clustered, fill_in(clustered, {"Q10": natural}), "ann")
    assert applied == Applied(appended=1, unchanged=2, undecided=0)
    # It may come back: then one super-category is not on two sides.
    assert read_decisions(clustered)["Q16970"].natural_or_human_made == "natural"


def test_a_class_that_the_build_does_not_have_is_named(clustered: Workspace) -> None:
    sheet = fill_in(clustered, {})
    rows = rows_of(sheet)
    rows[0]["class_qid"] = "Q404"
    write_rows(sheet, rows)
    with pytest.raises(InputError, match="Q404"):
        apply_sheet(clustered, sheet, "ann")


def test_a_class_with_two_rows_is_named(clustered: Workspace) -> None:
    sheet = fill_in(clustered, ALL)
    rows = rows_of(sheet)
    write_rows(sheet, [*rows, rows[0]])
    with pytest.raises(InputError, match=r"row 6 \(Q16970\)"):
        apply_sheet(clustered, sheet, "ann")
    assert log_bytes(clustered) == b""


def test_a_blank_reviewer_is_refused(clustered: Workspace) -> None:
    with pytest.raises(InputError, match="reviewer"):
        apply_sheet(clustered, fill_in(clustered, ALL), " ")


def seems_saved_twice(text: str) -> bool:
    for page in ("cp1252", "latin-1"):
        with contextlib.suppress(UnicodeError):
            if text.encode(page).decode("utf-8") != text:
                return True
    return False


@given(AWKWARD, AWKWARD, AWKWARD)
@settings(
    max_examples=20,
    deadline=None,  # each writes and flushes files
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # emptied below
)
def test_labels_of_any_characters_survive_sheet_log_and_sheet(
    workspace: Workspace, tmp_path: Path, class_label: str, label: str, note: str
) -> None:
    # Refused, as it should be.
    assume(not any(seems_saved_twice(f"x{one}") or has_controls(one) for one in (label, note)))
    shutil.rmtree(workspace.path("review"), ignore_errors=True)
    write_proposals(workspace, [{"class_qid": "Q1", "class_label": class_label}])
    sheet = tmp_path / "sheet.csv"
    sheet.unlink(missing_ok=True)
    export_file(workspace, sheet)
    (row,) = rows_of(sheet)
    cells = {"hierarchical_label": f"x{label}", "natural_or_human_made": "natural"}
    write_rows(sheet, [row | cells | {"note": f"x{note}"}])
    apply_sheet(workspace, sheet, "ann")
    decision = read_decisions(workspace)["Q1"]
    assert decision.class_label == class_label
    # What was typed into a sheet has single spaces and typed quotes, what a program wrote its own.
    assert (decision.hierarchical_label, decision.note) == (plain_text(f"x{label}"), f"x{note}")
    append_decisions(workspace, [replace(decision, hierarchical_label=f" x{label}")])
    sheet.unlink()
    export_file(workspace, sheet)
    assert apply_sheet(workspace, sheet, "ann") == Applied(appended=0, unchanged=1, undecided=0)
    assert read_decisions(workspace)["Q1"].hierarchical_label == f" x{label}"


def test_a_reviewer_is_called_as_the_page_calls_them(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "  Ann \t  B ")
    assert read_decisions(clustered)["Q9"].reviewer == "Ann B"
    with pytest.raises(InputError, match=r"U\+001B"):
        apply_sheet(clustered, fill_in(clustered, {"Q10": IGNORE}), "a\x1b[31mb")


@pytest.mark.parametrize("control", ["\0", "\x1b]0;x\x07", "\u202e"])
@pytest.mark.parametrize("column", ["hierarchical_label", "note"])
def test_control_characters_in_a_cell_are_refused_with_its_row(
    clustered: Workspace, column: str, control: str
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {column: f"a{control}b"}})
    text = rf"row 4 \(Q10\): {column}"
    with pytest.raises(InputError, match=text) as caught:
        apply_sheet(clustered, sheet, "ann")
    assert str(caught.value).isprintable()
    assert log_bytes(clustered) == b""


@pytest.mark.parametrize(
    "cell",
    [
        *("#N/A", "#BEZUG!", "Err:502", "FALSE", "True", "WAHR"),
        *("1.22E+03", "0", "-", "12.05.2024", "?!", "½"),
    ],
)
def test_what_a_spreadsheet_makes_of_a_broken_cell_is_no_name(
    clustered: Workspace, cell: str
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"hierarchical_label": cell}})
    with pytest.raises(InputError, match=r"row 4 \(Q10\): hierarchical_label"):
        apply_sheet(clustered, sheet, "ann")
    assert log_bytes(clustered) == b""


@pytest.mark.parametrize(
    "name", ["寺", "#1 church", "Ära", "true church", "e5 road", "100 m tower"]
)
def test_a_name_of_any_script_has_a_letter(clustered: Workspace, name: str) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"hierarchical_label": name}})
    apply_sheet(clustered, sheet, "ann")
    assert read_decisions(clustered)["Q10"].hierarchical_label == name


@pytest.mark.parametrize(
    "cell",
    [
        *("https://www.wikidata.org/wiki/Q10", "http://www.wikidata.org/entity/Q10", "wd:Q10"),
        *("'Q10", "Q10\u200b", " q10\ufeff ", "https://m.wikidata.org/wiki/Q10#P31"),
        '=HYPERLINK("https://www.wikidata.org/wiki/Q10";"Q10")',
        '\'=HYPERLINK("https://www.wikidata.org/wiki/Q10", "Q10")',
        '=HYPERLINK("http://www.wikidata.org/entity/Q10")',
    ],
)
def test_a_class_may_be_given_as_a_link(clustered: Workspace, cell: str) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"class_qid": cell}})
    assert apply_sheet(clustered, sheet, "ann").appended == 1
    assert set(read_decisions(clustered)) == {"Q10"}


@pytest.mark.parametrize(
    "cell",
    ['=HYPERLINK("https://www.wikidata.org/wiki/Q9";"Q10")', "chapel", "", "Q" + "1" * 5000],
)
def test_what_is_no_q_id_is_named_without_the_advice_to_remove_the_row(
    clustered: Workspace, cell: str
) -> None:
    sheet = fill_in(clustered, {"Q10": CHURCH | {"class_qid": cell}})
    with pytest.raises(InputError, match="row 4") as caught:
        apply_sheet(clustered, sheet, "ann")
    assert len(str(caught.value)) < 400
