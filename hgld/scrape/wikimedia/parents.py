"""Commons: the categories that a category is in, its parents.

A title is asked for with `parents_request`, which leaves hidden categories out: those tell of the
page, not of the place. The revision is asked for to be kept with the answer. `CommonsParents` reads
of each answer what `hgld.scrape.wikimedia.commons` reads to follow a title to its page, and of the
page its categories, and nothing else:

    {"query": {
        "redirects": [{"from": "Category:A", "to": "Category:C"}],
        "pages": [
            {"title": "Category:C", "categories": [
                {"title": "Category:Churches in D"}, {"title": "Category:D"}]},
            {"title": "Category:E", "missing": true}]}}

A page with more categories than fit in one answer goes on in the next one of the list.

A soft redirect lies in hidden categories alone. It has the template of one, and links to the
category that it points to, which counts as what it lies in:

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
    """Returns the API parameters that ask for the parents of pages. At most 50."""
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
    """What is known of a title: the categories that its page is in, or why there is none."""

    fetched_at: datetime
    names: tuple[str, ...] = ()
    """Titles without "Category:", each once, in order; without hidden ones. Of a soft redirect the
    one that it points to."""
    status: str = "ok"
    """ok | no_page"""
    error: str = ""


class CommonsParents(Facts[CategoryParents]):
    """What each category is in, by the answers to `parents_request`."""

    def doubt(self, answer: RawAnswer) -> str:
        """Doubts an answer that leaves titles out, or has none of the pages."""
        return doubt_of_pages(answer)

    def add(self, answer: RawAnswer) -> None:
        """Takes the parents of the titles that an answer speaks of."""
        pages = answer_pages(answer.answer)
        landings = page_landings(answer)
        self.update({title: _at(landing, pages) for title, landing in landings.items()})


def _at(landing: Landing, pages: Mapping[str, Mapping[str, Any]]) -> CategoryParents:
    if landing.status != "ok":
        why = "its redirects lead nowhere" if landing.status == "redirect_loop" else landing.error
        return CategoryParents(fetched_at=landing.fetched_at, status="no_page", error=why)
    page = pages[landing.title]
    targets = _titles(page, "links") - {REDIRECTS_CATEGORY} if _titles(page, "templates") else set()
    # As Commons' own tools tell it. What links to several may point to any of them.
    titles = targets if len(targets) == 1 else _titles(page, "categories")
    names = tuple(sorted(map(_name, titles)))
    return CategoryParents(fetched_at=landing.fetched_at, names=names)


def _titles(page: Mapping[str, Any], part: str) -> set[str]:
    return {line_of(one.get("title"), "title") for one in entries_of(page.get(part, []), part)}


def title_of_parent(name: str) -> str:
    """Returns the title in full of a parent that is told without its namespace."""
    return f"Category:{name}"


def _name(title: str) -> str:
    """Returns a title without its namespace, whatever the wiki's language calls that.

    Raises:
        ValueError: there is none, or it could not be asked about in its turn.
    """
    _, colon, name = title.partition(":")
    if not colon or not is_askable(name):
        raise ValueError(f"a category's title must be like Category:A, got {ascii(title)[:60]}")
    return name
