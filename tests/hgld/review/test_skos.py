"""Decisions as SKOS, which other tools read."""

from pathlib import Path

from rdflib import SKOS, Graph, URIRef
from rdflib.term import Node

from hgld.engine.workspace import Workspace
from hgld.review.exporting import export_file, skos_text
from hgld.review.log.decisions import append_decisions
from hgld.review.log.history import Decision
from hgld.tables import LABELS
from tests.worlds.builders import table_of, write_stage
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, LAKE, decision_of

WD = "http://www.wikidata.org/entity/"
ODD = [
    "a\"b'c\\d",
    "tab\tand\nline",
    "one\r\ntwo\rthree",
    '"""',
    "ends \\",
    "寺 “ü”",
    *("<b> {x} %41", "\0\x07\x7f\b\f\u2028"),
]


def test_classes_are_below_their_super_category_and_its_side(
    clustered: Workspace, tmp_path: Path
) -> None:
    labels = [
        {"class_qid": one["class_qid"], "class_label": one["class_label"], "label_language": code}
        for one, code in zip(CLASSES, ("en", None, "de", "en"), strict=True)
    ]
    rows = [one | {"landmarks": 1} for one in labels]
    write_stage(clustered, [(LABELS, table_of(LABELS, rows))])
    cells = {"Q16970": CHURCH, "Q10": CHURCH, "Q9": IGNORE | {"note": "why"}}
    cells["Q23397"] = LAKE | {"action": "assign"}
    append_decisions(clustered, [decision_of(qid, one, "ann") for qid, one in cells.items()])
    path = tmp_path / "taxonomy.ttl"
    assert export_file(clustered, path) == 4
    graph = Graph().parse(path)
    items = {str(item).removeprefix(WD): node for node, item in graph[: SKOS.exactMatch]}
    assert set(items) == set(cells)

    def above(node: Node) -> list[str]:
        return [str(graph.value(one, SKOS.prefLabel)) for one in graph.objects(node, SKOS.broader)]

    assert above(items["Q10"]) == above(items["Q16970"]) == ["church"]
    (church,) = graph.objects(items["Q10"], SKOS.broader)
    assert above(church) == ["human-made"]
    (lake,) = graph.objects(items["Q23397"], SKOS.broader)
    assert (str(graph.value(lake, SKOS.prefLabel)), above(lake)) == ("ocean area ", ["natural"])
    assert [*graph.objects(predicate=SKOS.member)] == [items["Q9"]]
    assert above(items["Q9"]) == []
    assert str(graph.value(items["Q9"], SKOS.editorialNote)) == "why"
    labelled = {qid: graph.value(node, SKOS.prefLabel) for qid, node in items.items()}
    assert {qid: (str(one), one.language) for qid, one in labelled.items()} == {
        one["class_qid"]: (one["class_label"], one["label_language"]) for one in labels
    }


def odd_turtle() -> str:
    """Returns classes of a bare list, each with labels and a note that trip a writer of Turtle."""
    decisions = [
        Decision(
            decided_at="2026-01-01T00:00:00+00:00",
            reviewer="ann",
            class_qid=f"Q{number}",
            class_label=text,
            action="assign",
            hierarchical_label=f"x {text}",
            natural_or_human_made="natural",
            note=text,
        )
        for number, text in enumerate(ODD, start=10**15)
    ]
    return skos_text(decisions, {}, "after line 3")


def test_texts_of_any_characters_are_read_back() -> None:
    graph = Graph().parse(data=odd_turtle())
    notes = {str(note) for note in graph.objects(predicate=SKOS.editorialNote)}
    assert notes == set(ODD)
    assert not [*graph[: SKOS.exactMatch]]  # a label of a bare list is no item of Wikidata
    assert URIRef("urn:x-hgld:supercategory:x%20%22%22%22") in graph.subjects()
