"""Answers shaped as MediaWiki's, and what is known by them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.commons import CommonsPages, SoftRedirects
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY
from hgld.scrape.wikimedia.wikidata import Entity, Statement

TIME = datetime(2026, 11, 25, tzinfo=UTC)


def answer_of(keys: Sequence[str], *queries: Any) -> RawAnswer:  # noqa: ANN401 - odd ones, too
    answer = [{"query": query} for query in queries]
    return RawAnswer("http://127.0.0.1/w/", {}, tuple(keys), TIME, answer)


def sent(request: Mapping[str, str]) -> str:
    """Returns a request in one line."""
    return "&".join(f"{name}={value}" for name, value in request.items())


def read_pages(keys: list[str], *queries: dict[str, Any]) -> CommonsPages:
    pages = CommonsPages()
    pages.add(answer_of(keys, *queries))
    return pages


def entity_with(prop: str, *values: str, rank: str = "normal", **facts: Any) -> Entity:  # noqa: ANN401 - any of its facts
    return Entity(statements=tuple(Statement(prop, rank, value) for value in values), **facts)


def soft_page(title: str, **facts: object) -> dict[str, Any]:
    return {"title": title, "pageid": 1, "categories": [{"title": REDIRECTS_CATEGORY}], **facts}


def read_texts(texts: dict[str, str]) -> SoftRedirects:
    redirects = SoftRedirects()
    pages = [
        {"title": title, "revisions": [{"slots": {"main": {"content": text}}}]}
        for title, text in texts.items()
    ]
    redirects.add(answer_of(list(texts), {"pages": pages}))
    return redirects
