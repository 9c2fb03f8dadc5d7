"""What categories are in, from the SQL dumps.

Which categories a page is in stands in `categorylinks`: until MediaWiki 1.45 by their titles, since
then by the numbers that they have in `linktarget`. Which ones are hidden stands in `page_props`,
as a property of their own pages.

For each level `page`, `redirect`, `categorylinks` and `linktarget` are read from their start, once
or as often as redirects have steps; the hidden ones once for all. What is held in memory is what
was found, and the titles of the hidden categories.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import DUMP_PARENTS, RawAnswer, RawArchive
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.kept import (
    chunks,
    dump_answer,
    parents_fields,
    parents_in,
    parents_of_dump_answer,
    sound,
)
from hgld.scrape.dumps.page_table import CATEGORY_SPACE, PageTable, link_targets, page_title
from hgld.scrape.dumps.sql import SqlDump, sql_number
from hgld.scrape.knowledge import FoundParents
from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents, parents_of_page

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class DumpParents:
    """What the dumps say of parents, kept in the raw archive and looked up."""

    workspace: Workspace
    files: DumpFiles
    _known: CommonsParents = field(default_factory=CommonsParents, init=False)
    _failed: dict[str, str] = field(default_factory=dict, init=False)
    _archive: RawArchive = field(init=False)
    _table: PageTable = field(init=False)
    _hidden: frozenset[bytes] | None = field(default=None, init=False)
    """Titles as the tables have them; None: not read yet."""

    def __post_init__(self) -> None:
        """Takes what was found in these dumps before.

        Raises:
            InputError: a dump is missing that parents take.
        """
        for name in ("page_props", "categorylinks"):
            self.files.need(name)
        self._table = PageTable(self.files)
        self._archive = RawArchive(self.workspace.path(DUMP_PARENTS))
        digest = self.files.digest()
        self._archive.load(
            lambda kept: self._take(kept) if kept.endpoint == digest else None, mend=True
        )

    def found(self) -> FoundParents:
        """Returns what is known by now."""
        return FoundParents(known=self._known, failed=self._failed)

    def look_up(self, titles: Sequence[str]) -> None:
        """Looks up the titles that are not known yet, and keeps what was found.

        Raises:
            InputError: a dump is cut off, or holds something else; or the disk is full.
        """
        new = [one for one in titles if one not in self._known and one not in self._failed]
        logger.info(
            "parents: %d categories, %d of them known; from the dumps beside %s",
            *(len(titles), len(titles) - len(new), self.files.page),
        )
        if not new:
            return
        try:
            found = self._read(new)
        except ValueError as error:
            raise self.files.unreadable(error) from error
        for chunk in chunks(new):
            fields = {title: parents_fields(found[title]) for title in chunk if title in found}
            kept = sound(fields, parents_in, self._failed)
            if kept:
                answer = dump_answer(self.files, kept, kept)
                self._take(answer)
                self._archive.append(answer)

    def _take(self, kept: RawAnswer) -> None:
        self._known.update(parents_of_dump_answer(kept))

    def _read(self, titles: Sequence[str]) -> dict[str, CategoryParents]:
        self._table.look_up(titles)
        ends = {title: self._table.landing(title) for title in titles}
        names = self._names({page.page_id for _, page in ends.values() if page is not None})
        found = {}
        for title, (landing, page) in ends.items():
            own = names.get(page.page_id, ()) if page is not None else ()
            try:
                found[title] = parents_of_page(
                    landing, (page_title((CATEGORY_SPACE, name)) for name in own)
                )
            except ValueError as error:
                self._failed[title] = f"the dumps are odd: {error}"
        return found

    def _names(self, page_ids: Collection[int]) -> dict[int, set[bytes]]:
        """Returns page id to the titles of the categories it is in, without hidden ones."""
        names: dict[int, set[bytes]] = {}
        pages: dict[int, list[int]] = {}
        for page_id, name, target in self._links():
            if page_id in page_ids:
                if target:
                    pages.setdefault(target, []).append(page_id)
                else:
                    names.setdefault(page_id, set()).add(name)
        if pages:
            for number, title in link_targets(self.files, {"lt_namespace": [str(CATEGORY_SPACE)]}):
                for page_id in pages.get(sql_number(number), ()):
                    names.setdefault(page_id, set()).add(title or b"")
        if self._hidden is None:
            self._hidden = _hidden_categories(self.files)
        hidden = self._hidden
        return {page_id: some - hidden for page_id, some in names.items()}

    def _links(self) -> Iterator[tuple[int, bytes, int]]:
        """Yields a page's number, and title or number of a category that it is in."""
        dump = SqlDump(self.files.need("categorylinks"), "categorylinks")
        there = dump.columns()
        # Not `file`: nine rows in ten.
        where = {"cl_type": ["subcat", "page"]}
        if "cl_target_id" not in there:
            for page, name in dump.rows(("cl_from", "cl_to"), where):
                yield sql_number(page), name or b"", 0
        elif "cl_to" not in there:
            for page, target in dump.rows(("cl_from", "cl_target_id"), where):
                yield sql_number(page), b"", sql_number(target)
        else:  # while it is brought from one to the other, a row has one or both
            columns = ("cl_from", "cl_to", "cl_target_id")
            for page, name, target in dump.rows(columns, where):
                yield sql_number(page), name or b"", sql_number(target)


def _hidden_categories(files: DumpFiles) -> frozenset[bytes]:
    """Returns the titles of the categories whose pages hide them."""
    props = SqlDump(files.need("page_props"), "page_props")
    where = {"pp_propname": ["hiddencat"]}
    ids = {sql_number(page) for (page,) in props.rows(("pp_page",), where)}
    pages = SqlDump(files.page, "page")
    rows = pages.rows(("page_id", "page_title"), {"page_namespace": [str(CATEGORY_SPACE)]})
    return frozenset(name or b"" for page, name in rows if sql_number(page) in ids)
