from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.review.second.known import known_answers
from tests.worlds.taxonomies import write_taxonomy

LABELS = {"Q1": "Parish  Church", "Q2": "parish church", "Q3": "tarn", "Q4": "company"}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_taxonomy_tells_what_it_maps_by_q_id_and_does_not_ask_about(tmp_path: Path) -> None:
    rows = (
        "class_qid,class_label,action,hierarchical_label\n"
        "Q1,x,accept,span\nQ2,x,ask,\nQ4,x,ignore,\nQ99,x,accept,span\n"
    )
    folder = write_taxonomy(tmp_path / "taxonomy", classes=rows)
    assert known_answers(LABELS, taxonomy=folder) == {"Q1": "span", "Q4": None}


def test_the_shipped_taxonomy_knows_hundreds_of_classes_and_is_asked_without_another() -> None:
    rows = load_taxonomy_tables().classes
    found = known_answers({row.class_qid: "" for row in rows})
    assert found == {
        row.class_qid: row.hierarchical_label or None for row in rows if row.action != "ask"
    }
    assert len(found) > 1000
    assert None in found.values()


@pytest.mark.parametrize("name", ["label", "supercategory"])
def test_a_file_tells_by_label_of_every_class_that_is_spelt_so(tmp_path: Path, name: str) -> None:
    rows = f"natural_or_human_made,{name},hierarchical_label\nx,parish church,church\nx,tarn,\n"
    path = written(tmp_path / "known.csv", f"\ufeff{rows}x,unknown to us,lake\n")
    assert known_answers(LABELS, file=path) == {"Q1": "church", "Q2": "church", "Q3": None}


def test_a_file_tells_by_q_id(tmp_path: Path) -> None:
    path = written(tmp_path / "known.csv", "class_qid,hierarchical_label\nQ3,lake\nQ77,lake\n\n")
    assert known_answers(LABELS, file=path) == {"Q3": "lake"}


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    for text, word in (
        (None, "known.csv"),
        ("", "hierarchical_label"),
        ("label,side\nx,y\n", "hierarchical_label"),
        ("hierarchical_label\nlake\n", "class_qid"),
        ("label,hierarchical_label\n", "row"),
        ("label,hierarchical_label\ntarn,lake\nTarn,fort\n", "row 3"),
        ('label,hierarchical_label\n"tarn,lake\n', "known.csv"),
        ("label,hierarchical_label\n\udcff,lake\n", "known.csv"),
    ):
        if text is not None:
            path.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(InputError, match=word):
            known_answers(LABELS, file=path)
