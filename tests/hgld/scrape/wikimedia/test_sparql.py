"""The queries, answered by a SPARQL engine in this process."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import rdflib  # which SPARQLWrapper brings

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.wikidata import (
    Entities,
    Found,
    class_query,
    evidence_query,
    find,
    item_query,
)
from tests.worlds.second_lab.files import triples_of

_FACTS = {
    "Q1": "P31:Q10 P31:Q11+ P31:Q12- P17:Q9",
    "Q2": "P31:some",
    "Q3": "=Q4",
    "Q4": "P31:Q10",
    "Q5": "P31:Q4167836 P301:Q6",
    "Q6": "P31:Q11 P31:no",
    "Q10": "P279:Q20 P279:Q21 P1282:Tag:a=b P1709:urn:x P8814:00001740-n",
    "Q11": "P279:some P1282:Key:c- P1282:some",
    "Q13": "=Q10",
}
_LABELS = {
    "Q10": {"en": "tower", "mul": "TOWER", "de": "Turm", "en-gb": "Tower"},
    "Q11": {"mul": "Burg"},
}


def _asked(query: str, qids: Sequence[str]) -> Entities:
    graph = rdflib.Graph()
    graph.parse(data="\n".join(triples_of(_FACTS, _LABELS)), format="nt")
    answer = json.loads(graph.query(query).serialize(format="json") or b"")
    entities = Entities()
    raw = RawAnswer(
        endpoint="http://127.0.0.1/query",
        request={"query": query},
        keys=tuple(qids),
        fetched_at=datetime(2026, 11, 25, tzinfo=UTC),
        answer=answer,
    )
    assert not entities.doubt(raw)
    entities.add(raw)
    return entities


def test_items_come_with_their_classes_by_rank_their_merges_and_their_topics() -> None:
    qids = ["Q1", "Q2", "Q3", "Q5", "Q7"]
    found = _asked(item_query(qids), qids)
    assert find("Q1", found) == Found(qid="Q1", classes={"Q11": "preferred"})
    assert find("Q2", found) == Found(qid="Q2", classes={})
    assert find("Q3", found) == Found(qid="Q4", classes={"Q10": "normal"})
    assert find("Q5", found) == Found(qid="Q6", classes={"Q11": "normal"})
    # Of one that the service does not know there is the row that says so.
    assert find("Q7", found) == Found(qid="Q7", classes={})
    assert {len(statements) for statements in found["Q1"].statements.values()} == {2}


def test_classes_come_with_their_labels_and_superclasses() -> None:
    qids = ["Q10", "Q11", "Q13"]
    found = _asked(class_query(qids), qids)
    assert found["Q10"].labels == {"en": "tower", "mul": "TOWER"}
    assert list(found["Q10"].best("P279")) == ["Q20", "Q21"]
    assert (found["Q11"].labels, found["Q11"].best("P279")) == ({"mul": "Burg"}, {})
    assert found["Q13"].merged_into == "Q10"


def test_evidence_comes_with_its_texts_and_unknown_values() -> None:
    qids = ["Q11", "Q13"]
    found = _asked(evidence_query(qids), qids)
    assert found["Q13"].merged_into == "Q10"
    told = {prop: found["Q10"].best_texts(prop) for prop in ("P1282", "P1709", "P8814")}
    assert told == {"P1282": ["Tag:a=b"], "P1709": ["urn:x"], "P8814": ["00001740-n"]}
    assert found["Q11"].best_texts("P1282") == []
    assert found["Q10"].labels == {}
