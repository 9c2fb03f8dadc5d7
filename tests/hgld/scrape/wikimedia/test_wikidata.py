"""From an item to its classes, on answers shaped as the SPARQL service's."""

import dataclasses
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.wikidata import (
    CATEGORY_ITEM,
    INSTANCE_OF,
    MAIN_TOPIC,
    Entities,
    Found,
    find,
    goes_too_far,
    is_qid,
    item_query,
    merged,
)

_WD = "http://www.wikidata.org/entity/"


def _entities(keys: list[str], *bindings: dict[str, Any]) -> Entities:
    entities = Entities()
    entities.add(_answer(keys, list(bindings)))
    return entities


def _answer(keys: list[str], bindings: list[dict[str, Any]]) -> RawAnswer:
    time = datetime(2026, 11, 25, tzinfo=UTC)
    return RawAnswer("x", {}, tuple(keys), time, {"results": {"bindings": bindings}})


def _statement(
    qid: str, value: dict[str, str] | str | None, rank: str = "Normal", prop: str = INSTANCE_OF
) -> dict[str, Any]:
    binding: dict[str, Any] = {
        "entity": {"value": _WD + qid},
        "property": {"value": prop},
        "statement": {"value": f"{_WD}statement/{qid}-{prop}-{value}-{rank}"},
        "rank": {"value": f"http://wikiba.se/ontology#{rank}Rank"},
    }
    if isinstance(value, str):
        binding["value"] = {"type": "uri", "value": _WD + value}
    elif value is not None:
        binding["value"] = value
    return binding


def _same(qid: str, target: str) -> dict[str, Any]:
    return {
        "entity": {"value": _WD + qid},
        "property": {"value": "sameAs"},
        "value": {"type": "uri", "value": _WD + target},
    }


def _label(qid: str, language: str, text: str) -> dict[str, Any]:
    return {
        "entity": {"value": _WD + qid},
        "property": {"value": "label"},
        "value": {"type": "literal", "value": text, "xml:lang": language},
    }


@pytest.mark.parametrize(
    "value",
    [
        {"type": "bnode", "value": "t123"},
        {"type": "uri", "value": "http://www.wikidata.org/.well-known/genid/abc"},
        None,
    ],
    ids=["blank node", "genid", "no value"],
)
def test_an_unknown_value_is_no_class_but_counts_for_the_rank(value: dict[str, str] | None) -> None:
    entities = _entities(["Q1"], _statement("Q1", "Q10"), _statement("Q1", value, "Preferred"))
    assert find("Q1", entities).classes == {}


def test_items_merged_into_each_other_do_not_turn_for_ever() -> None:
    assert merged("Q1", _entities([], _same("Q1", "Q2"), _same("Q2", "Q1"))) == "Q2"


@pytest.mark.parametrize("hops", [10, 11])
@pytest.mark.parametrize("is_topic", [False, True])
def test_a_way_of_more_than_ten_merges_and_topics_has_no_end(hops: int, is_topic: bool) -> None:
    ids = [f"Q{n}" for n in range(1, hops + 2)]
    facts = [_same(*pair) for pair in itertools.pairwise(ids)]
    if is_topic:
        facts = [_statement(*pair, prop=MAIN_TOPIC) for pair in itertools.pairwise(ids)]
        facts += [_statement(qid, CATEGORY_ITEM) for qid in ids[:-1]]
    entities = _entities(ids, *facts, _statement(ids[-1], "Q99"))
    end = Found(qid="Q11", classes={"Q99": "normal"}) if hops == 10 else Found(ask="Q1")
    assert find("Q1", entities) == end
    assert goes_too_far("Q1", entities) == (hops == 11 and not is_topic)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "uri", "value": "https://www.wikidata.org/entity/Q10"},
        {"type": "literal", "value": "Q10"},
        {"type": "literal", "value": "http://www.wikidata.org/entity/Q10"},
    ],
)
def test_an_item_is_read_by_either_scheme_and_by_its_id(value: dict[str, str]) -> None:
    assert _entities(["Q1"], _statement("Q1", value))["Q1"].best(INSTANCE_OF) == {"Q10": "normal"}


def test_what_is_missing_is_asked_for() -> None:
    assert find("Q1", Entities()) == Found(ask="Q1")
    assert find("Q1", _entities(["Q1"], _same("Q1", "Q2"))) == Found(ask="Q2")


def test_equal_facts_are_kept_once_and_others_apart() -> None:
    entities = _entities(
        ["Q1", "Q2", "Q3", "Q4", "Q5"],
        *(_statement(qid, "Q9") for qid in ("Q1", "Q2")),
        _statement("Q3", "Q9", "Preferred"),
        _statement("Q4", "Q9", prop=MAIN_TOPIC),
        _statement("Q5", "Q9"),
        _label("Q5", "en", "tower"),
    )
    assert entities["Q1"] is entities["Q2"]
    assert len({id(entities[f"Q{number}"]) for number in range(1, 6)}) == 4


def test_an_item_that_no_binding_speaks_of_is_known_to_have_no_class() -> None:
    # As long as the query asked for no row of it.
    assert not Entities().doubt(_answer(["Q1"], []))
    assert find("Q1", _entities(["Q1"])) == Found(qid="Q1", classes={})


@pytest.mark.parametrize("text", ["Q1", "Q9200000001", f"Q{(1 << 63) - 1}"])
def test_a_q_id_is_one(text: str) -> None:
    assert is_qid(text)


@pytest.mark.parametrize(
    "text",
    ["", "Q", "Q0", "Q01", "X1", "Q1 ", "Q1\n", "q1", "Q1}", "Q²", f"Q{1 << 63}", "Q" + "9" * 20],
)
def test_anything_else_is_not_and_never_gets_into_a_query(text: str) -> None:
    assert not is_qid(text)


def _evidence(prop: str, value: dict[str, str] | None, rank: str = "Normal") -> dict[str, Any]:
    return _statement("Q1", value, rank, prop)


def _tag(text: str) -> dict[str, str]:
    return {"type": "literal", "value": text}


def test_of_evidence_the_best_statements_count_in_the_order_of_characters() -> None:
    entity = _entities(
        ["Q1"],
        _evidence("P1282", _tag("Tag:b=c")),
        _evidence("P1282", {"type": "typed-literal", "value": "Key:a"}),
        _evidence("P1282", _tag("Tag:old=yes"), "Deprecated"),
        _evidence("P8814", _tag("00001740-n")),
        _evidence("P8814", _tag("00001930-n"), "Preferred"),
        _evidence("P1709", {"type": "uri", "value": "urn:x"}),
    )["Q1"]
    assert entity.best_texts("P1282") == ["Key:a", "Tag:b=c"]
    assert entity.best_texts("P8814") == ["00001930-n"]
    assert entity.best_texts("P1709") == ["urn:x"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "bnode", "value": "t123"},
        {"type": "bnode", "value": "nodeID://b10001"},
        {"type": "uri", "value": "http://www.wikidata.org/.well-known/genid/abc"},
        None,
    ],
    ids=["blank node", "Virtuoso's", "genid", "no value"],
)
@pytest.mark.parametrize("prop", ["P1282", "P1709", "P8814"])
def test_an_unknown_value_is_no_evidence_but_counts(
    value: dict[str, str] | None, prop: str
) -> None:
    known = {"type": "uri" if prop == "P1709" else "literal", "value": "urn:x"}
    beside = _entities(["Q1"], _evidence(prop, value), _evidence(prop, known))
    assert beside["Q1"].best_texts(prop) == ["urn:x"]
    above = _entities(["Q1"], _evidence(prop, value, "Preferred"), _evidence(prop, known))
    assert above["Q1"].best_texts(prop) == []


_LITERAL = {"type": "literal", "value": "x"}


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "binding",
    [
        {},
        {"entity": {"value": 7}},
        {"entity": "Q1", "property": {"value": "asked"}},
        {"entity": {"value": f"{_WD}Q{1 << 63}"}, "property": {"value": "asked"}},
        {"entity": {"value": f"{_WD}Q1"}},
        {**_same("Q1", "Q2"), "property": {"value": "P32"}},
        {**_statement("Q1", "Q2"), "rank": {"value": "http://wikiba.se/ontology#FineRank"}},
        {**_statement("Q1", "Q2"), "rank": None},
        {**_statement("Q1", "Q2"), "value": "Q2"},
        _statement("Q1", f"Q{1 << 63}"),
        _statement("Q1", "L5"),
        _statement("Q1", {"type": "literal", "value": "wd:Q10"}),
        _statement("Q1", {"type": "uri", "value": "ftp://www.wikidata.org/entity/Q10"}),
        _statement("Q1", "Q105\ud800"),
        {**_label("Q1", "en", "x"), "value": {"type": "literal", "value": "x"}},
        {**_label("Q1", "en", "x"), "value": {"value": 7, "xml:lang": "en"}},
        _label("Q1", "en", "a\nb"),
        _label("Q1", "en", "a\0"),
        _label("Q1", "en", "a\ud800"),
        _evidence("P1282", {"type": "uri", "value": "urn:x"}),
        _evidence("P1282", {"value": "Tag:a=b"}),
        _evidence("P1282", {"type": "literal", "value": "a\nb"}),
        _evidence("P1709", _LITERAL),
        _evidence("P8814", {"type": "uri", "value": "urn:x"}),
    ],
)
def test_an_odd_answer_is_refused_and_nothing_of_it_taken(binding: dict[str, Any]) -> None:
    entities = Entities()
    with pytest.raises(ValueError, match="must be"):
        entities.add(_answer(["Q5"], [_statement("Q5", "Q9"), binding]))
    assert "Q5" not in entities


@pytest.mark.parametrize(
    "answer", [7, {}, {"results": 7}, {"results": {}}, {"results": {"bindings": {"x": 1}}}], ids=str
)
def test_an_answer_without_results_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        Entities().add(dataclasses.replace(_answer([], []), answer=answer))


@pytest.mark.fault(57, "answer without some of what was asked")
def test_an_answer_without_the_row_of_a_key_is_doubted_and_refused() -> None:
    bindings = [{"entity": {"value": _WD + "Q1"}, "property": {"value": "asked"}}]
    query = {"query": item_query(["Q1", "Q2"])}
    whole = dataclasses.replace(_answer(["Q1"], bindings), request=query)
    assert not Entities().doubt(whole)
    cut = dataclasses.replace(_answer(["Q1", "Q2"], bindings), request=query)
    entities = Entities()
    assert entities.doubt(cut)
    with pytest.raises(ValueError, match="Q2"):
        entities.add(cut)
    assert "Q1" not in entities
