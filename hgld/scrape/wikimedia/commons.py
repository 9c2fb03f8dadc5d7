"""Commons: what its answers say of a title, and of the pages on the way from it.

A title is asked for with `page_request`; an answer is a list of the API's JSON answers, more than
one where the server had to continue. `CommonsPages` reads of each, and of nothing else:

    {"query": {
        "normalized": [{"from": "Category:A_b", "to": "Category:A b", "fromencoded": false}],
        "redirects": [{"from": "Category:A b", "to": "Category:C"}],
        "interwiki": [{"title": "wikipedia:D"}],
        "pages": [
            {"title": "Category:C", "pageprops": {"wikibase_item": "Q1"},
             "revisions": [{"revid": 7}], "categories": [{"title": "Category:Category redirects"}]},
            {"title": "Category:E", "missing": true},
            {"title": "Category:[", "invalid": true, "invalidreason": "..."}]}}

Every part but `pages` may be absent, and so may every field of a page but its title. The text of a
soft redirect is asked for with `wikitext_request`, and `SoftRedirects` reads of its answers:

    {"query": {"pages": [{"title": "Category:F", "links": [{"title": "Category:G"}],
        "revisions": [{"slots": {"main": {"content": "{{Category redirect|G}}"}}}]}]}}

What became of a page that is not there is asked for with `log_request`, and `MoveLog` reads of its
answers, newest event first:

    {"query": {"logevents": [
        {"title": "Category:E", "type": "delete", "action": "delete"},
        {"title": "Category:E", "type": "move", "params": {"target_title": "Category:H"}}]}}
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY, redirect_target


def page_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask for pages, their items and redirects. At most 50."""
    return {
        "formatversion": "2",
        "prop": "pageprops|revisions|categories",
        "ppprop": "wikibase_item",
        "rvprop": "ids",
        "clcategories": REDIRECTS_CATEGORY,
        "cllimit": "max",
        "redirects": "1",
        "titles": "|".join(titles),
    }


def wikitext_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask for the text of pages and their links. At most 50."""
    return {
        "formatversion": "2",
        "prop": "revisions|links",
        "plnamespace": "14",
        "pllimit": "max",
        "rvprop": "ids|content",
        "rvslots": "main",
        "titles": "|".join(titles),
    }


def log_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask what was done with a page. One at a time."""
    return {
        "formatversion": "2",
        "list": "logevents",
        "letitle": titles[0],
        "leprop": "title|type|details",
        "lelimit": "max",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """Where a title leads on the server: to a page, or to a reason why not."""

    title: str
    """Of the page, after hard redirects; empty where there is none."""
    fetched_at: datetime
    status: str = "ok"
    """ok | no_page | redirect_loop | failed"""
    error: str = ""
    qid: str = ""
    revision_id: int | None = None
    is_soft_redirect: bool = False
    missing_title: str = ""
    """Of a page that could be there, and is not."""


@dataclass(slots=True)
class CommonsPages:
    """What the archived page answers say of each title asked for."""

    _landings: dict[str, Landing] = field(default_factory=dict, init=False)

    def __contains__(self, title: str) -> bool:
        """Says whether an answer covers the title."""
        return title in self._landings

    def __getitem__(self, title: str) -> Landing:
        """Returns where a title leads; the last answer counts."""
        return self._landings[title]

    def add(self, answer: RawAnswer) -> None:
        """Takes an answer to `page_request`."""
        renames = _renames(answer.answer)
        pages = _pages(answer.answer)
        elsewhere = {entry["title"] for entry in _entries(answer.answer, "interwiki")}
        landings: dict[str, Landing] = {}
        for title in answer.keys:
            end = _follow(title, renames)
            if end is None:
                landing = Landing(title="", fetched_at=answer.fetched_at, status="redirect_loop")
            elif end in pages:
                landing = _landing(end, pages[end], answer.fetched_at)
            elif end in elsewhere:
                landing = _no_page(answer.fetched_at, f"{end} is on another wiki")
            else:
                # Not in the answer at all: nothing is known, and a rerun asks again.
                continue
            landings[title] = landing
        self._landings.update(landings)

    def update(self, landings: Mapping[str, Landing]) -> None:
        """Takes where titles lead, however that was learned."""
        self._landings.update(landings)


@dataclass(slots=True)
class SoftRedirects:
    """Where the soft redirects point whose text was archived."""

    _targets: dict[str, str] = field(default_factory=dict, init=False)

    def __contains__(self, title: str) -> bool:
        """Says whether the page's text was answered."""
        return title in self._targets

    def __getitem__(self, title: str) -> str:
        """Returns the target's title, or an empty string where the text names none."""
        return self._targets[title]

    def add(self, answer: RawAnswer) -> None:
        """Takes an answer to `wikitext_request`."""
        pages = _pages(answer.answer)
        self._targets.update({title: _target(page) for title, page in pages.items()})

    def update(self, targets: Mapping[str, str]) -> None:
        """Takes where pages point to, by title, however that was learned."""
        self._targets.update(targets)


class Fate(NamedTuple):
    """What became of a page that is not there any more."""

    moved_to: str
    """Title; empty where the page was never moved."""
    last_event: str
    """What was done last, in words; empty where the log is."""


@dataclass(slots=True)
class MoveLog:
    """What became of pages that are not there any more."""

    _fates: dict[str, Fate] = field(default_factory=dict, init=False)

    def __contains__(self, title: str) -> bool:
        """Says whether the page's log was answered."""
        return title in self._fates

    def __getitem__(self, title: str) -> Fate:
        """Returns what became of a page."""
        return self._fates[title]

    def add(self, answer: RawAnswer) -> None:
        """Takes an answer to `log_request`; the newest move counts, deleted since or not."""
        events = list(_entries(answer.answer, "logevents"))
        targets = [event.get("params", {}).get("target_title") for event in events]
        moves = list(filter(None, targets))
        done = [event["action"] for event in events if event["type"] in {"move", "delete"}]
        self._fates[answer.keys[0]] = Fate(
            moved_to=moves[0] if moves else "",
            last_event=f"last in its log: {done[0]}" if done else "",
        )


def _entries(chunks: list[dict[str, Any]], part: str) -> Iterator[dict[str, Any]]:
    for chunk in chunks:
        yield from chunk.get("query", {}).get(part, ())


def _renames(chunks: list[dict[str, Any]]) -> dict[str, str]:
    """Returns title to title: normalised, and then the redirects, both in one step each."""
    renames: dict[str, str] = {}
    for entry in _entries(chunks, "normalized"):
        # A title in another normal form comes back percent-encoded: JSON could not carry it.
        given = unquote(entry["from"]) if entry.get("fromencoded") else entry["from"]
        renames[given] = entry["to"]
    renames.update({entry["from"]: entry["to"] for entry in _entries(chunks, "redirects")})
    return renames


def _pages(chunks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns title to page, put together from the answers that continue each other."""
    pages: dict[str, dict[str, Any]] = {}
    for part in _entries(chunks, "pages"):
        page = pages.setdefault(part["title"], {})
        for field_name, value in part.items():
            goes_on = isinstance(value, list) and field_name in page
            page[field_name] = page[field_name] + value if goes_on else value
    return pages


def _follow(title: str, renames: dict[str, str]) -> str | None:
    """Returns where a title ends after every rename, or None for a loop."""
    seen = {title}
    while title in renames:
        title = renames[title]
        if title in seen:
            return None
        seen.add(title)
    return title


def _landing(title: str, page: dict[str, Any], fetched_at: datetime) -> Landing:
    if page.get("invalid"):
        return _no_page(fetched_at, page.get("invalidreason", f"{title!r} is no valid title"))
    if page.get("special"):
        return _no_page(fetched_at, f"{title!r} is a special page")
    if page.get("missing"):
        return replace(_no_page(fetched_at, ""), missing_title=title)
    categories = {category["title"] for category in page.get("categories", ())}
    return Landing(
        title=title,
        fetched_at=fetched_at,
        qid=page.get("pageprops", {}).get("wikibase_item", ""),
        revision_id=(page.get("revisions") or [{}])[0].get("revid"),
        is_soft_redirect=REDIRECTS_CATEGORY in categories,
    )


def _target(page: dict[str, Any]) -> str:
    revisions = page.get("revisions") or [{}]
    text = revisions[0].get("slots", {}).get("main", {}).get("content", "")
    return redirect_target(text, {link["title"] for link in page.get("links", ())})


def _no_page(fetched_at: datetime, error: str) -> Landing:
    return Landing(title="", fetched_at=fetched_at, status="no_page", error=error)
