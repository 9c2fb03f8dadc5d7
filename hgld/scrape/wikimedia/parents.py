"""Commons: the parents of a category, which are the categories that it is in.

`parents_request` leaves hidden categories out: they describe the page, not the place. It also asks
for the revision, to archive it with the answer. `CommonsParents` follows titles to their pages like
`hgld.scrape.wikimedia.commons`, and then reads only the categories of each page:

    {"query": {
        "redirects": [{"from": "Category:A", "to": "Category:C"}],
        "pages": [
            {"title": "Category:C", "categories": [
                {"title": "Category:Churches in D"}, {"title": "Category:D"}]},
            {"title": "Category:E", "missing": true}]}}

A page with more categories than fit in one answer continues in the next answer of the list.

A soft redirect is only in hidden categories. It uses a redirect template and links to the category
that it points to, which counts as its parent:

            {"title": "Category:F", "templates": [{"title": "Template:Category redirect"}],
             "links": [{"title": "Category:G"}]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hgld.scrape.archive import RawAnswer
from hgld.scrape.wikimedia.answers import Facts, entries_of, line_of
from hgld.scrape.wikimedia.commons import Landing, answer_pages, doubt_of_pages, page_landings
from hgld.scrape.wikimedia.soft_redirects import REDIRECT_TEMPLATE, REDIRECTS_CATEGORY
from hgld.scrape.wikimedia.titles import is_askable


def parents_request(titles: Sequence[str]) -> dict[str, str]:
    """Returns the API parameters that ask for the parents of at most 50 pages."""
    return {
        "formatversion": "2",
        "prop": "revisions|categories|templates|links",
        "rvprop": "ids",
        "clshow": "!hidden",
        "cllimit": "max",
        "tltemplates": REDIRECT_TEMPLATE,
        "tllimit": "max",
        "plnamespace": "14",
        "pllimit": "max",
        "redirects": "1",
        "titles": "|".join(titles),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryParents:
    """The categories that the page of a title is in, or why there is no page."""

    fetched_at: datetime | None
    names: tuple[str, ...] = ()
    """Titles without "Category:", each once, in order, without hidden ones. For a soft redirect:
    its target."""
    status: str = "ok"
    """ok | no_page"""
    error: str = ""


class CommonsParents(Facts[CategoryParents]):
    """The parents of each category, from the answers to `parents_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer that leaves titles out, or has none of the pages."""
        return doubt_of_pages(answer)

    def add(self, answer: RawAnswer) -> None:
        """Adds the parents of the titles in an answer."""
        pages = answer_pages(answer.answer)
        landings = page_landings(answer)
        self.update({title: _at(landing, pages) for title, landing in landings.items()})


def _at(landing: Landing, pages: Mapping[str, Mapping[str, Any]]) -> CategoryParents:
    if landing.status != "ok":
        why = "its redirects lead nowhere" if landing.status == "redirect_loop" else landing.error
        return CategoryParents(fetched_at=landing.fetched_at, status="no_page", error=why)
    page = pages[landing.title]
    targets = _titles(page, "links") - {REDIRECTS_CATEGORY} if _titles(page, "templates") else set()
    # As Commons' own tools do. A page that links to several could point to any of them.
    titles = targets if len(targets) == 1 else _titles(page, "categories")
    names = tuple(sorted(map(_name, titles)))
    return CategoryParents(fetched_at=landing.fetched_at, names=names)


def _titles(page: Mapping[str, Any], part: str) -> set[str]:
    return {line_of(one.get("title"), "title") for one in entries_of(page.get(part, []), part)}


def title_of_parent(name: str) -> str:
    """Returns the full title of a parent from its name without the namespace."""
    return f"Category:{name}"


def _name(title: str) -> str:
    """Returns a title without its namespace, in any language.

    Raises:
        ValueError: there is no namespace, or the name cannot be used in a request.
    """
    _, colon, name = title.partition(":")
    if not colon or not is_askable(name):
        raise ValueError(f"a category's title must be like Category:A, got {ascii(title)[:60]}")
    return name
