"""The queries, answered by a SPARQL engine in this process, on the items that the lab has too."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia import queries
from hgld.scrape.wikimedia.wikidata import EVIDENCE, Entities, find, merged
from hgld.tables import qid_number
from tests.worlds.second_lab.files import Trap
from tests.worlds.second_lab.items import LABELS, evidence_key, evidence_traps, item_traps
from tests.worlds.wikimedia.answers import TIME
from tests.worlds.wikimedia.engine import answered

Query = Callable[[Sequence[str]], str]


def _ask(known: Entities, facts: Mapping[str, str], query: Query, qids: Iterable[str]) -> None:
    """Asks a SPARQL engine that knows facts."""
    qids = tuple(dict.fromkeys(qids))
    text = query(qids)
    answer = answered(text, facts, LABELS)
    raw = RawAnswer("http://127.0.0.1/query", {"query": text}, qids, TIME, answer)
    assert not known.doubt(raw)
    known.add(raw)


def _facts(traps: Sequence[Trap]) -> dict[str, str]:
    return {qid: told for trap in traps for qid, told in trap.facts.items()}


# One test for all: which of them a change of the code breaks depends on the change.
def test_every_item_leads_to_its_landmark_and_classes_with_their_labels() -> None:
    traps = list(item_traps())
    facts, items, classes = _facts(traps), Entities(), Entities()
    starts = [qid for trap in traps for qid in trap.items.values()]
    while asked := [found.ask for qid in starts if (found := find(qid, items)).ask]:
        _ask(items, facts, queries.item_query, asked)
    landmarks = [find(qid, items) for qid in starts]
    qids = [qid for found in landmarks for qid in found.classes]
    while left := [end for qid in qids if (end := merged(qid, classes)) not in classes]:
        _ask(classes, facts, queries.class_query, left)
    for trap, found in zip(traps, landmarks, strict=True):
        ends = {merged(qid, classes) for qid in found.classes}
        assert (trap.name, found.qid, ends) == (trap.name, trap.qid, set(trap.classes))
        assert list(found.classes) == sorted(found.classes, key=qid_number)
        for qid in ends:
            texts = LABELS.get(qid, {})
            best = next((language for language in ("en", "mul") if language in texts), None)
            assert classes[qid].label() == ((texts[best], best) if best else ("", None))


def test_every_class_comes_with_the_evidence_of_its_best_statements() -> None:
    traps, known = list(evidence_traps()), Entities()
    firsts = [list(trap.facts)[1] for trap in traps]
    _ask(known, _facts(traps), queries.evidence_query, firsts)
    ends = [merged(qid, known) for qid in firsts]
    assert ends == [qid for trap in traps for qid in trap.classes]
    asked = itertools.product(ends, EVIDENCE)
    found = [(qid, prop, text) for qid, prop in asked for text in known[qid].best_texts(prop)]
    assert sorted(found) == sorted(evidence_key())
    assert known["Q601"].best_texts("P1709") == ["http://dbpedia.org/ontology/Castle", "urn:x"]


def test_a_class_comes_with_what_it_was_merged_into_and_what_is_above_that() -> None:
    classes = Entities()
    facts = {"Q13": "=Q10", "Q10": "P279:Q200 P279:Q21"}
    _ask(classes, facts, queries.class_query, ["Q13"])
    assert classes["Q13"].merged_into == "Q10"
    assert list(classes["Q10"].best("P279")) == ["Q21", "Q200"]
