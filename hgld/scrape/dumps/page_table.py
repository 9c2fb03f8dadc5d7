"""The pages of a wiki from its dumps, and the hard redirects between them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.sql import SqlDump, SqlRow, sql_number, sql_words
from hgld.scrape.wikimedia.commons import Landing

PageKey = tuple[int, bytes]
"""A page as the tables have it: number of its namespace, and title with underscores."""

CATEGORY_SPACE = 14
_NAMESPACES = {
    0: "",
    2: "User",
    4: "Commons",
    6: "File",
    10: "Template",
    12: "Help",
    CATEGORY_SPACE: "Category",
    100: "Creator",
    106: "Institution",
}
"""Namespaces of Commons that a category's way can lead to."""
_NUMBERS = {name.casefold(): number for number, name in _NAMESPACES.items() if name}

# What MediaWiki takes for a space in a title, and what it drops (MediaWikiTitleCodec).
_SPACES = re.compile("[ _\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e]+")


@dataclass(frozen=True, slots=True)
class DumpPage:
    """What the table of pages has of one."""

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
class PageTable:
    """The pages looked up so far, and those that they redirect to."""

    files: DumpFiles
    pages: dict[PageKey, DumpPage] = field(default_factory=dict, init=False)
    """Those that are there."""
    _dump: SqlDump = field(init=False)
    _seen: set[PageKey] = field(default_factory=set, init=False)
    _redirects: dict[PageKey, PageKey | str] = field(default_factory=dict, init=False)
    """Target; a text for one on another wiki."""

    def __post_init__(self) -> None:
        """Opens nothing yet."""
        self._dump = SqlDump(self.files.page, "page")

    def look_up(self, titles: Iterable[str]) -> dict[PageKey, DumpPage]:
        """Looks titles up, and whatever they redirect to.

        Returns:
            The pages that this made known.

        Raises:
            InputError: a dump is cut off, or holds something else.
        """
        new = {page_key(title) for title in titles} - self._seen
        made_known: dict[PageKey, DumpPage] = {}
        while new:
            self._seen |= new
            found = self._read_pages(new)
            made_known |= found
            new = self._read_redirects(found) - self._seen
        self.pages |= made_known
        return made_known

    def landing(self, title: str) -> tuple[Landing, DumpPage | None]:
        """Returns where a title leads that was looked up, and the page there, if one is."""
        key, seen = page_key(title), set[PageKey]()
        while key in self._redirects:
            if key in seen:
                lost = Landing(title="", fetched_at=self.made_at(), status="redirect_loop")
                return lost, None
            seen.add(key)
            target = self._redirects[key]
            if isinstance(target, str):
                return self._no_page(f"{target} is on another wiki"), None
            key = target
        page = self.pages.get(key)
        if page is None:
            return self._no_page("", page_title(key)), None
        end, made_at = page_title(key), self.made_at()
        return Landing(title=end, fetched_at=made_at, revision_id=page.revision_id), page

    def made_at(self) -> datetime:
        """Returns when the table of pages was dumped, or its file written, in UTC."""
        time = self._dump.completed_at
        return time or datetime.fromtimestamp(int(self.files.page.stat().st_mtime), tz=UTC)

    def _read_pages(self, wanted: set[PageKey]) -> dict[PageKey, DumpPage]:
        columns = (
            "page_namespace",
            "page_title",
            "page_id",
            "page_latest",
            "page_is_redirect",
        )
        namespaces = sorted({str(number) for number, _ in wanted})
        found: dict[PageKey, DumpPage] = {}
        for row in self._dump.rows(columns, {"page_namespace": namespaces}):
            key = (sql_number(row[0]), row[1] or b"")
            if key in wanted:
                found[key] = DumpPage(sql_number(row[2]), sql_number(row[3]), row[4] == b"1")
        return found

    def _read_redirects(self, pages: Mapping[PageKey, DumpPage]) -> set[PageKey]:
        """Reads where those of the pages point that are redirects; returns the targets."""
        ids = {page.page_id: key for key, page in pages.items() if page.is_redirect}
        targets: set[PageKey] = set()
        if not ids:
            return targets
        columns = ("rd_from", "rd_namespace", "rd_title", "rd_interwiki")
        for row in SqlDump(self.files.redirect, "redirect").rows(columns):
            if (source := ids.get(sql_number(row[0]))) is not None:
                target = (sql_number(row[1]), row[2] or b"")
                if row[3]:
                    self._redirects[source] = sql_words(row[3] + b":" + target[1])
                else:
                    self._redirects[source] = target
                    targets.add(target)
        return targets

    def _no_page(self, error: str, missing_title: str = "") -> Landing:
        return Landing(
            title="",
            fetched_at=self.made_at(),
            status="no_page",
            error=error,
            missing_title=missing_title,
        )


def link_targets(files: DumpFiles, where: Mapping[str, list[str]]) -> Iterator[SqlRow]:
    """Yields number and title of what pages link to, or are in.

    Args:
        files: the dumps.
        where: as in `SqlDump.rows`.

    Raises:
        InputError: the dump is not there, is cut off, or holds something else.
    """
    yield from SqlDump(files.need("linktarget"), "linktarget").rows(("lt_id", "lt_title"), where)
