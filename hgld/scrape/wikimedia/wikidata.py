"""Wikidata: what its answers say of items and classes, and the way from an item to its classes.

`hgld.scrape.wikimedia.queries` asks. `Entities` reads only the bindings of an answer, one fact
each:

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

A statement without a `value`, or with a blank node or the URI of one, has an unknown value: it
gives no class, but still counts when the best rank is chosen. Any other value must be an item, by
its URI (http: or https:) or its Q-id; otherwise the answer is refused. The value of a property of
`EVIDENCE` is a literal or a URI of any scheme, and is kept unchanged; so is that of a country code,
a time, a Commons category or a picture. The value of coordinates is their globe, with the numbers
beside it.

Each query also asks for one row per entity that it names, `{"entity": ..., "property": {"value":
"asked"}}`. It tells an entity without facts from one that a failing service left out. An answer
that lacks one of those rows is incomplete.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.answers import MAX_INT64, Facts, entries_of, fields_of, line_of
from hgld.tables import qid_number

INSTANCE_OF = "P31"
SUBCLASS_OF = "P279"
MAIN_TOPIC = "P301"
PICTURE = "P18"
COMMONS_CATEGORY = "P373"
OSM_TAG = "P1282"
EQUIVALENT_CLASS = "P1709"
WORDNET_SYNSET = "P8814"
EVIDENCE = (OSM_TAG, EQUIVALENT_CLASS, WORDNET_SYNSET)
"""Names of a class elsewhere: an OpenStreetMap tag such as `Tag:amenity=cafe`, the URL of a class
in another ontology, a WordNet 3.1 id such as `00001740-n`. Values are text; elsewhere, items."""
COUNTRY = "P17"
CONTINENT = "P30"
LIES_IN = "P131"
STYLE = "P149"
COUNTRY_CODE = "P297"
PART_OF = "P361"
INCEPTION = "P571"
DISSOLVED = "P576"
COORDINATES = "P625"
REPLACED_BY = "P1366"
HERITAGE = "P1435"
PLACING = (
    *(COUNTRY, CONTINENT, LIES_IN, STYLE, COUNTRY_CODE, PART_OF, INCEPTION, DISSOLVED),
    *(COORDINATES, REPLACED_BY, HERITAGE),
)
"""What is asked of items, of the places that they lie in, and of their countries."""
TIMES = (INCEPTION, DISSOLVED)
CATEGORY_ITEM = "Q4167836"
"""Wikimedia category: an item with this class stands for a category, not for its topic."""

LABEL_LANGUAGES = ("en", "mul")
"""In order of preference; `mul` has labels that many languages share."""

MOST_HOPS = 10
"""Limit of merges and main topics in a row: no real landmark needs more."""

_ENTITY = re.compile(r"https?://www\.wikidata\.org/entity/")
# Start of the URI of an unknown value, if that is not a blank node.
_UNKNOWN = re.compile(r"https?://www\.wikidata\.org/\.well-known/genid/")

_SHORT_YEAR = re.compile(r"^(-?)([0-9]{1,3})(?=-)")

ASKED = 'BIND("asked" AS ?property)'
"""The pattern of the row that every query adds for each item that it names."""

_LITERAL = ("literal", "typed-literal")
_TERMS = {
    OSM_TAG: _LITERAL,
    EQUIVALENT_CLASS: ("uri",),
    WORDNET_SYNSET: _LITERAL,
    COUNTRY_CODE: _LITERAL,
    COMMONS_CATEGORY: _LITERAL,
    PICTURE: ("uri",),
    **dict.fromkeys(TIMES, _LITERAL),
}
_ITEMS = {INSTANCE_OF, SUBCLASS_OF, MAIN_TOPIC, *PLACING} - {*_TERMS}
_QID = re.compile(r"Q[1-9][0-9]*", re.ASCII)
_MAX_DIGITS = len(str(MAX_INT64))
_RANKS = {"PreferredRank": "preferred", "NormalRank": "normal", "DeprecatedRank": "deprecated"}
_BEST_FIRST = ("preferred", "normal")


def is_qid(text: str) -> bool:
    """Says whether a text is a Q-id that fits in a table; others would break the query."""
    if not _QID.fullmatch(text) or len(text) > 1 + _MAX_DIGITS:
        return False
    return qid_number(text) <= MAX_INT64


def checked_qid(text: str) -> str:
    """Returns the text, which need not be a Q-id.

    Raises:
        ValueError: it looks like a Q-id, but its number is larger than a table can hold.
    """
    if _QID.fullmatch(text) and not is_qid(text):
        raise ValueError(f"the number of a Q-id must be at most {MAX_INT64}, got {text[:60]}")
    return text


class Statement(NamedTuple):
    """One statement of an item."""

    prop: str
    rank: str
    """preferred | normal; deprecated statements are dropped."""
    value: str
    """A Q-id, or the text of a literal; of coordinates, their globe's Q-id. Empty: unknown."""
    started: str = ""
    """Text of a time; "unknown" for one that nobody knows; empty for none."""
    ended: str = ""
    """As `started`."""
    position: tuple[float, float] | None = None
    """Of coordinates: latitude and longitude, in degrees."""
    precision: float | None = None
    """Of coordinates: in degrees. Of a time: 9 for a year, 8 for a decade, and so on."""


class Entity(NamedTuple):
    """The facts of one item or class, in the order of the answer, whose repeats are kept."""

    merged_into: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """Languages and texts."""
    statements: tuple[Statement, ...] = ()

    def of(self, prop: str) -> list[Statement]:
        """Returns the statements of a property."""
        return [one for one in self.statements if one.prop == prop]

    def best(self, prop: str) -> dict[str, str]:
        """Returns the best values of a property, as value to rank.

        The values of the preferred statements if there are any, else of the normal ones, by the
        number of the Q-id: RDF does not have the order of statements.
        """
        rank, values = self._best(prop)
        return dict.fromkeys(sorted(values, key=qid_number), rank)

    def best_texts(self, prop: str) -> list[str]:
        """Returns the best values of a property that is not an item, sorted."""
        return sorted(self._best(prop)[1])

    def of_today(self, prop: str) -> list[Statement]:
        """Returns the statements of a property that hold today.

        Of those that have not ended and are not deprecated, the preferred ones if there are any;
        unknown values are among them.
        """
        kept = [one for one in self.of(prop) if not one.ended]
        return _best_of(kept) if len(kept) > 1 else kept  # most have one at most

    def _best(self, prop: str) -> tuple[str, set[str]]:
        best = _best_of(self.of(prop))
        return best[0].rank if best else "", {one.value for one in best if one.value}

    def label(self) -> tuple[str, str | None]:
        """Returns the label and its language, or an empty string and None."""
        texts = dict(self.labels)
        language = next((one for one in LABEL_LANGUAGES if one in texts), None)
        return texts[language] if language else "", language


def _best_of(statements: Sequence[Statement]) -> list[Statement]:
    """Returns those of the best rank that there is."""
    ranks = {one.rank for one in statements}
    best = next((rank for rank in _BEST_FIRST if rank in ranks), None)
    return [one for one in statements if one.rank == best]


class Entities(Facts[Entity]):
    """The facts of items or classes, by Q-id, from the answers to one of the queries."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer that lacks the row of an entity in the query."""
        left_out = len(_left_out(answer, _bindings(answer)))
        return f"has no row for {left_out} of the entities in the query" if left_out else ""

    def add(self, answer: RawAnswer) -> None:
        """Adds the facts in an answer."""
        bindings = _bindings(answer)
        if left_out := _left_out(answer, bindings):
            raise ValueError(f"it has no row for {left_out[0]!r:.60}, which it was asked for")
        found: dict[str, Entity] = {checked_qid(qid): Entity() for qid in answer.keys}
        for binding in bindings:
            qid = _qid_of(fields_of(binding.get("entity"), "entity"))
            if qid:
                found[qid] = _with(found.get(qid, Entity()), binding)
        self.update(found)


def _bindings(answer: RawAnswer) -> list[Mapping[str, Any]]:
    results = fields_of(fields_of(answer.answer, "the answer").get("results"), "results")
    return entries_of(results.get("bindings"), "bindings")


def _left_out(answer: RawAnswer, bindings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the keys that lack the row that the query asked for."""
    if ASKED not in str(answer.request.get("query")):
        return []
    asked = {
        _qid_of(fields_of(binding.get("entity"), "entity"))
        for binding in bindings
        if _value(binding, "property") == "asked"
    }
    return [qid for qid in answer.keys if qid not in asked]


def _with(entity: Entity, binding: Mapping[str, Any]) -> Entity:
    """Returns an entity with the fact of a binding."""
    merged_into, labels, statements = entity
    term = fields_of(binding.get("value", {}), "value")
    match _value(binding, "property"):
        case "asked":
            return entity
        case "sameAs":
            return Entity(_item_of(term, "sameAs"), labels, statements)
        case "label":
            language = line_of(term.get("xml:lang"), "language of a label")
            text = line_of(term.get("value"), "label")
            return Entity(merged_into, (*labels, (language, text)), statements)
        case prop if prop in _ITEMS or prop in _TERMS:
            rank = _RANKS.get(_value(binding, "rank").rpartition("#")[2])
            if rank is None:
                raise ValueError(f"rank must be one of Wikibase's, got {binding['rank']!r:.60}")
            if rank == "deprecated":
                return entity
            value = _text_of(term, prop) if prop in _TERMS else _item_of(term, prop)
            one = Statement(sys.intern(prop), rank, value, **_details_of(binding))
            return Entity(merged_into, labels, (*statements, one))
        case prop:
            raise ValueError(f"property must be one that was asked for, got {prop[:60]!r}")


def _details_of(binding: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the times and numbers of a statement, those that it has."""
    found: dict[str, Any] = {}
    for name in ("started", "ended"):
        if name in binding:
            term = fields_of(binding[name], name)
            found[name] = "unknown" if _is_unknown(term) else line_of(term.get("value"), name)
    if "latitude" in binding:
        found["position"] = _number(binding, "latitude", 90), _number(binding, "longitude", 360)
    if "precision" in binding:
        found["precision"] = _number(binding, "precision", 360)
    return found


def _number(binding: Mapping[str, Any], name: str, most: float) -> float:
    """Returns a number of a binding.

    Raises:
        ValueError: it is none, or larger than `most` either way.
    """
    number = float(_value(binding, name))
    if not abs(number) <= most:  # nor NaN
        raise ValueError(f"{name} must be a number up to {most}, got {number}")
    return number


def _value(binding: Mapping[str, Any], name: str) -> str:
    return line_of(fields_of(binding.get(name), name).get("value"), name)


def _qid_of(term: Mapping[str, Any]) -> str:
    """Returns the Q-id of an RDF term, or an empty string if it is not an item."""
    text = line_of(term.get("value", ""), "value")
    start = _ENTITY.match(text)
    qid = checked_qid(text[start.end() :] if start else text)
    # Interned: hundreds of thousands of statements share a few thousand classes.
    return sys.intern(qid) if is_qid(qid) else ""


def _item_of(term: Mapping[str, Any], prop: str) -> str:
    """Returns the Q-id in the value of a property, or an empty string if the value is unknown.

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
    """Returns the text of an RDF term, or an empty string if its value is unknown.

    Raises:
        ValueError: the property cannot have such a term.
    """
    text = line_of(term.get("value", ""), "value")
    kind = line_of(term.get("type", ""), "type of a value")
    if _is_unknown(term):
        return ""
    if kind not in _TERMS[prop]:
        raise ValueError(f"value of {prop} must be a {_TERMS[prop][0]}, got a {ascii(kind)[:60]}")
    # Some engines write -430, others -0430 as XML Schema has it.
    if prop in TIMES:
        text = _SHORT_YEAR.sub(lambda year: f"{year[1]}{year[2]:0>4}", text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The landmark that an item stands for, as far as the answers go."""

    qid: str = ""
    """After merges and main topic; empty if `ask` is set."""
    classes: Mapping[str, str] = field(default_factory=dict)
    """Class Q-id to rank of the statement, in order."""
    ask: str = ""
    """The entity whose facts are missing."""


def merged(qid: str, entities: Entities) -> str:
    """Returns the entity that this one was merged into, after all merges; itself if there is none.

    It may be unknown still, or not the end of a chain that is too long (`goes_too_far`).
    """
    return _merges(qid, entities)[-1]


def goes_too_far(qid: str, entities: Entities) -> bool:
    """Says whether an entity's chain of merges is longer than `MOST_HOPS`."""
    return len(_merges(qid, entities)) > MOST_HOPS + 1


def _merges(qid: str, entities: Entities) -> list[str]:
    """Returns an entity and its chain of merges, up to one hop over the limit."""
    way = [qid]
    while len(way) <= MOST_HOPS + 1 and way[-1] in entities:
        target = entities[way[-1]].merged_into
        if not target or target in way:
            break
        way.append(target)
    return way


def find(qid: str, entities: Entities) -> Found:
    """Finds the landmark and its classes from the item of a category page.

    The item of a category is replaced by its main topic (of several, the one with the smallest
    number). An item without a main topic stays, but *Wikimedia category* does not count as a class.

    Args:
        qid: the page's item.
        entities: the facts so far.

    Returns:
        The landmark and its classes, or the entity to ask for. If the way takes more than
        `MOST_HOPS` merges and main topics, `ask` is the page's own item, which is known.
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
