"""Decisions out to a file: a sheet, or SKOS, which other tools read."""

from functools import partial
from pathlib import Path

import pytest
from rdflib import SKOS, Graph, URIRef
from rdflib.term import Node

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.applying import apply_file
from hgld.review.exporting import example_landmarks, export_file, skos_text
from hgld.review.log.history import Decision
from hgld.tables import LABELS
from tests.hgld.review.log.acts import WHEN
from tests.worlds.builders import class_rows, table_of, write_proposals, write_scrape, write_stage
from tests.worlds.review import sheets
from tests.worlds.review.sheets import CLASSES, IGNORE, LAKE, decide, fill_in, rows_of


def test_a_sheet_has_rows_by_cluster_and_landmarks(clustered: Workspace, tmp_path: Path) -> None:
    assert export_file(clustered, tmp_path / "sheet.csv") == 4
    rows = rows_of(tmp_path / "sheet.csv")
    assert [row["class_qid"] for row in rows] == ["Q16970", "Q9", "Q10", "Q23397"]
    assert rows[1]["class_label"] == "'=HYPERLINK(1)"
    assert " | ".join(rows[3].values()) == (
        "Q23397 | lake | 4 | 1 | open | accept | lake | natural | 0.875 | the head noun is church"
        " | ocean area  | 0.1 | https://www.wikidata.org/wiki/Q23397 |  |  |  |  |  |  "
        "| after line 0 (e3b0c44298fc)"
    )


def test_an_export_overwrites_nothing(clustered: Workspace, tmp_path: Path) -> None:
    for path in (tmp_path / "mine.csv", tmp_path / "mine.ttl"):
        path.write_text("my edits")
        with pytest.raises(InputError, match="mine"):
            export_file(clustered, path)
        assert path.read_text() == "my edits"
    with pytest.raises(InputError, match=r"\.csv.*\.ttl"):
        export_file(clustered, tmp_path / "sheet.xlsx")
    with pytest.raises(InputError, match=r"taxonomy\.ttl"):
        apply_file(clustered, tmp_path / "taxonomy.ttl", "ann")


def test_a_row_shows_its_decision_and_whether_its_label_changed(clustered: Workspace) -> None:
    decide(clustered, {"Q9": IGNORE | {"note": "a link"}, "Q23397": LAKE})
    write_proposals(clustered, [*CLASSES[:3], CLASSES[3] | {"class_label": "tarn"}])
    rows = {row["class_qid"]: row for row in rows_of(fill_in(clustered, {}))}
    assert (rows["Q9"]["action"], rows["Q9"]["note"]) == ("ignore", "a link")
    assert rows["Q23397"]["hierarchical_label"] == "ocean area "
    states = [rows[qid]["status"] for qid in ("Q9", "Q23397", "Q10")]
    assert states == ["decided", "changed label", "open"]


CHURCHES, CHAPELS = ("Q16970", "church building"), ("Q10", "chapel")
BARE = (f"Q{10**15}", "of a bare list")
NAMES = ["Old_name", "K%C3%B6lner_Dom", "Chapel_of_%22X%22", "Twice", "Twice", "Abbey", "Minster"]


def test_the_clearest_landmarks_of_a_class_are_shown_each_name_once(workspace: Workspace) -> None:
    assert example_landmarks(workspace) == {}
    keys = [*(("train", number) for number in range(1, 6)), ("index", 1), ("index", 2)]
    landmarks = {key: [CHURCHES] for key in keys}
    landmarks["train", 1], landmarks["train", 3] = [CHURCHES, CHAPELS], [CHAPELS]
    landmarks["index", 9] = [CHURCHES]  # of which no category is known
    url = "http://commons.wikimedia.org/wiki/Category:"
    categories: list[dict[str, object]] = [
        {"split": split, "landmark_id": number, "category": url + name, "status": "ok"}
        for (split, number), name in zip(keys, NAMES, strict=True)
    ]
    categories[0]["page_title"] = "Category:St. Mary's, Bath"
    write_scrape(workspace, class_rows(landmarks), categories)
    of_church, of_chapel = ("Kölner Dom", "Twice", "Abbey"), ('Chapel of "X"', "St. Mary's, Bath")
    assert example_landmarks(workspace) == {"Q16970": of_church, "Q10": of_chapel}
    kinds = (CHURCHES, BARE)
    write_proposals(workspace, [{"class_qid": qid, "class_label": name} for qid, name in kinds])
    church, bare = rows_of(fill_in(workspace, {}))
    assert church["example_landmarks"] == "Kölner Dom | Twice | Abbey"
    assert church["example_link"].endswith("/Category:K%C3%B6lner_Dom")
    assert bare["wikidata"] == bare["example_landmarks"] == bare["example_link"] == ""


WD = "http://www.wikidata.org/entity/"
ODD = [
    *("a\"b'c\\d", "tab\tand\nline", "one\r\ntwo\rthree", '"""', "ends \\", "寺 “ü”"),
    *("<b> {x} %41", "\0\x07\x7f\b\f\u2028"),
]


def test_classes_are_below_super_category_and_side(clustered: Workspace, tmp_path: Path) -> None:
    codes = {"Q16970": "en", "Q9": None, "Q10": "de", "Q23397": "en"}
    labels = [
        {"class_qid": qid, "class_label": "x", "landmarks": 1, "label_language": code}
        for qid, code in codes.items()
    ]
    write_stage(clustered, [(LABELS, table_of(LABELS, labels))])
    decide(clustered, sheets.ALL | {"Q9": IGNORE | {"note": "why"}})
    path = tmp_path / "taxonomy.ttl"
    assert export_file(clustered, path) == 4
    graph = Graph().parse(path)
    items = {str(item).removeprefix(WD): node for node, item in graph[: SKOS.exactMatch]}
    assert set(items) == set(sheets.ALL)

    def above(node: Node) -> list[str]:
        return [str(graph.value(one, SKOS.prefLabel)) for one in graph.objects(node, SKOS.broader)]

    assert above(items["Q10"]) == above(items["Q16970"]) == ["church"]
    assert above(items["Q23397"]) == ["ocean area "]
    for qid, side in (("Q10", "human-made"), ("Q23397", "natural")):
        (super_category,) = graph.objects(items[qid], SKOS.broader)
        assert above(super_category) == [side]
    assert [*graph.objects(predicate=SKOS.member)] == [items["Q9"]]
    assert above(items["Q9"]) == []
    assert str(graph.value(items["Q9"], SKOS.editorialNote)) == "why"
    labelled = {qid: graph.value(node, SKOS.prefLabel) for qid, node in items.items()}
    assert {qid: one.language for qid, one in labelled.items()} == codes
    assert str(labelled["Q9"]) == "=HYPERLINK(1)"


def test_texts_of_any_characters_are_read_back() -> None:
    by_ann = partial(Decision, decided_at=WHEN, reviewer="ann", action="assign")
    to_nature = partial(by_ann, natural_or_human_made="natural")
    decisions = [
        to_nature(class_qid=f"Q{number}", class_label=one, hierarchical_label=f"x {one}", note=one)
        for number, one in enumerate(ODD, start=10**15)
    ]
    graph = Graph().parse(data=skos_text(decisions, {}, "after line 3"))
    notes = {str(note) for note in graph.objects(predicate=SKOS.editorialNote)}
    assert notes == set(ODD)
    assert not [*graph[: SKOS.exactMatch]]  # a label of a bare list is no item of Wikidata
    assert URIRef("urn:x-hgld:supercategory:x%20%22%22%22") in graph.subjects()
