"""Answers shaped as MediaWiki's."""

from datetime import UTC, datetime
from typing import Any

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.commons import CommonsPages, SoftRedirects
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY

TIME = datetime(2026, 11, 25, tzinfo=UTC)


def answer_of(keys: list[str], *queries: dict[str, Any]) -> RawAnswer:
    return RawAnswer(
        endpoint="http://127.0.0.1/w/",
        request={},
        keys=tuple(keys),
        fetched_at=TIME,
        answer=[{"query": query} for query in queries],
    )


def read_pages(keys: list[str], *queries: dict[str, Any]) -> CommonsPages:
    pages = CommonsPages()
    pages.add(answer_of(keys, *queries))
    return pages


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
