"""Entities of the JSON dump and of the truthy dump."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hgld.errors import InputError
from hgld.scrape.dumps.entities import read_json_entities, read_truthy_entities
from hgld.scrape.wikimedia.wikidata import Entity, Statement

_WD = "http://www.wikidata.org"
_LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"


def _json(path: Path, *lines: str, end: str = "\n]\n") -> Path:
    path.write_bytes(gzip.compress(("[\n" + ",\n".join(lines) + end).encode()))
    return path


def _triples(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def _claim(rank: str, **snak: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"mainsnak": snak, "type": "statement", "rank": rank}


def test_statements_of_the_json_dump_keep_their_rank(tmp_path: Path) -> None:
    value = {"value": {"entity-type": "item", "numeric-id": 2, "id": "Q2"}}
    old = {"value": {"entity-type": "item", "numeric-id": 3}}
    claims = {
        "P31": [
            _claim("normal", snaktype="value", datavalue=value),
            _claim("preferred", snaktype="value", datavalue=old),
            _claim("deprecated", snaktype="value", datavalue=value),
            _claim("normal", snaktype="somevalue"),
            _claim("normal", snaktype="novalue"),
        ],
        "P17": [_claim("normal", snaktype="value", datavalue=value)],
    }
    labels = {
        "de": {"language": "de", "value": "Burg"},
        "en": {"language": "en", "value": "Qasr \u202e"},
    }
    line = json.dumps({"type": "item", "id": "Q1", "labels": labels, "claims": claims})
    found = read_json_entities(_json(tmp_path / "d", line), {"Q1", "Q9"})
    statements = [
        Statement("normal", "Q2"),
        Statement("preferred", "Q3"),
        Statement("normal", ""),
        Statement("normal", ""),
    ]
    assert found == {"Q1": Entity(labels={"en": "Qasr \u202e"}, statements={"P31": statements})}


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"item","id":"Q1","labels":[],"claims":[]}',
        '{"id":"Q1","labels":{},"claims":{},"type":"item"}',
        '{"pageid":7,"ns":0,"title":"Q1","modified":"","type":"item","id":"Q1","labels":{},"claims":{}}',
        '{ "type" : "item" , "id" : "Q1" , "labels" : {} , "claims" : {} }',
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 30, 1 << 20])
def test_an_entity_is_found_in_any_order_of_its_fields(
    tmp_path: Path, line: str, block_bytes: int
) -> None:
    other = '{"type":"property","id":"P1","labels":{},"claims":{}}'
    path = _json(tmp_path / "d", other, line, other)
    assert read_json_entities(path, {"Q1"}, block_bytes) == {"Q1": Entity()}


def test_an_entity_that_is_not_wanted_is_not_parsed(tmp_path: Path) -> None:
    path = _json(tmp_path / "d", '{"type":"item","id":"Q2", this is no JSON')
    assert read_json_entities(path, {"Q1"}) == {}
    with pytest.raises(InputError, match="entity"):
        read_json_entities(path, {"Q2"})


def test_a_json_dump_without_its_end_is_refused(tmp_path: Path) -> None:
    line = '{"type":"item","id":"Q1","labels":[],"claims":[]}'
    with pytest.raises(InputError, match="cut off"):
        read_json_entities(_json(tmp_path / "d", line, end=",\n"), {"Q1"})


@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 20])
def test_facts_of_the_truthy_dump_are_the_best(tmp_path: Path, block_bytes: int) -> None:
    path = _triples(
        tmp_path / "d",
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/P31> <{_WD}/entity/Q2> .",
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/P31> _:b7 .",
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/P31> <{_WD}/.well-known/genid/0a> .",
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/P311> <{_WD}/entity/Q3> .",
        f"<{_WD}/entity/Q1> <{_WD}/prop/P31> <{_WD}/entity/statement/Q1-a> .",
        f"<{_WD}/entity/Q12> <{_WD}/prop/direct/P31> <{_WD}/entity/Q3> .",
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/P279> <{_WD}/entity/Q4> .",
        f"<{_WD}/entity/Q5> <http://www.w3.org/2002/07/owl#sameAs> <{_WD}/entity/Q1> .",
    )
    found = read_truthy_entities(path, {"Q1", "Q5"}, block_bytes)
    statements = {
        "P31": [Statement("best", "Q2"), Statement("best", ""), Statement("best", "")],
        "P279": [Statement("best", "Q4")],
    }
    assert found == {"Q1": Entity(statements=statements), "Q5": Entity(merged_into="Q1")}
    assert found["Q1"].best("P31") == {"Q2": "best"}


def test_labels_of_the_truthy_dump_are_unescaped(tmp_path: Path) -> None:
    path = _triples(
        tmp_path / "d",
        rf'<{_WD}/entity/Q1> {_LABEL} "a \"b\" \\n \u00e9 \U0001F600\t."@en .',
        rf'<{_WD}/entity/Q1> {_LABEL} "plain é"@mul .',
        rf'<{_WD}/entity/Q1> {_LABEL} "British"@en-gb .',
        rf'<{_WD}/entity/Q1> <http://schema.org/description> "no label"@en .',
    )
    labels = {"en": 'a "b" \\n é 😀\t.', "mul": "plain é"}
    assert read_truthy_entities(path, {"Q1"}) == {"Q1": Entity(labels=labels)}


def test_evidence_of_the_json_dump_is_text_as_it_is(tmp_path: Path) -> None:
    claims = {
        "P1282": [
            _claim("preferred", snaktype="value", datavalue={"value": "Tag:a=b", "type": "string"}),
            _claim("normal", snaktype="somevalue"),
            _claim("deprecated", snaktype="value", datavalue={"value": "Key:c", "type": "string"}),
        ],
        "P1709": [
            _claim("normal", snaktype="value", datavalue={"value": "urn:x", "type": "string"})
        ],
    }
    line = json.dumps({"type": "item", "id": "Q1", "labels": [], "claims": claims})
    (entity,) = read_json_entities(_json(tmp_path / "d", line), {"Q1"}).values()
    assert entity.statements == {
        "P1282": [Statement("preferred", "Tag:a=b"), Statement("normal", "")],
        "P1709": [Statement("normal", "urn:x")],
    }
    assert entity.best_texts("P1282") == ["Tag:a=b"]
    assert entity.best_texts("P8814") == []


@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 20])
def test_evidence_of_the_truthy_dump_is_unescaped_and_unknown_where_no_value_is(
    tmp_path: Path, block_bytes: int
) -> None:
    terms = {
        "P1282": {
            r'"a \"b\" \u00e9"': 'a "b" \u00e9',
            '"typed"^^<http://www.w3.org/2001/XMLSchema#string>': "typed",
            "_:b7": "",
            f"<{_WD}/.well-known/genid/0a>": "",
        },
        "P1709": {
            "<http://example.org/%C3%A9?a#b>": "http://example.org/%C3%A9?a#b",
            r"<urn:x:\u00e9>": "urn:x:\u00e9",
            f"<{_WD}/entity/Q5>": f"{_WD}/entity/Q5",
            f"<{_WD}/.well-known/genid/0b>": "",
        },
        "P8814": {'"00001740-n"': "00001740-n"},
    }
    lines = [
        f"<{_WD}/entity/Q1> <{_WD}/prop/direct/{prop}> {term} ."
        for prop, known in terms.items()
        for term in known
    ]
    found = read_truthy_entities(_triples(tmp_path / "d", *lines), {"Q1"}, block_bytes)
    assert found["Q1"].statements == {
        prop: [Statement("best", value) for value in known.values()]
        for prop, known in terms.items()
    }


def test_an_empty_truthy_dump_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        read_truthy_entities(_triples(tmp_path / "d"), {"Q1"})
