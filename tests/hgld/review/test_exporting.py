"""Decisions out to a file."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.review.applying import (
    Applied,
    apply_file,
)
from hgld.review.exporting import category_link, example_landmarks, export_file
from tests.worlds.builders import class_rows, write_proposals, write_scrape
from tests.worlds.review.sheets import (
    CLASSES,
    IGNORE,
    LAKE,
    apply_sheet,
    fill_in,
    rows_of,
)

BLANK = dict.fromkeys(("action", "hierarchical_label", "natural_or_human_made", "note"), "")


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
        **BLANK,
        "log_position": "after line 0 (e3b0c44298fc)",
    }


@pytest.mark.parametrize("suffix", [".csv", ".ttl"])
def test_an_export_overwrites_nothing(clustered: Workspace, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text("my edits")
    with pytest.raises(InputError, match="mine"):
        export_file(clustered, path)
    assert path.read_text() == "my edits"


def test_a_file_of_another_kind_is_refused(clustered: Workspace, tmp_path: Path) -> None:
    for name in ("sheet.xlsx", "sheet"):
        with pytest.raises(InputError, match=r"\.csv.*\.ttl"):
            export_file(clustered, tmp_path / name)
    for name in ("sheet.xlsx", "taxonomy.ttl"):
        with pytest.raises(InputError, match=name):
            apply_file(clustered, tmp_path / name, "ann")


def test_an_export_without_clusters_says_what_to_run(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="hgld propose"):
        export_file(workspace, tmp_path / "sheet.csv")


def test_a_row_shows_its_decision_and_whether_its_class_is_called_otherwise_now(
    clustered: Workspace,
) -> None:
    sheet = fill_in(clustered, {"Q9": {"action": "ignore", "note": "a link"}, "Q23397": LAKE})
    assert apply_sheet(clustered, sheet, "ann") == Applied(appended=2, unchanged=0, undecided=2)
    write_proposals(clustered, [*CLASSES[:3], CLASSES[3] | {"class_label": "tarn"}])
    rows = {row["class_qid"]: row for row in rows_of(fill_in(clustered, {}))}
    assert (rows["Q9"]["action"], rows["Q9"]["note"]) == ("ignore", "a link")
    assert rows["Q23397"]["hierarchical_label"] == "ocean area "
    assert [rows[qid]["status"] for qid in ("Q9", "Q23397", "Q10")] == [
        *("decided", "changed label", "open")
    ]


KINDS = [("Q16970", "church building"), ("Q10", "chapel"), (f"Q{10**15}", "of a bare list")]
CATEGORIES = [
    (("train", 1), "Old_name", "Category:St. Mary's, Bath"),
    (("train", 2), "K%C3%B6lner_Dom", None),
    (("train", 3), "Chapel_of_%22X%22", None),
    (("train", 4), "Twice", None),
    (("train", 5), "Twice", None),
    (("index", 1), "Abbey", None),
    (("index", 2), "Minster", None),
]


def test_the_clearest_landmarks_of_a_class_are_shown_each_name_once(workspace: Workspace) -> None:
    church, chapel, _ = KINDS
    assert example_landmarks(workspace) == {}
    landmarks = {key: [church] for key, _, _ in CATEGORIES} | {
        ("train", 1): [church, chapel],
        ("train", 3): [chapel],
        ("index", 9): [church],  # of which no category is known
    }
    categories = [
        {
            "split": split,
            "landmark_id": number,
            "category": f"http://commons.wikimedia.org/wiki/Category:{name}",
            "status": "ok",
            "page_title": title,
        }
        for (split, number), name, title in CATEGORIES
    ]
    write_scrape(workspace, class_rows(landmarks), categories)
    assert example_landmarks(workspace) == {
        "Q16970": ("Kölner Dom", "Twice", "Abbey"),
        "Q10": ('Chapel of "X"', "St. Mary's, Bath"),
    }
    write_proposals(workspace, [{"class_qid": qid, "class_label": name} for qid, name in KINDS])
    sheet = fill_in(workspace, {"Q10": IGNORE | {"example_landmarks": "mine", "wikidata": "x"}})
    rows = {row["class_qid"]: row for row in rows_of(sheet)}
    assert rows["Q16970"]["example_landmarks"] == "Kölner Dom | Twice | Abbey"
    assert rows["Q16970"]["example_link"].endswith("/Category:K%C3%B6lner_Dom")
    bare = rows[f"Q{10**15}"]
    assert bare["wikidata"] == bare["example_landmarks"] == bare["example_link"] == ""
    assert apply_sheet(workspace, sheet, "ann").appended == 1  # what is only shown is not read


def test_a_link_leads_to_the_category() -> None:
    assert category_link("St. Mary's, Bath?") == (
        "https://commons.wikimedia.org/wiki/Category:St._Mary%27s%2C_Bath%3F"
    )
