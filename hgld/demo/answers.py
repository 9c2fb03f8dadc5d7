"""The demo's raw archive: the embedded facts as answers of the services.

No answer was really received. Each has the form of MediaWiki's or a SPARQL engine's answers, so
that the ordinary scrape can read it; page and statement ids are made up, no revision was read, and
the time is `FETCHED_AT`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from hgld.demo.facts import class_labels, landmarks, places, regions
from hgld.engine.workspace import Workspace
from hgld.scrape.archive import (
    COMMONS_PAGES,
    WIKIDATA_CLASSES,
    WIKIDATA_EVIDENCE,
    WIKIDATA_ITEMS,
    WIKIDATA_PLACES,
    RawAnswer,
    RawArchive,
)
from hgld.scrape.wikimedia.commons import page_request
from hgld.scrape.wikimedia.queries import class_query, evidence_query, item_query, place_query
from hgld.scrape.wikimedia.titles import title_of_url
from hgld.scrape.wikimedia.wikidata import (
    CONTINENT,
    COORDINATES,
    COUNTRY,
    COUNTRY_CODE,
    INCEPTION,
    INSTANCE_OF,
    LIES_IN,
    STYLE,
)

FETCHED_AT = datetime(2025, 1, 15, 12, tzinfo=UTC)
"""When the facts were written down."""

_COMMONS = "https://commons.wikimedia.org/w/"
_SPARQL = "https://query.wikidata.org/sparql"
_TITLES_A_REQUEST = 50
_ITEMS_A_REQUEST = 200
_ENTITY = "http://www.wikidata.org/entity/"
_CATEGORY_NAMESPACE = 14
_EARTH = "Q2"
_PRECISIONS = {"year": "9", "century": "7"}

_T = TypeVar("_T")
Binding = dict[str, dict[str, str]]


def write_archive(workspace: Workspace) -> None:
    """Adds missing answers to the raw archive of a workspace.

    An archive with answers from another time, for example from a live scrape, is not changed.
    Damaged answers are set aside and written again.
    """
    archives = {
        COMMONS_PAGES: _page_answers,
        WIKIDATA_ITEMS: _item_answers,
        WIKIDATA_CLASSES: _class_answers,
        WIKIDATA_EVIDENCE: _evidence_answers,
        WIKIDATA_PLACES: _place_answers,
    }
    for folder, answers in archives.items():
        archive = RawArchive(workspace.path(folder))
        kept: list[RawAnswer] = []
        archive.load(kept.append, mend=True)
        if any(answer.fetched_at != FETCHED_AT for answer in kept):
            continue
        there = {answer.keys for answer in kept}
        for answer in answers():
            if answer.keys not in there:
                archive.append(answer)


def _page_answers() -> Iterator[RawAnswer]:
    for batch in _batches(landmarks(), _TITLES_A_REQUEST):
        titles = [title_of_url(landmark.category) for landmark in batch]
        pages = [
            {
                "pageid": landmark.landmark_id,
                "ns": _CATEGORY_NAMESPACE,
                "title": title,
                "pageprops": {"wikibase_item": landmark.qid},
            }
            for landmark, title in zip(batch, titles, strict=True)
        ]
        answer = [{"batchcomplete": True, "query": {"pages": pages}}]
        yield _answer(_COMMONS, page_request(titles), titles, answer)


def _item_answers() -> Iterator[RawAnswer]:
    for batch in _batches(landmarks(), _ITEMS_A_REQUEST):
        qids = [landmark.qid for landmark in batch]
        bindings = [
            _statement(one.qid, INSTANCE_OF, class_) for one in batch for class_ in one.class_qids
        ]
        yield _sparql_answer(item_query(qids), qids, bindings)


def _class_answers() -> Iterator[RawAnswer]:
    for batch in _batches(tuple(class_labels()), _ITEMS_A_REQUEST):
        bindings = [_binding(qid, "label", class_labels()[qid]) for qid in batch]
        yield _sparql_answer(class_query(batch), batch, bindings)


def _evidence_answers() -> Iterator[RawAnswer]:
    """Yields empty answers, because other names of the classes are not embedded."""
    for batch in _batches(tuple(class_labels()), _ITEMS_A_REQUEST):
        yield _sparql_answer(evidence_query(batch), batch, [])


def _place_answers() -> Iterator[RawAnswer]:
    for batch in _batches(places(), _ITEMS_A_REQUEST):
        bindings = [binding for row in batch for binding in _whereabouts(row)]
        qids = [row["qid"] for row in batch]
        yield _sparql_answer(place_query(qids), qids, bindings)
    bindings = [binding for row in regions().values() for binding in _region(row)]
    yield _sparql_answer(place_query(regions()), list(regions()), bindings)


def _whereabouts(row: dict[str, str]) -> Iterator[Binding]:
    """Yields the statements on a landmark's place, time and style."""
    qid = row["qid"]
    if row["latitude"]:
        numbers = {name: _literal(row[name]) for name in ("latitude", "longitude")}
        yield _statement(qid, COORDINATES, _EARTH) | numbers | {"precision": _literal("0.01")}
    for region in row["lies_in"].split():
        country = region
        while above := regions()[country]["lies_in"]:
            country = above
        yield _statement(qid, COUNTRY, country)
        if country != region:
            yield _statement(qid, LIES_IN, region)
    if row["inception"]:
        year = int(row["inception"])
        year += year < 0  # RDF has a year 0
        time = _literal(f"{'-' * (year < 0)}{abs(year):04}-01-01T00:00:00Z")
        precision = _literal(_PRECISIONS[row["inception_precision"]])
        yield _statement(qid, INCEPTION) | {"value": time, "precision": precision}
    if row["style"]:
        yield _statement(qid, STYLE, row["style"])


def _region(row: dict[str, str]) -> Iterator[Binding]:
    """Yields the name and statements of a place, country, continent or style."""
    qid = row["qid"]
    yield _binding(qid, "label", row["name"])
    if row["lies_in"]:
        yield _statement(qid, LIES_IN, row["lies_in"])
    if row["country_code"]:
        yield _statement(qid, COUNTRY, qid)
        yield _statement(qid, COUNTRY_CODE) | {"value": _literal(row["country_code"])}
    for continent in row["continents"].split():
        yield _statement(qid, CONTINENT, continent)


def _statement(qid: str, prop: str, value: str = "") -> Binding:
    """Returns a statement; with a value, which is an item."""
    digest = hashlib.sha256(f"{qid} {prop} {value}".encode()).hexdigest()
    found = _binding(qid, prop) | {
        "statement": _uri(f"{_ENTITY}statement/{qid}-{digest[:32]}"),
        "rank": _uri("http://wikiba.se/ontology#NormalRank"),
    }
    return found | {"value": _uri(f"{_ENTITY}{value}")} if value else found


def _binding(qid: str, name: str, label: str = "") -> Binding:
    found = {"entity": _uri(f"{_ENTITY}{qid}"), "property": _literal(name)}
    if label:
        found["value"] = {"type": "literal", "xml:lang": "en", "value": label}
    return found


def _literal(value: str) -> dict[str, str]:
    return {"type": "literal", "value": value}


def _uri(value: str) -> dict[str, str]:
    return {"type": "uri", "value": value}


def _sparql_answer(query: str, qids: Sequence[str], bindings: list[Binding]) -> RawAnswer:
    asked = [_binding(qid, "asked") for qid in qids]
    variables = ["entity", "property", "statement", "rank", "value"]
    answer = {"head": {"vars": variables}, "results": {"bindings": [*bindings, *asked]}}
    return _answer(_SPARQL, {"query": query}, qids, answer)


def _answer(url: str, request: dict[str, str], keys: Sequence[str], answer: object) -> RawAnswer:
    keys = tuple(keys)
    return RawAnswer(endpoint=url, request=request, keys=keys, fetched_at=FETCHED_AT, answer=answer)


def _batches(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
