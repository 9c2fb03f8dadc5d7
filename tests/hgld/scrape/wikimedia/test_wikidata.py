"""From an item to its classes, on answers shaped as the SPARQL service's."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from hgld.errors import InputError
from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia import queries, wikidata
from hgld.scrape.wikimedia.answers import _MOST_NEAR
from hgld.scrape.wikimedia.wikidata import INSTANCE_OF, MAIN_TOPIC, Entities, Found, find, is_qid
from tests.worlds.wikimedia.answers import answer_of

_WD = "http://www.wikidata.org/entity/"
Term = Mapping[str, Any]
Binding = dict[str, Any]


def _entities(keys: list[str], *bindings: Binding) -> Entities:
    entities = Entities()
    entities.add(_answer(keys, *bindings))
    return entities


def _answer(keys: list[str], *bindings: Binding) -> RawAnswer:
    return dataclasses.replace(answer_of(keys), answer={"results": {"bindings": [*bindings]}})


def _binding(qid: str, prop: str, value: Term | str | None, **more: Term) -> Binding:
    """Returns what a result says of an item; the value is a term, a Q-id or none."""
    if isinstance(value, str):
        value = {"type": "uri", "value": _WD + value}
    terms = {"entity": {"value": _WD + qid}, "property": {"value": prop}, **more}
    return terms if value is None else {**terms, "value": value}


def _statement(
    qid: str, value: Term | str | None, rank: str = "Normal", prop: str = INSTANCE_OF
) -> Binding:
    return _binding(qid, prop, value, rank={"value": f"http://wikiba.se/ontology#{rank}Rank"})


def _same(qid: str, target: str) -> Binding:
    return _binding(qid, "sameAs", target)


def _label(qid: str, language: str, text: str) -> Binding:
    return _binding(qid, "label", {"type": "literal", "value": text, "xml:lang": language})


@pytest.mark.parametrize(
    "value",
    [
        {"type": "bnode", "value": "t123"},
        {"type": "bnode", "value": "nodeID://b10001"},
        {"type": "uri", "value": "http://www.wikidata.org/.well-known/genid/abc"},
        None,
    ],
)
@pytest.mark.parametrize("prop", ["P31", "P1282", "P1709", "P8814"])
def test_an_unknown_value_is_none_but_counts_for_the_rank(value: Term | None, prop: str) -> None:
    is_text = prop in {"P1282", "P8814"}
    known = {"type": "literal" if is_text else "uri", "value": f"{_WD}Q10"}
    facts = [_statement("Q1", one, prop=prop) for one in (value, known)]
    (best,) = _entities(["Q1"], *facts)["Q1"].best_texts(prop)
    assert best == ("Q10" if prop == INSTANCE_OF else f"{_WD}Q10")
    above = _entities(["Q1"], *facts, _statement("Q1", value, "Preferred", prop))
    assert above["Q1"].best_texts(prop) == []
    assert find("Q1", above).classes == {}


def test_items_merged_into_each_other_do_not_turn_for_ever() -> None:
    assert wikidata.merged("Q1", _entities([], _same("Q1", "Q2"), _same("Q2", "Q1"))) == "Q2"


@pytest.mark.parametrize("hops", [10, 11])
@pytest.mark.parametrize("is_topic", [False, True])
def test_a_way_of_more_than_ten_merges_and_topics_has_no_end(hops: int, is_topic: bool) -> None:
    ids = [f"Q{n}" for n in range(1, hops + 2)]
    facts = [_same(*pair) for pair in itertools.pairwise(ids)]
    if is_topic:
        facts = [_statement(*pair, prop=MAIN_TOPIC) for pair in itertools.pairwise(ids)]
        facts += [_statement(qid, wikidata.CATEGORY_ITEM) for qid in ids[:-1]]
    entities = _entities(ids, *facts, _statement(ids[-1], "Q99"))
    end = Found(qid="Q11", classes={"Q99": "normal"}) if hops == 10 else Found(ask="Q1")
    assert find("Q1", entities) == end
    assert wikidata.goes_too_far("Q1", entities) == (hops == 11 and not is_topic)


@pytest.mark.parametrize("text", ["https://www.wikidata.org/entity/Q10", "Q10", f"{_WD}Q10"])
def test_an_item_is_read_by_either_scheme_and_by_its_id(text: str) -> None:
    entities = _entities(["Q1"], _statement("Q1", {"type": "literal", "value": text}))
    assert entities["Q1"].best(INSTANCE_OF) == {"Q10": "normal"}


def test_facts_that_are_no_longer_in_memory_are_as_they_were() -> None:
    qids = [f"Q{number}" for number in range(1, 2 * _MOST_NEAR + 2)]
    entities = _entities(qids, *(_statement(qid, f"{qid}0", "Preferred") for qid in qids))
    first = entities["Q1"]
    assert [entities[qid].statements[0].value for qid in qids] == [f"{qid}0" for qid in qids]
    assert entities["Q1"] == first
    assert entities["Q1"] is not first
    assert (len(entities), sorted(entities)) == (len(qids), sorted(qids))


def test_a_later_answer_replaces_a_fact_that_was_read_before() -> None:
    entities = _entities(["Q1"], _statement("Q1", "Q8"))
    assert entities["Q1"].statements[0].value == "Q8"
    entities.add(_answer(["Q1"], _statement("Q1", "Q9")))
    assert [one.value for one in entities["Q1"].statements] == ["Q9"]


def test_a_full_disk_is_said() -> None:
    entities = _entities(["Q1"])
    entities._file.execute("PRAGMA max_page_count = 2")
    with pytest.raises(InputError, match="temporary file: database or disk is full; make room"):
        entities.add(_answer(["Q2"], _label("Q2", "en", "tower " * 10_000)))


def test_an_item_that_no_binding_speaks_of_is_known_to_have_no_class() -> None:
    # As long as the query asked for no row of it.
    assert not Entities().doubt(_answer(["Q1"]))
    assert find("Q1", _entities(["Q1"])) == Found(qid="Q1", classes={})


def test_only_a_q_id_that_a_table_can_hold_gets_into_a_query() -> None:
    assert all(map(is_qid, ("Q1", "Q9200000001", f"Q{(1 << 63) - 1}")))
    odd = ("", "Q", "Q0", "Q01", "X1", "Q1 ", "Q1\n", "q1", "Q1}", "Q²", f"Q{1 << 63}")
    assert [text for text in odd if is_qid(text)] == []


def _evidence(prop: str, text: str, kind: str = "literal") -> Binding:
    return _statement("Q1", {"type": kind, "value": text}, prop=prop)


def _place(**numbers: str) -> Binding:
    globe = _statement("Q1", "Q2", prop="P625")
    return globe | {name: {"value": number} for name, number in numbers.items()}


# What an error begins with, so that the field is found in the answer.
_FIELD = (
    r"^(the answer|results|bindings|entity|property|rank|(type of a )?value( of P\d+)?|"
    r"(language of a )?label|the number of a Q-id|latitude|precision) must be [a-z]"
)


_ODD: list[Binding] = [
    {},
    {"entity": {"value": 7}},
    {"entity": "Q1", "property": {"value": "asked"}},
    {"entity": {"value": f"{_WD}Q{1 << 63}"}, "property": {"value": "asked"}},
    {"entity": {"value": f"{_WD}Q1"}},
    {**_same("Q1", "Q2"), "property": {"value": "P32"}},
    {**_statement("Q1", "Q2"), "rank": {"value": "http://wikiba.se/ontology#FineRank"}},
    {**_statement("Q1", "Q2"), "rank": None},
    {**_statement("Q1", "Q2"), "value": "Q2"},
    *(_statement("Q1", odd) for odd in (f"Q{1 << 63}", "L5", "Q105\ud800")),
    _evidence("P31", "wd:Q10"),
    _evidence("P31", "ftp://www.wikidata.org/entity/Q10", kind="uri"),
    _binding("Q1", "label", {"type": "literal", "value": "x"}),
    _binding("Q1", "label", {"value": 7, "xml:lang": "en"}),
    *(_label("Q1", "en", odd) for odd in ("a\nb", "a\0", "a\ud800")),
    *(_evidence(prop, "urn:x", kind="uri") for prop in ("P1282", "P8814")),
    _statement("Q1", {"value": "Tag:a=b"}, prop="P1282"),
    _evidence("P1282", "a\nb"),
    _evidence("P1709", "x"),
    _statement("Q1", {"type": 7, "value": "x"}, prop="P1282"),
    *(_place(latitude=odd, longitude="0") for odd in ("90.1", "-91", "nan")),
    _place(precision="361"),
]


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "answer",
    [
        *(7, {}, {"results": 7}, {"results": {}}, {"results": {"bindings": {"x": 1}}}),
        *({"results": {"bindings": [_statement("Q5", "Q9"), odd]}} for odd in _ODD),
    ],
)
def test_an_odd_answer_is_refused_by_its_field_and_nothing_of_it_taken(answer: object) -> None:
    entities = Entities()
    with pytest.raises(ValueError, match=_FIELD):
        entities.add(dataclasses.replace(answer_of(["Q5"]), answer=answer))
    assert "Q5" not in entities


@pytest.mark.fault(57, "answer without some of what was asked")
def test_an_answer_without_the_row_of_a_key_is_doubted_and_refused() -> None:
    row, query = _binding("Q1", "asked", None), {"query": queries.item_query(["Q1", "Q2"])}
    answers = (_answer(keys, row) for keys in (["Q1"], ["Q1", "Q2"]))
    whole, cut = (dataclasses.replace(answer, request=query) for answer in answers)
    assert not Entities().doubt(whole)
    entities = Entities()
    assert entities.doubt(cut)
    with pytest.raises(ValueError, match="Q2"):
        entities.add(cut)
    assert "Q1" not in entities
