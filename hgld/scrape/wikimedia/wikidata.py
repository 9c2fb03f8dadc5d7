"""Wikidata: from an item to its classes, by SPARQL: what is asked, and what the answers say.

`item_query` asks for the *instance of* (P31) and *main topic* (P301) statements of items,
`class_query` for the labels and *subclass of* (P279) statements of classes, and `evidence_query`
for what classes are called elsewhere (`EVIDENCE`); all of them for merges.
`Entities` reads of the answers the bindings, one fact each, and nothing else:

    {"results": {"bindings": [
        {"entity": {"value": "http://www.wikidata.org/entity/Q1"},
         "property": {"value": "P31"},
         "statement": {"value": "http://www.wikidata.org/entity/statement/Q1-a"},
         "rank": {"value": "http://wikiba.se/ontology#NormalRank"},
         "value": {"type": "uri", "value": "http://www.wikidata.org/entity/Q2"}},
        {"entity": ..., "property": {"value": "label"},
         "value": {"type": "literal", "value": "castle", "xml:lang": "en"}},
        {"entity": ..., "property": {"value": "sameAs"},
         "value": {"type": "uri", "value": "http://www.wikidata.org/entity/Q3"}}]}}

A statement with no `value`, a blank node or the URI that stands for one has an unknown value: it
gives no class, and counts all the same when the best rank is chosen. Any other value is an item, by
its URI (http: or https:) or its Q-id, or the answer is refused. The value of a property of
`EVIDENCE` is a literal, or a URI of any scheme, and kept as it is written.

Each query asks for a row of its own for every entity that it names, `{"entity": ..., "property":
{"value": "asked"}}`, so that an entity of which there is nothing to say is told from one that a
service in trouble has left out. An answer without one of those rows is no whole answer.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.answers import MAX_INT64, Facts, entries_of, fields_of, line_of
from hgld.tables import qid_number

INSTANCE_OF = "P31"
SUBCLASS_OF = "P279"
MAIN_TOPIC = "P301"
OSM_TAG = "P1282"
EQUIVALENT_CLASS = "P1709"
WORDNET_SYNSET = "P8814"
EVIDENCE = (OSM_TAG, EQUIVALENT_CLASS, WORDNET_SYNSET)
"""What a class is called elsewhere: as in `Tag:amenity=cafe`, by the URL of a class of another
ontology, as in `00001740-n` of WordNet 3.1. Their values are text, those of others are items."""
CATEGORY_ITEM = "Q4167836"
"""Wikimedia category: an item with this class stands for a category, not for its topic."""

LABEL_LANGUAGES = ("en", "mul")
"""In order of preference; `mul` holds what is written alike in many languages."""

MOST_HOPS = 10
"""Of merges and main topics one after another: more is no landmark's way, but a trap."""

_ENTITY = re.compile(r"https?://www\.wikidata\.org/entity/")
# How the URI of an unknown value starts, where it is no blank node.
_UNKNOWN = re.compile(r"https?://www\.wikidata\.org/\.well-known/genid/")

_ASKED = 'BIND("asked" AS ?property)'
"""The pattern for the row that every query asks for, for each item that it names."""

_MERGE_FACTS = '?entity owl:sameAs ?value . BIND("sameAs" AS ?property)'
_LABEL_FACTS = (
    '?entity rdfs:label ?value . FILTER(LANG(?value) IN ("en", "mul")) BIND("label" AS ?property)'
)

_PREFIXES = """PREFIX wd: <http://www.wikidata.org/entity/>
PREFIX wdt: <http://www.wikidata.org/prop/direct/>
PREFIX p: <http://www.wikidata.org/prop/>
PREFIX ps: <http://www.wikidata.org/prop/statement/>
PREFIX wikibase: <http://wikiba.se/ontology#>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
"""
_TERMS = {
    OSM_TAG: ("literal", "typed-literal"),
    EQUIVALENT_CLASS: ("uri",),
    WORDNET_SYNSET: ("literal", "typed-literal"),
}
_QID = re.compile(r"Q[1-9][0-9]*", re.ASCII)
_MAX_DIGITS = len(str(MAX_INT64))
_RANKS = {"PreferredRank": "preferred", "NormalRank": "normal", "DeprecatedRank": "deprecated"}
_BEST_FIRST = ("preferred", "normal")


def is_qid(text: str) -> bool:
    """Says whether a text is a Q-id that a table can hold: others would break the query."""
    if not _QID.fullmatch(text) or len(text) > 1 + _MAX_DIGITS:
        return False
    return qid_number(text) <= MAX_INT64


def checked_qid(text: str) -> str:
    """Returns a text that may be a Q-id.

    Raises:
        ValueError: it looks like one, and its number is larger than a table can hold.
    """
    if _QID.fullmatch(text) and not is_qid(text):
        raise ValueError(f"the number of a Q-id must be at most {MAX_INT64}, got {text[:60]}")
    return text


def item_query(qids: Iterable[str]) -> str:
    """Returns the query for the facts of items, of what they were merged into, and of their topics.

    Args:
        qids: Q-ids, at most 500.
    """
    return _facts_query(
        qids,
        links=("owl:sameAs", "wdt:P301"),
        facts=(_MERGE_FACTS, _statements_of(INSTANCE_OF), _statements_of(MAIN_TOPIC)),
    )


def class_query(qids: Iterable[str]) -> str:
    """Returns the query for the facts of classes, and of what they were merged into.

    Args:
        qids: Q-ids, at most 500.
    """
    return _facts_query(
        qids, links=("owl:sameAs",), facts=(_MERGE_FACTS, _LABEL_FACTS, _statements_of(SUBCLASS_OF))
    )


def evidence_query(qids: Iterable[str]) -> str:
    """Returns the query for what classes, and what they were merged into, are called elsewhere.

    Args:
        qids: Q-ids, at most 500.
    """
    return _facts_query(
        qids,
        links=("owl:sameAs",),
        facts=(_MERGE_FACTS, *(_statements_of(prop) for prop in EVIDENCE)),
    )


def _statements_of(prop: str) -> str:
    """Returns the pattern for every statement of a property, with its rank."""
    # Not `wdt:`, which has the best statements already: it does not tell their rank.
    return (
        f"?entity p:{prop} ?statement . ?statement wikibase:rank ?rank . "
        f'OPTIONAL {{ ?statement ps:{prop} ?value }} BIND("{prop}" AS ?property)'
    )


def _facts_query(qids: Iterable[str], *, links: Sequence[str], facts: Sequence[str]) -> str:
    """Returns the query for facts of items and of those that they link to.

    Each part names the items anew, and follows one link: that is what engines agree on. Some work
    out a UNION before they look at what is known outside of it, and to a path of any length from
    items that are listed Virtuoso finds nothing. Longer ways take another round
    (`hgld.scrape.questions`).

    Args:
        qids: Q-ids, at most 500.
        links: the properties that are followed, as in `owl:sameAs`.
        facts: patterns about `?entity`, such as `_MERGE_FACTS`.
    """
    items = " ".join(f"wd:{qid}" for qid in qids)
    starts = [f"VALUES ?entity {{ {items} }}"]
    starts += [f"VALUES ?item {{ {items} }} ?item {link} ?entity ." for link in links]
    parts = [f"{{ {start} {fact} }}" for start in starts for fact in facts]
    # The last one: of a result that is cut off it goes first.
    parts.append(f"{{ {starts[0]} {_ASKED} }}")
    return (
        f"{_PREFIXES}SELECT DISTINCT ?entity ?property ?statement ?rank ?value WHERE {{\n"
        + "\nUNION\n".join(parts)
        + "\n}"
    )


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an item."""

    rank: str
    """preferred | normal; deprecated ones are not kept."""
    value: str
    """A Q-id, or text where the property is one of `EVIDENCE`; empty for an unknown value."""


@dataclass(slots=True)
class Entity:
    """The facts of one item or class."""

    merged_into: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    """Language to text."""
    statements: dict[str, list[Statement]] = field(default_factory=dict)
    """Property to statements; one that came twice in an answer stands here twice."""

    def best(self, prop: str) -> dict[str, str]:
        """Returns the values of a property that count, as value to rank.

        The preferred statements if there are any, else the normal ones. Several values come in the
        order of their Q-ids' numbers; the statements' own order is not in RDF.
        """
        rank, values = self._best(prop)
        return dict.fromkeys(sorted(values, key=qid_number), rank)

    def best_texts(self, prop: str) -> list[str]:
        """Returns the values that count of a property of `EVIDENCE`, in the order of characters."""
        return sorted(self._best(prop)[1])

    def _best(self, prop: str) -> tuple[str, set[str]]:
        statements = self.statements.get(prop, ())
        ranks = {statement.rank for statement in statements}
        best = next((rank for rank in _BEST_FIRST if rank in ranks), "")
        return best, {one.value for one in statements if one.rank == best and one.value}

    def key(self) -> tuple[object, ...]:
        """Returns what tells the facts from others; equal for equal facts."""
        statements = ((prop, *values) for prop, values in self.statements.items())
        return self.merged_into, *self.labels.items(), *statements

    def label(self) -> tuple[str, str | None]:
        """Returns the label and its language, or an empty string and None."""
        for language in LABEL_LANGUAGES:
            if language in self.labels:
                return self.labels[language], language
        return "", None


class Entities(Facts[Entity]):
    """The facts of items or classes, by Q-id, by the answers to one of the queries."""

    def __init__(self) -> None:
        """Knows nothing."""
        super().__init__()
        # Equal facts are kept once: of 200,000 landmarks there are a few thousand kinds.
        self._shared: dict[tuple[object, ...], Entity] = {}

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer without a row of each entity that the query named."""
        left_out = len(_left_out(answer, _bindings(answer)))
        return f"has no row for {left_out} of what it was asked for" if left_out else ""

    def add(self, answer: RawAnswer) -> None:
        """Takes the facts in an answer."""
        bindings = _bindings(answer)
        if left_out := _left_out(answer, bindings):
            raise ValueError(f"it has no row for {left_out[0]!r:.60}, which it was asked for")
        found: dict[str, Entity] = {checked_qid(qid): Entity() for qid in answer.keys}
        for binding in bindings:
            qid = _qid_of(fields_of(binding.get("entity"), "entity"))
            if qid:
                _take(found.setdefault(qid, Entity()), binding)
        self.update(found)

    def update(self, known: Mapping[str, Entity]) -> None:
        """Takes the facts of entities, by Q-id."""
        kept = {qid: self._shared.setdefault(one.key(), one) for qid, one in known.items()}
        super().update(kept)


def _bindings(answer: RawAnswer) -> list[Mapping[str, Any]]:
    results = fields_of(fields_of(answer.answer, "the answer").get("results"), "results")
    return entries_of(results.get("bindings"), "bindings")


def _left_out(answer: RawAnswer, bindings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the keys without the row that the query asked for."""
    if _ASKED not in str(answer.request.get("query")):
        return []
    asked = {
        _qid_of(fields_of(binding.get("entity"), "entity"))
        for binding in bindings
        if _value(binding, "property") == "asked"
    }
    return [qid for qid in answer.keys if qid not in asked]


def _take(entity: Entity, binding: Mapping[str, Any]) -> None:
    term = fields_of(binding.get("value", {}), "value")
    match _value(binding, "property"):
        case "asked":
            pass
        case "sameAs":
            entity.merged_into = _item_of(term, "sameAs")
        case "label":
            language = line_of(term.get("xml:lang"), "language of a label")
            entity.labels[language] = line_of(term.get("value"), "label")
        case prop if prop in {INSTANCE_OF, SUBCLASS_OF, MAIN_TOPIC, *EVIDENCE}:
            rank = _RANKS.get(_value(binding, "rank").rpartition("#")[2])
            if rank is None:
                raise ValueError(f"rank must be one of Wikibase's, got {binding['rank']!r:.60}")
            if rank != "deprecated":
                value = _text_of(term, prop) if prop in EVIDENCE else _item_of(term, prop)
                entity.statements.setdefault(prop, []).append(Statement(rank, value))
        case prop:
            raise ValueError(f"property must be one that was asked for, got {prop[:60]!r}")


def _value(binding: Mapping[str, Any], name: str) -> str:
    return line_of(fields_of(binding.get(name), name).get("value"), name)


def _qid_of(term: Mapping[str, Any]) -> str:
    """Returns the Q-id of an RDF term, or an empty string where it is no item."""
    text = line_of(term.get("value", ""), "value")
    qid = checked_qid(_ENTITY.sub("", text, count=1) if _ENTITY.match(text) else text)
    # Interned: the same few thousand classes stand in hundreds of thousands of statements.
    return sys.intern(qid) if is_qid(qid) else ""


def _item_of(term: Mapping[str, Any], prop: str) -> str:
    """Returns the Q-id that is the value of a property, or an empty string where it is unknown.

    Raises:
        ValueError: it is something else.
    """
    qid = _qid_of(term)
    if not qid and not _is_unknown(term):
        raise ValueError(f"value of {prop} must be an item, got {term.get('value')!a:.60}")
    return qid


def _is_unknown(term: Mapping[str, Any]) -> bool:
    text = line_of(term.get("value", ""), "value")
    return not term or term.get("type") == "bnode" or _UNKNOWN.match(text) is not None


def _text_of(term: Mapping[str, Any], prop: str) -> str:
    """Returns the text of an RDF term, or an empty string where its value is unknown.

    Raises:
        ValueError: it is no term that the property can have.
    """
    text = line_of(term.get("value", ""), "value")
    kind = line_of(term.get("type", ""), "type of a value")
    if _is_unknown(term):
        return ""
    if kind not in _TERMS[prop]:
        raise ValueError(f"value of {prop} must be a {_TERMS[prop][0]}, got a {ascii(kind)[:60]}")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The landmark that an item stands for, as far as the answers go."""

    qid: str = ""
    """After merges and main topic; empty where `ask` is set."""
    classes: Mapping[str, str] = field(default_factory=dict)
    """Class Q-id to rank of the statement, in order."""
    ask: str = ""
    """The entity whose facts are missing."""


def merged(qid: str, entities: Entities) -> str:
    """Returns what an entity was merged into, through several merges; itself where it was not.

    The entity returned may be one that no answer covers yet, and no end (`goes_too_far`).
    """
    return _merges(qid, entities)[-1]


def goes_too_far(qid: str, entities: Entities) -> bool:
    """Says whether an entity was merged again and again, more often than `MOST_HOPS`."""
    return len(_merges(qid, entities)) > MOST_HOPS + 1


def _merges(qid: str, entities: Entities) -> list[str]:
    """Returns an entity and what it was merged into, one after another, up to one hop too many."""
    way = [qid]
    while len(way) <= MOST_HOPS + 1 and way[-1] in entities:
        target = entities[way[-1]].merged_into
        if not target or target in way:
            break
        way.append(target)
    return way


def find(qid: str, entities: Entities) -> Found:
    """Finds the landmark and its classes from the item of a category page.

    An item that stands for a category gives way to its main topic (the one with the smallest
    number, where there are several). One that has none stays, but *Wikimedia category* says
    nothing of a landmark and is no class of it.

    Args:
        qid: the page's item.
        entities: the facts that are known.

    Returns:
        The landmark and its classes, or what has to be asked; that is the page's item itself,
        which is known, where the way takes more than `MOST_HOPS` merges and main topics.
    """
    start, hops, seen = qid, 0, set[str]()
    while True:
        way = _merges(qid, entities)
        hops += len(way) - 1
        qid = way[-1]
        if hops > MOST_HOPS:
            return Found(ask=start)
        if qid not in entities:
            return Found(ask=qid)
        seen.add(qid)
        classes = entities[qid].best(INSTANCE_OF)
        is_category = classes.pop(CATEGORY_ITEM, None) is not None
        topic = next(iter(entities[qid].best(MAIN_TOPIC)), "")
        if not is_category or not topic or merged(topic, entities) in seen:
            return Found(qid=qid, classes=classes)
        qid = topic
        hops += 1
