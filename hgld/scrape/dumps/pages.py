"""Commons' pages from the SQL dumps: where each title leads, as the page answers would say it.

Hard redirects and items are in the tables; the text of a page is not. A soft redirect is known by
the category that its template puts it in, and its target by the link that the template makes: the
one category it links to. Where it links to several, or those tables are not there, the page
counts as the end of the way, as it does where the text names no target, and the landing says why.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.sql import SqlDump, SqlRow
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY

PageKey = tuple[int, bytes]
"""A page as the tables have it: number of its namespace, and title with underscores."""

_CATEGORY = 14
_NAMESPACES = {
    0: "",
    2: "User",
    4: "Commons",
    6: "File",
    10: "Template",
    12: "Help",
    _CATEGORY: "Category",
    100: "Creator",
    106: "Institution",
}
"""Namespaces of Commons that a category's way can lead to."""
_NUMBERS = {name.casefold(): number for number, name in _NAMESPACES.items() if name}

# What MediaWiki takes for a space in a title, and what it drops (MediaWikiTitleCodec).
_SPACES = re.compile("[ _\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e]+")

_NO_TARGET_TABLES = (
    "no item of its own; whether it is a soft redirect takes the dumps categorylinks, pagelinks "
    "and linktarget, or a scrape of Commons"
)


@dataclass(frozen=True, slots=True)
class _Page:
    page_id: int
    revision_id: int
    is_redirect: bool


def page_key(title: str) -> PageKey:
    """Returns how the tables have a title.

    Example:
        >>> page_key("category:crespi d'Adda")
        (14, b"Crespi_d'Adda")
    """
    title = _SPACES.sub("_", _DIRECTIONS.sub("", title)).strip("_").removeprefix(":")
    prefix, colon, name = title.partition(":")
    number = _NUMBERS.get(prefix.strip("_").casefold()) if colon else None
    if number is None:
        number, name = 0, title
    name = name.partition("#")[0].strip("_")
    # Not where it would become two letters: MediaWiki leaves those as they are.
    first = name[:1].upper() if len(name[:1].upper()) == 1 else name[:1]
    return number, (first + name[1:]).encode("utf-8", errors="surrogatepass")


def page_title(key: PageKey) -> str:
    """Returns a page's title in full.

    Example:
        >>> page_title((14, b"Crespi_d'Adda"))
        "Category:Crespi d'Adda"
    """
    prefix = _NAMESPACES.get(key[0], f"namespace {key[0]}")
    name = key[1].decode("utf-8", errors="replace").replace("_", " ")
    return f"{prefix}:{name}" if prefix else name


@dataclass(slots=True)
class PageDumps:
    """What the dumps say of the titles looked up so far."""

    files: DumpFiles
    _page_dump: SqlDump = field(init=False)
    _seen: set[PageKey] = field(default_factory=set, init=False)
    _pages: dict[PageKey, _Page] = field(default_factory=dict, init=False)
    _redirects: dict[PageKey, PageKey | str] = field(default_factory=dict, init=False)
    """Target; a text for one on another wiki."""
    _qids: dict[int, str] = field(default_factory=dict, init=False)
    _soft: dict[int, str] = field(default_factory=dict, init=False)
    """Target's title, or an empty string where it is not known."""
    _notes: dict[int, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Opens nothing yet."""
        self._page_dump = SqlDump(self.files.page, "page")

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
            self._look_up({page_key(title) for title in todo})
            found = {title: self._landing(title) for title in todo}
            landings |= found
            new = {
                landing.title: self._soft[self._pages[page_key(landing.title)].page_id]
                for landing in found.values()
                if landing.is_soft_redirect
            }
            targets |= new
            todo = [title for title in dict.fromkeys(new.values()) if title not in landings]
            todo = [title for title in todo if title]
        return landings, targets

    def made_at(self) -> datetime:
        """Returns when the table of pages was dumped, or its file written, in UTC."""
        time = self._page_dump.completed_at
        return time or datetime.fromtimestamp(int(self.files.page.stat().st_mtime), tz=UTC)

    def _look_up(self, keys: set[PageKey]) -> None:
        before = set(self._pages)
        new = keys - self._seen
        while new:
            self._seen |= new
            found = self._read_pages(new)
            self._pages |= found
            new = self._read_redirects(found) - self._seen
        ends = {
            page.page_id: key
            for key, page in self._pages.items()
            if key not in before and not page.is_redirect
        }
        if ends:
            self._qids |= _items(self.files, ends)
            self._read_soft_redirects({i: key for i, key in ends.items() if i not in self._qids})

    def _read_pages(self, wanted: set[PageKey]) -> dict[PageKey, _Page]:
        columns = (
            "page_namespace",
            "page_title",
            "page_id",
            "page_latest",
            "page_is_redirect",
        )
        namespaces = sorted({str(number) for number, _ in wanted})
        found: dict[PageKey, _Page] = {}
        for row in self._page_dump.rows(columns, {"page_namespace": namespaces}):
            key = (_number(row[0]), row[1] or b"")
            if key in wanted:
                found[key] = _Page(_number(row[2]), _number(row[3]), row[4] == b"1")
        return found

    def _read_redirects(self, pages: Mapping[PageKey, _Page]) -> set[PageKey]:
        """Reads where those of the pages point that are redirects; returns the targets."""
        ids = {page.page_id: key for key, page in pages.items() if page.is_redirect}
        targets: set[PageKey] = set()
        if not ids:
            return targets
        columns = ("rd_from", "rd_namespace", "rd_title", "rd_interwiki")
        for row in SqlDump(self.files.redirect, "redirect").rows(columns):
            if (source := ids.get(_number(row[0]))) is not None:
                target = (_number(row[1]), row[2] or b"")
                if row[3]:
                    self._redirects[source] = _text(row[3] + b":" + target[1])
                else:
                    self._redirects[source] = target
                    targets.add(target)
        return targets

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
        key, seen = page_key(title), set[PageKey]()
        while key in self._redirects:
            if key in seen:
                return Landing(title="", fetched_at=self.made_at(), status="redirect_loop")
            seen.add(key)
            target = self._redirects[key]
            if isinstance(target, str):
                return self._no_page(f"{target} is on another wiki")
            key = target
        page = self._pages.get(key)
        if page is None:
            return self._no_page("", page_title(key))
        return Landing(
            title=page_title(key),
            fetched_at=self.made_at(),
            error=self._notes.get(page.page_id, ""),
            qid=self._qids.get(page.page_id, ""),
            revision_id=page.revision_id,
            is_soft_redirect=page.page_id in self._soft,
        )

    def _no_page(self, error: str, missing_title: str = "") -> Landing:
        return Landing(
            title="",
            fetched_at=self.made_at(),
            status="no_page",
            error=error,
            missing_title=missing_title,
        )


def _items(files: DumpFiles, pages: Mapping[int, PageKey]) -> dict[int, str]:
    """Returns page id to Q-id: as Commons has it, else as Wikidata does."""
    qids: dict[int, str] = {}
    if files.page_props is not None:
        props = SqlDump(files.page_props, "page_props")
        where = {"pp_propname": ["wikibase_item"]}
        for row in props.rows(("pp_page", "pp_value"), where):
            if _number(row[0]) in pages:
                qids[_number(row[0])] = _text(row[1])
    left = {page_title(key): page_id for page_id, key in pages.items() if page_id not in qids}
    if left and files.wb_items_per_site is not None:
        links = SqlDump(files.wb_items_per_site, "wb_items_per_site")
        where = {"ips_site_id": ["commonswiki"]}
        for row in links.rows(("ips_site_page", "ips_item_id"), where):
            if (title := _text(row[0])) in left:
                qids[left[title]] = f"Q{_text(row[1])}"
    return qids


def _category_links(files: DumpFiles, pages: Collection[int]) -> dict[int, list[PageKey]]:
    """Returns page id to the categories it links to, for the pages that are soft redirects."""
    soft = {page_id: list[PageKey]() for page_id in _in_redirects_category(files, pages)}
    if not soft:
        return soft
    sources: dict[int, list[int]] = {}
    where = {"pl_from_namespace": [str(_CATEGORY)]}
    pagelinks = SqlDump(_there(files.pagelinks), "pagelinks")
    for row in pagelinks.rows(("pl_from", "pl_target_id"), where):
        if _number(row[0]) in soft:
            sources.setdefault(_number(row[1]), []).append(_number(row[0]))
    for row in _link_targets(files, {"lt_namespace": [str(_CATEGORY)]}):
        for page_id in sources.get(_number(row[0]), ()):
            soft[page_id].append((_CATEGORY, row[1] or b""))
    return soft


def _in_redirects_category(files: DumpFiles, pages: Collection[int]) -> set[int]:
    dump = SqlDump(_there(files.categorylinks), "categorylinks")
    name = _text(page_key(REDIRECTS_CATEGORY)[1])
    if "cl_target_id" in dump.columns():
        where = {"lt_namespace": [str(_CATEGORY)], "lt_title": [name]}
        column, values = "cl_target_id", [_text(row[0]) for row in _link_targets(files, where)]
        if not values:
            return set()
    else:  # MediaWiki before 1.45
        column, values = "cl_to", [name]
    ids = (_number(row[0]) for row in dump.rows(("cl_from",), {column: values}))
    return {page_id for page_id in ids if page_id in pages}


def _link_targets(files: DumpFiles, where: Mapping[str, list[str]]) -> Iterable[SqlRow]:
    return SqlDump(_there(files.linktarget), "linktarget").rows(("lt_id", "lt_title"), where)


def _there(path: Path | None) -> Path:
    if path is None:
        raise ValueError("ask `tell_soft_redirects` first")
    return path


def _number(value: bytes | None) -> int:
    return int(value or 0)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", errors="replace")
