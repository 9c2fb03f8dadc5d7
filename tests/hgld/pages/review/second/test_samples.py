from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.pages.review.second.samples import known_answers
from tests.worlds.taxonomies import write_taxonomy

LABELS = {"Q1": "Parish  Church", "Q2": "parish church", "Q3": "tarn", "Q4": "company"}


def test_the_taxonomy_tells_what_it_maps_by_q_id_and_does_not_ask_about(tmp_path: Path) -> None:
    rows = "Q1,x,accept,span\nQ2,x,ask,\nQ4,x,ignore,\nQ99,x,accept,span\n"
    header = "class_qid,class_label,action,hierarchical_label\n"
    folder = write_taxonomy(tmp_path / "taxonomy", classes=header + rows)
    assert known_answers(LABELS, taxonomy=folder) == {"Q1": "span", "Q4": None}
    assert known_answers({"Q16970": "church building"}) == {"Q16970": "church"}  # the shipped one


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\ufefflabel,hierarchical_label\nparish church,a\ntarn,\nx,b\n", ("a", "a", None)),
        ("x,supercategory,hierarchical_label\nx,parish church,a\nx,tarn,\n", ("a", "a", None)),
        ("class_qid,hierarchical_label\nQ3,lake\nQ77,lake\n\n", ("lake",)),
        ("hierarchical_label\nlake\n", "class_qid"),
        ("label,hierarchical_label\ntarn,lake\nTarn,fort\n", "row 3"),
        ('label,hierarchical_label\n"tarn,lake\n', "known"),
    ],
)
def test_a_file_tells_by_q_id_or_of_every_class_that_is_spelt_so(
    tmp_path: Path, text: str, found: tuple[str | None, ...] | str
) -> None:
    path = tmp_path / "known.csv"
    path.write_text(text, encoding="utf-8")
    if isinstance(found, str):
        with pytest.raises(InputError, match=found):
            known_answers(LABELS, file=path)
    else:
        qids = ["Q1", "Q2", "Q3"][-len(found) :]
        assert known_answers(LABELS, file=path) == dict(zip(qids, found, strict=True))
