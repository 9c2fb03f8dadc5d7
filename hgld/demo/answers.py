"""The demo's raw archive: the embedded facts as answers of the services.

No answer was really received. Each has the form of MediaWiki's or a SPARQL engine's answers, so
that the ordinary scrape can read it; page, revision and statement ids are made up, and the time is
`FETCHED_AT`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from hgld.demo.facts import class_labels, landmarks
from hgld.engine.workspace import Workspace
from hgld.scrape.archive import (
    COMMONS_PAGES,
    WIKIDATA_CLASSES,
    WIKIDATA_EVIDENCE,
    WIKIDATA_ITEMS,
    RawAnswer,
    RawArchive,
)
from hgld.scrape.wikimedia.commons import page_request
from hgld.scrape.wikimedia.titles import title_of_url
from hgld.scrape.wikimedia.wikidata import class_query, evidence_query, item_query

FETCHED_AT = datetime(2025, 1, 15, 12, tzinfo=UTC)
"""When the facts were written down."""

_COMMONS = "https://commons.wikimedia.org/w/"
_SPARQL = "https://query.wikidata.org/sparql"
_TITLES_A_REQUEST = 50
_ITEMS_A_REQUEST = 200
_ENTITY = "http://www.wikidata.org/entity/"
_CATEGORY_NAMESPACE = 14

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
                "revisions": [{"revid": landmark.landmark_id, "parentid": 0}],
            }
            for landmark, title in zip(batch, titles, strict=True)
        ]
        answer = [{"batchcomplete": True, "query": {"pages": pages}}]
        yield _answer(_COMMONS, page_request(titles), titles, answer)


def _item_answers() -> Iterator[RawAnswer]:
    for batch in _batches(landmarks(), _ITEMS_A_REQUEST):
        qids = [landmark.qid for landmark in batch]
        bindings = [_instance_of(one.qid, class_) for one in batch for class_ in one.class_qids]
        yield _sparql_answer(item_query(qids), qids, bindings)


def _class_answers() -> Iterator[RawAnswer]:
    for batch in _batches(tuple(class_labels()), _ITEMS_A_REQUEST):
        bindings = [_binding(qid, "label", class_labels()[qid]) for qid in batch]
        yield _sparql_answer(class_query(batch), batch, bindings)


def _evidence_answers() -> Iterator[RawAnswer]:
    """Yields empty answers, because other names of the classes are not embedded."""
    for batch in _batches(tuple(class_labels()), _ITEMS_A_REQUEST):
        yield _sparql_answer(evidence_query(batch), batch, [])


def _instance_of(qid: str, class_qid: str) -> Binding:
    digest = hashlib.sha256(f"{qid} {class_qid}".encode()).hexdigest()
    return _binding(qid, "P31") | {
        "statement": _uri(f"{_ENTITY}statement/{qid}-{digest[:32]}"),
        "rank": _uri("http://wikiba.se/ontology#NormalRank"),
        "value": _uri(f"{_ENTITY}{class_qid}"),
    }


def _binding(qid: str, name: str, label: str = "") -> Binding:
    found = {"entity": _uri(f"{_ENTITY}{qid}"), "property": {"type": "literal", "value": name}}
    if label:
        found["value"] = {"type": "literal", "xml:lang": "en", "value": label}
    return found


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
