"""Commons' pages from the SQL dumps: where each title leads, as the page answers would say it.

Hard redirects and items are in the tables; the text of a page is not. A soft redirect is known by
the category that its template puts it in, and its target by the link that the template makes: the
one category it links to. Where it links to several, or those tables are not there, the page
counts as the end of the way, as it does where the text names no target, and the landing says why.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.page_table import (
    CATEGORY_SPACE,
    PageKey,
    PageTable,
    link_targets,
    page_key,
    page_title,
)
from hgld.scrape.dumps.sql import SqlDump, sql_number, sql_words
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY

_NO_TARGET_TABLES = (
    "no item of its own; whether it is a soft redirect takes the dumps categorylinks, pagelinks "
    "and linktarget, or a scrape of Commons"
)


@dataclass(slots=True)
class PageDumps:
    """What the dumps say of the titles looked up so far."""

    files: DumpFiles
    _table: PageTable = field(init=False)
    _qids: dict[int, str] = field(default_factory=dict, init=False)
    _soft: dict[int, str] = field(default_factory=dict, init=False)
    """Target's title, or an empty string where it is not known."""
    _notes: dict[int, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Opens nothing yet."""
        self._table = PageTable(self.files)

    def look_up(self, titles: Iterable[str]) -> tuple[dict[str, Landing], dict[str, str]]:
        """Looks titles up, and whatever their soft redirects point to.

        Args:
            titles: page titles.

        Returns:
            Where each title leads, and each one that a soft redirect points to; and the target of
            each soft redirect by its title, an empty text where it is not known.

        Raises:
            InputError: a dump is cut off, or holds something else.
        """
        landings: dict[str, Landing] = {}
        targets: dict[str, str] = {}
        todo = list(titles)
        while todo:
            self._look_up(todo)
            found = {title: self._landing(title) for title in todo}
            landings |= found
            new = {
                landing.title: self._soft[self._table.pages[page_key(landing.title)].page_id]
                for landing in found.values()
                if landing.is_soft_redirect
            }
            targets |= new
            todo = [title for title in dict.fromkeys(new.values()) if title not in landings]
            todo = [title for title in todo if title]
        return landings, targets

    def _look_up(self, titles: Iterable[str]) -> None:
        ends = {
            page.page_id: key
            for key, page in self._table.look_up(titles).items()
            if not page.is_redirect
        }
        if ends:
            self._qids |= _items(self.files, ends)
            self._read_soft_redirects({i: key for i, key in ends.items() if i not in self._qids})

    def _read_soft_redirects(self, pages: Mapping[int, PageKey]) -> None:
        """Finds which pages without an item point elsewhere, and where to."""
        if not self.files.tell_soft_redirects():
            self._notes |= dict.fromkeys(pages, _NO_TARGET_TABLES)
            return
        for page_id, targets in _category_links(self.files, pages).items():
            others = sorted({target for target in targets if target != pages[page_id]})
            self._soft[page_id] = page_title(others[0]) if len(others) == 1 else ""
            if len(others) != 1:
                self._notes[page_id] = (
                    f"a soft redirect that links to {len(others)} categories; which one it points "
                    f"to is in its text alone, and that takes a scrape of Commons"
                )

    def _landing(self, title: str) -> Landing:
        landing, page = self._table.landing(title)
        if page is None:
            return landing
        return replace(
            landing,
            error=self._notes.get(page.page_id, ""),
            qid=self._qids.get(page.page_id, ""),
            is_soft_redirect=page.page_id in self._soft,
        )


def _items(files: DumpFiles, pages: Mapping[int, PageKey]) -> dict[int, str]:
    """Returns page id to Q-id: as Commons has it, else as Wikidata does."""
    qids: dict[int, str] = {}
    if files.page_props is not None:
        props = SqlDump(files.page_props, "page_props")
        where = {"pp_propname": ["wikibase_item"]}
        for row in props.rows(("pp_page", "pp_value"), where):
            if sql_number(row[0]) in pages:
                qids[sql_number(row[0])] = sql_words(row[1])
    left = {page_title(key): page_id for page_id, key in pages.items() if page_id not in qids}
    if left and files.wb_items_per_site is not None:
        links = SqlDump(files.wb_items_per_site, "wb_items_per_site")
        where = {"ips_site_id": ["commonswiki"]}
        for row in links.rows(("ips_site_page", "ips_item_id"), where):
            if (title := sql_words(row[0])) in left:
                qids[left[title]] = f"Q{sql_words(row[1])}"
    return qids


def _category_links(files: DumpFiles, pages: Collection[int]) -> dict[int, list[PageKey]]:
    """Returns page id to the categories it links to, for the pages that are soft redirects."""
    soft = {page_id: list[PageKey]() for page_id in _in_redirects_category(files, pages)}
    if not soft:
        return soft
    sources: dict[int, list[int]] = {}
    where = {"pl_from_namespace": [str(CATEGORY_SPACE)]}
    pagelinks = SqlDump(files.need("pagelinks"), "pagelinks")
    for row in pagelinks.rows(("pl_from", "pl_target_id"), where):
        if sql_number(row[0]) in soft:
            sources.setdefault(sql_number(row[1]), []).append(sql_number(row[0]))
    for row in link_targets(files, {"lt_namespace": [str(CATEGORY_SPACE)]}):
        for page_id in sources.get(sql_number(row[0]), ()):
            soft[page_id].append((CATEGORY_SPACE, row[1] or b""))
    return soft


def _in_redirects_category(files: DumpFiles, pages: Collection[int]) -> set[int]:
    dump = SqlDump(files.need("categorylinks"), "categorylinks")
    name = sql_words(page_key(REDIRECTS_CATEGORY)[1])
    if "cl_target_id" in dump.columns():
        where = {"lt_namespace": [str(CATEGORY_SPACE)], "lt_title": [name]}
        column, values = "cl_target_id", [sql_words(row[0]) for row in link_targets(files, where)]
        if not values:
            return set()
    else:  # MediaWiki before 1.45
        column, values = "cl_to", [name]
    ids = (sql_number(row[0]) for row in dump.rows(("cl_from",), {column: values}))
    return {page_id for page_id in ids if page_id in pages}
