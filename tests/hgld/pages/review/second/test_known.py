from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.pages.review.second.known import known_answers
from tests.worlds.taxonomies import write_taxonomy

LABELS = {"Q1": "Parish  Church", "Q2": "parish church", "Q3": "tarn", "Q4": "company"}


def test_the_taxonomy_tells_what_it_maps_by_q_id_and_does_not_ask_about(tmp_path: Path) -> None:
    rows = (
        "class_qid,class_label,action,hierarchical_label\n"
        "Q1,x,accept,span\nQ2,x,ask,\nQ4,x,ignore,\nQ99,x,accept,span\n"
    )
    folder = write_taxonomy(tmp_path / "taxonomy", classes=rows)
    assert known_answers(LABELS, taxonomy=folder) == {"Q1": "span", "Q4": None}
    assert known_answers({"Q16970": "church building"}) == {"Q16970": "church"}  # the shipped one


def test_a_file_tells_by_q_id_or_of_every_class_that_is_spelt_so(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    by_label = {"Q1": "church", "Q2": "church", "Q3": None}
    for text, found in (
        ("\ufefflabel,hierarchical_label\nparish church,church\ntarn,\nunknown,lake\n", by_label),
        ("x,supercategory,hierarchical_label\nx,parish church,church\nx,tarn,\n", by_label),
        ("class_qid,hierarchical_label\nQ3,lake\nQ77,lake\n\n", {"Q3": "lake"}),
    ):
        path.write_text(text, encoding="utf-8")
        assert known_answers(LABELS, file=path) == found


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    with pytest.raises(InputError, match="known"):
        known_answers(LABELS, file=path)
    for text, word in (
        ("hierarchical_label\nlake\n", "class_qid"),
        ("label,hierarchical_label\ntarn,lake\nTarn,fort\n", "row 3"),
        ('label,hierarchical_label\n"tarn,lake\n', "known"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=word):
            known_answers(LABELS, file=path)
