"""Commons: what its answers say about titles, redirects and missing pages.

`page_request` asks for titles; an answer is a list of the API's JSON answers, more than one if the
server had to continue. `CommonsPages` reads only these parts:

    {"query": {
        "normalized": [{"from": "Category:A_b", "to": "Category:A b", "fromencoded": false}],
        "redirects": [{"from": "Category:A b", "to": "Category:C"}],
        "interwiki": [{"title": "wikipedia:D"}],
        "pages": [
            {"title": "Category:C", "pageprops": {"wikibase_item": "Q1"},
             "revisions": [{"revid": 7}], "categories": [{"title": "Category:Category redirects"}]},
            {"title": "Category:E", "missing": true},
            {"title": "Category:[", "invalid": true, "invalidreason": "..."}]}}

Every part except `pages` may be absent, and so may every field of a page except its title. An
answer that says that every page is missing may come from a server that lost its data: its titles
are asked for once more, in halves, before it is believed.

`wikitext_request` asks for the text of soft redirects, and `SoftRedirects` reads:

    {"query": {"pages": [{"title": "Category:F", "links": [{"title": "Category:G"}],
        "revisions": [{"slots": {"main": {"content": "{{Category redirect|G}}"}}}]}]}}

`log_request` asks what happened to a missing page, and `MoveLog` reads, newest event first:

    {"query": {"logevents": [
        {"title": "Category:E", "type": "delete", "action": "delete"},
        {"title": "Category:E", "type": "move", "params": {"target_title": "Category:H"}}]}}
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.answers import (
    Facts,
    entries_of,
    fields_of,
    flag_of,
    line_of,
    number_of,
    text_of,
)
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY, redirect_target
from hgld.scrape.wikimedia.wikidata import checked_qid


def page_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask for at most 50 pages, their items and redirects."""
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
    """Returns the API parameters that ask for the text and links of at most 50 pages."""
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
    """Returns the API parameters that ask for the log of one page."""
    return {
        "formatversion": "2",
        "list": "logevents",
        "letitle": titles[0],
        "leprop": "title|type|details",
        "lelimit": "max",
    }


class Landing(NamedTuple):
    """Where a title leads on the server: to a page, or to a reason why not."""

    title: str
    """Title of the page, after hard redirects; empty if there is no page."""
    fetched_at: datetime | None = None
    """None for an item that was named itself, without a page."""
    status: str = "ok"
    """ok | no_page | redirect_loop | failed"""
    error: str = ""
    qid: str = ""
    revision_id: int | None = None
    is_soft_redirect: bool = False
    missing_title: str = ""
    """Title of a page that could exist but does not."""


class CommonsPages(Facts[Landing]):
    """Where each title leads, from the answers to `page_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer that leaves titles out, or has none of the pages."""
        return doubt_of_pages(answer)

    def add(self, answer: RawAnswer) -> None:
        """Adds where the titles of an answer lead."""
        self.update(page_landings(answer))


def doubt_of_pages(answer: RawAnswer) -> str:
    """Returns why to ask again instead of using an answer about pages, or an empty string."""
    landings = page_landings(answer)
    if len(landings) < len(answer.keys):
        return f"leaves out {len(answer.keys) - len(landings)} titles"
    found = {landing.status for landing in landings.values()}
    is_missing = any(landing.missing_title for landing in landings.values())
    return "has none of the pages" if found == {"no_page"} and is_missing else ""


def page_landings(answer: RawAnswer) -> dict[str, Landing]:
    """Returns where each title in an answer about pages leads.

    Args:
        answer: to `page_request`, or to another request that follows redirects.

    Raises:
        ValueError: a part of it is malformed.
    """
    renames = _renames(answer.answer)
    pages = answer_pages(answer.answer)
    elsewhere = {_title(entry) for entry in _entries(answer.answer, "interwiki")}
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
            # Not in the answer: the title stays unknown, and a rerun asks again.
            continue
        landings[title] = landing
    return landings


class SoftRedirects(Facts[str]):
    """Where soft redirects point, or an empty string, from the answers to `wikitext_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer that leaves pages out, or has none of them."""
        pages = answer_pages(answer.answer)
        unspoken = sum(title not in pages for title in answer.keys)
        if unspoken:
            return f"leaves out {unspoken} titles"
        are_missing = all(flag_of(page.get("missing"), "missing") for page in pages.values())
        return "has none of the pages" if are_missing else ""

    def add(self, answer: RawAnswer) -> None:
        """Adds where the pages of an answer point."""
        pages = answer_pages(answer.answer)
        self.update({title: _target(page) for title, page in pages.items()})


class Fate(NamedTuple):
    """What happened to a page that no longer exists."""

    moved_to: str
    """Title; empty if the page was never moved."""
    last_event: str
    """The last move or deletion, in words; empty if there is none."""


class MoveLog(Facts[Fate]):
    """What happened to pages that no longer exist, from the answers to `log_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an empty log."""
        return "" if _entries(answer.answer, "logevents") else "has an empty log"

    def add(self, answer: RawAnswer) -> None:
        """Adds the log of one page; its newest move counts, even if it was deleted later."""
        if len(answer.keys) != 1:
            raise ValueError(f"a log must be about one page, got {len(answer.keys)}")
        events = _entries(answer.answer, "logevents")
        parameters = [fields_of(event.get("params", {}), "params") for event in events]
        targets = [line_of(one.get("target_title", ""), "target_title") for one in parameters]
        moves = list(filter(None, targets))
        kinds = [line_of(event.get("type"), "type of an event") for event in events]
        actions = [line_of(event.get("action"), "action of an event") for event in events]
        done = [act for kind, act in zip(kinds, actions, strict=True) if kind in _ENDS]
        last_event = f"last in its log: {done[0]}" if done else ""
        self.update({answer.keys[0]: Fate(moves[0] if moves else "", last_event)})


_ENDS = ("move", "delete")


def _entries(chunks: object, part: str) -> list[Mapping[str, Any]]:
    """Returns the entries of a part, from all the chunks of an answer."""
    queries = [fields_of(one.get("query", {}), "query") for one in entries_of(chunks, "the answer")]
    return [entry for query in queries for entry in entries_of(query.get(part, []), part)]


def _title(entry: Mapping[str, Any], name: str = "title") -> str:
    return line_of(entry.get(name), name)


def _renames(chunks: object) -> dict[str, str]:
    """Returns title to title, one step each: normalisations, then redirects."""
    renames: dict[str, str] = {}
    for entry in _entries(chunks, "normalized"):
        given = _title(entry, "from")
        # MediaWiki percent-encodes a title in another normal form: its JSON is in form C only.
        is_encoded = flag_of(entry.get("fromencoded"), "fromencoded")
        renames[unquote(given) if is_encoded else given] = _title(entry, "to")
    redirects = _entries(chunks, "redirects")
    renames.update({_title(entry, "from"): _title(entry, "to") for entry in redirects})
    return renames


def answer_pages(chunks: object) -> dict[str, dict[str, Any]]:
    """Returns title to page, joined from all the chunks of an answer.

    Raises:
        ValueError: a part is malformed.
    """
    pages: dict[str, dict[str, Any]] = {}
    for part in _entries(chunks, "pages"):
        page = pages.setdefault(_title(part), {})
        for field_name, value in part.items():
            before = page.get(field_name)
            goes_on = isinstance(value, list) and isinstance(before, list)
            page[field_name] = before + value if goes_on else value
    return pages


def _follow(title: str, renames: dict[str, str]) -> str | None:
    """Returns the last title after all renames, or None for a loop."""
    seen = {title}
    while title in renames:
        title = renames[title]
        if title in seen:
            return None
        seen.add(title)
    return title


def _landing(title: str, page: Mapping[str, Any], fetched_at: datetime) -> Landing:
    if flag_of(page.get("invalid"), "invalid"):
        reason = text_of(page.get("invalidreason", f"{title!r} is no valid title"), "invalidreason")
        return _no_page(fetched_at, reason)
    if flag_of(page.get("special"), "special"):
        return _no_page(fetched_at, f"{title!r} is a special page")
    if flag_of(page.get("missing"), "missing"):
        return _no_page(fetched_at, "")._replace(missing_title=title)
    categories = {_title(one) for one in entries_of(page.get("categories", []), "categories")}
    qid = fields_of(page.get("pageprops", {}), "pageprops").get("wikibase_item", "")
    revision = _revision(page)
    return Landing(
        title=title,
        fetched_at=fetched_at,
        qid=checked_qid(line_of(qid, "wikibase_item")),
        revision_id=number_of(revision["revid"], "revid") if "revid" in revision else None,
        is_soft_redirect=REDIRECTS_CATEGORY in categories,
    )


def _target(page: Mapping[str, Any]) -> str:
    slots = fields_of(_revision(page).get("slots", {}), "slots")
    slot = fields_of(slots.get("main", {}), "main")
    # Deleted since, or hidden by an administrator: it has no text.
    is_gone = flag_of(page.get("missing"), "missing") or flag_of(slot.get("texthidden"), "hidden")
    text = text_of(slot.get("content", "" if is_gone else None), "content")
    links = entries_of(page.get("links", []), "links")
    return redirect_target(text, {_title(link) for link in links})


def _revision(page: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the newest revision, or an empty object."""
    return next(iter(entries_of(page.get("revisions", []), "revisions")), {})


def _no_page(fetched_at: datetime, error: str) -> Landing:
    return Landing(title="", fetched_at=fetched_at, status="no_page", error=error)
