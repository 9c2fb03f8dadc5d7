"""The rows of the parents, from what is known of categories. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from hgld.scrape.knowledge import FoundParents, parents_of
from hgld.scrape.wikimedia.parents import title_of_parent


def rows_of_parents(
    titles: Iterable[str], found: FoundParents, levels: int, most: int
) -> Iterator[dict[str, Any]]:
    """Yields a row for each category.

    Args:
        titles: of the categories, in full and in order.
        found: of each of them, and where there are two levels of its parents, what is known or why
            that is not.
        levels: 2 where the parents' parents belong to a row.
        most: of how many parents they do, the first ones.

    Yields:
        Rows of PARENTS. A category that is in itself, straight away or by way of a parent, is
        neither its parent nor its grandparent. A row fails where any of it is not known, and has
        what is.
    """
    for title in titles:
        if title in found.failed:
            row = {"page_title": title, "parents": [], "grandparents": []}
            yield {**row, "status": "failed", "error": found.failed[title]}
            continue
        known = found.known[title]
        own = title.removeprefix(title_of_parent(""))
        names = [name for name in known.names if name != own]
        above = parents_of([title], found.known, most) if levels > 1 else []
        lost = [f"{one}: {found.failed[one]}" for one in above if one in found.failed]
        yield {
            "page_title": title,
            "status": "failed" if lost else known.status,
            "parents": names,
            "grandparents": _names_above(above, found, {own, *names}),
            "fetched_at": known.fetched_at,
            "error": lost[0] if lost else known.error or None,
        }


def _names_above(titles: Iterable[str], found: FoundParents, without: set[str]) -> list[str]:
    known = [found.known[title] for title in titles if title in found.known]
    return sorted({name for one in known for name in one.names} - without)
