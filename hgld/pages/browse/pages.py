"""The pages of a data set by their paths: a server gives one at a time, a site has them all."""

import functools
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hgld.pages.browse import words
from hgld.pages.browse.changes import MOST_CHANGES, LabelChanges, change_counts
from hgld.pages.browse.evidence import Evidence
from hgld.pages.browse.folder import Row, browsed_folder, if_readable
from hgld.pages.browse.images import MOST_SHOWN, PICTURE_FOLDER, BrowsedImages, picture_path
from hgld.pages.browse.landmarks import SIDES, SPLITS_OF, BrowsedLandmarks, LabelGroup
from hgld.pages.browse.places import BrowsedPlaces, Country
from hgld.pages.browse.reports import REPORT_LIST, find_reports, read_report
from hgld.pages.browse.search import INDEX_FOLDER, SearchIndex
from hgld.pages.serving.templates import page_environment
from hgld.pages.serving.thumbnails import Thumbnails
from hgld.pages.serving.wikimedia import category_url, wikidata_url

HOME = "index.html"
ROWS = 120
"""Landmarks on a page of a label."""
TOGETHER = 40
"""Landmarks on a page that several share."""
CHANGES = 200
"""Changes on a page."""
_PICTURE = re.compile(rf"{PICTURE_FOLDER}/[0-9]+/([0-9]{{1,9}})\.jpg")
_CARD = ["category", "split", "landmark_id", "supercategory", "images"]
_CLASS = ["class_qid", "supercategory"]
_HERE = Path(__file__).resolve().parent
_SHARED = _HERE.parent / "review/static"
ASSETS = {
    **{name: _SHARED / name for name in ("icon.svg", "css/tokens.css", "css/base.css")},
    **{name: _HERE / "static" / name for name in ("css/browse.css", "js/search.js")},
}
"""The style sheets and scripts of the pages by their names in `static/`."""
_FILTERS = (
    *(words.thousands, words.counted, words.reason_words, words.rule_words, words.causes),
    *(words.place_words, words.spaced, words.landmark_title, words.web_url),
    *(category_url, wikidata_url),
)


class Pager(NamedTuple):
    """A page of a list that takes several."""

    folder: str
    page: int
    """From 1."""
    pages: int
    first: int
    """The place in the list of the first one on the page, from 1."""
    rows: range
    """What is on the page."""

    @property
    def path(self) -> str:
        """The path of this page."""
        return page_path(self.folder, self.page)


class BrowsePages:
    """The pages of a data set. Nothing is written; every method may be called from any thread."""

    def __init__(
        self,
        root: Path,
        *,
        own_pages: int | None = None,
        has_reports: bool = False,
    ) -> None:
        """Reads the tables.

        Args:
            root: a build, its annotations/, or a release.
            own_pages: up to this many landmarks have a page each, more share pages; None: no limit.
            has_reports: whether the pages of the runs and benchmarks of a build are.

        Raises:
            InputError: it is none of these, or its tables are not of one release.
            DamagedError: a table cannot be read.
        """
        self.folder = browsed_folder(root, takes_reports=has_reports)
        self.landmarks = BrowsedLandmarks(self.folder)
        self.places = BrowsedPlaces(self.landmarks)
        self.images = BrowsedImages(self.folder, self.landmarks)
        self.files = self.folder.files()
        count = len(self.landmarks.table)
        is_large = own_pages is not None and count > own_pages
        self._per_page = TOGETHER if is_large else 1
        build = self.folder.workspace
        self._reported = reported = build if has_reports else None
        self._thumbnails = None if build is None else Thumbnails(self.images.file, build.root)
        self._evidence = Evidence(self.folder)
        self._changes = LabelChanges(self.folder)
        self._releases = self.folder.releases()
        self._release = self._releases[0] if self._releases else {}
        self._environment = page_environment(_HERE / "templates")
        self._environment.filters |= {one.__name__: one for one in _FILTERS}
        self._environment.globals |= {
            "page_path": page_path,
            "picture_path": picture_path,
            "card": self.folder.card(),
            "version": self._release.get("version") or "",
            "date": self._release.get("date") or "",
            "no_continent": "On several continents, or none stated",
            "landmark_count": count,
            "image_count": sum(one.images for one in self.landmarks.groups),
            "has_pictures": self.images.has_pictures,
            "has_reports": self._reported is not None,
            "has_tables": self.folder.has_tables,
        }
        self._make = dict(self._contents())
        if reported is not None:
            listing = functools.partial(self._page, REPORT_LIST)
            self._make[REPORT_LIST] = lambda path: listing(path, reports=find_reports(reported))

    def __iter__(self) -> Iterator[str]:
        """Yields the paths of all pages and of the search index."""
        yield from self._make
        yield from self._index

    def text(self, path: str) -> str | None:
        """Returns a page, or a file of the search index; None: there is none of that path."""
        if path.startswith(f"{INDEX_FOLDER}/"):
            return self._index.text(path)
        make = self._make.get(path)
        return None if make is None else make(path)

    def picture(self, path: str) -> bytes | None:
        """Returns a small picture; None: there is none of that path, or it cannot be decoded."""
        match, thumbnails = _PICTURE.fullmatch(path), self._thumbnails
        if match is None or thumbnails is None:
            return None
        number = match[1]
        small = if_readable(lambda: thumbnails.of(number), None)
        if small is None:
            self.images.drop_picture(number)
        return small

    def report(self, path: str) -> bytes | None:
        """Returns the page of a run or benchmark as it lies; None: there is none of that path."""
        return None if self._reported is None else read_report(self._reported, path)

    def missing(self, path: str) -> str:
        """Returns what is shown instead of a page that does not exist."""
        return self._page("missing.html", path)

    def landmark(self, row: int) -> Row:
        """Returns what is shown of a landmark.

        Returns:
            Its row of LANDMARK_LABELS, its evidence, its `anchor` on a page of several, the
            `counts` of its images by split, those `images` that are shown, the `change` that this
            release made of it (or None), the `country_slug` of the page of its country, and the
            cards of `similar` and `nearest` landmarks, of these with the `distance`.
        """
        (told,) = self.landmarks.table.slice(row, 1).to_pylist()
        space, number = told["split"], told["landmark_id"]
        similar, nearest = self.landmarks.similar(row), self.places.nearest(row)
        others = [*similar, *nearest]
        cards = self._cards(others, with_covers=self._per_page == 1)
        for card, distance in zip(cards[len(similar) :], nearest.values(), strict=True):
            card["distance"] = distance
        return {
            **told,
            **self._evidence.of(told),
            "anchor": f"{space}-{number}",
            "counts": {one: told[f"{one}_images"] for one in SPLITS_OF[space]},
            "images": self.images.views(self.images.of(range(row, row + 1))[:MOST_SHOWN].tolist()),
            "change": self._changes.of((space, number)),
            "country_slug": self.places.country_of(row).slug,
            "similar": cards[: len(similar)],
            "nearest": cards[len(similar) :],
        }

    def path_of(self, row: int) -> str:
        """Returns the path of a landmark's page, and its place there if it shares one."""
        space, number = self.landmarks.keys[row]
        if self._per_page == 1:
            return f"landmarks/{space}/{number}.html"
        group = self.landmarks.group(row)
        page = (row - group.start) // self._per_page + 1
        return f"{page_path(f'landmarks/{group.slug}', page)}#{space}-{number}"

    def _contents(self) -> Iterator[tuple[str, Callable[[str], str]]]:
        """Yields the path of each page, and what makes it."""
        yield HOME, self._home
        yield "404.html", self.missing
        yield "search.html", functools.partial(self._page, "search.html")
        yield "downloads.html", functools.partial(self._page, "downloads.html", files=self.files)
        listed = range(min(len(self._changes), MOST_CHANGES))
        for pager in _pagers("changes", listed, CHANGES):
            yield pager.path, functools.partial(self._change_list, pager)
        yield "map/index.html", functools.partial(self._map, None)
        for country in self.places.countries:
            for pager in _pagers(f"countries/{country.slug}", range(len(country.rows)), ROWS):
                yield pager.path, functools.partial(self._country, country, pager)
        for group in self.landmarks.groups:
            if self.places.has_marks(group.rows):
                yield f"labels/{group.slug}/map.html", functools.partial(self._map, group)
            for pager in _pagers(f"labels/{group.slug}", group.rows, ROWS):
                yield pager.path, functools.partial(self._label, group, pager)
            for pager in _pagers(f"landmarks/{group.slug}", group.rows, self._per_page):
                make = functools.partial(self._landmark_list, group, pager)
                yield self.path_of(pager.rows[0]).partition("#")[0], make

    def _home(self, path: str) -> str:
        groups = sorted(self.landmarks.groups, key=lambda one: (-one.size, -one.images, one.title))
        sides = {side: [one for one in groups if one.side == side] for side in SIDES}
        covers = {one.slug: self.images.pictured(one.rows) for one in groups}
        return self._page("home.html", path, sides=sides, covers=covers)

    def _label(self, group: LabelGroup, pager: Pager, path: str) -> str:
        classes = self._deciding_classes(group) if pager.page == 1 else []
        cards = self._cards(pager.rows)
        has_map = self.places.has_marks(group.rows)
        shown = {"group": group, "cards": cards, "classes": classes, "pager": pager}
        return self._page("label.html", path, has_map=has_map, **shown)

    def _country(self, country: Country, pager: Pager, path: str) -> str:
        cards = self._cards(country.rows[pager.rows.start : pager.rows.stop].tolist())
        shown = {"country": country, "cards": cards, "classes": [], "pager": pager}
        return self._page("country.html", path, group=None, **shown)

    def _map(self, group: LabelGroup | None, path: str) -> str:
        rows = group.rows if group else range(len(self.landmarks.table))
        marks = self.places.marks(rows)
        first = pa.array([one.row for one in marks], pa.int64())
        told = self.landmarks.table.select(_CARD).take(first).to_pylist()
        shown = [
            (one, self.path_of(one.row), words.landmark_title(row))
            if one.size == 1
            else (one, page_path(f"countries/{one.country.slug}", 1), one.title)
            for one, row in zip(marks, told, strict=True)
        ]
        return self._page(
            "map.html",
            path,
            group=group,
            marks=shown,
            continents=self.places.counts(rows),
            missing=self.places.missing(rows),
            total=len(rows),
        )

    def _landmark_list(self, group: LabelGroup, pager: Pager, path: str) -> str:
        return self._page(
            "landmarks.html",
            path,
            landmarks=[self.landmark(row) for row in pager.rows],
            group=group,
            slugs={one.label: one.slug for one in self.landmarks.groups},
            pager=pager,
            is_own_page=self._per_page == 1,
        )

    def _change_list(self, pager: Pager, path: str) -> str:
        moves, more_moves = self._changes.moves()
        return self._page(
            "changes.html",
            path,
            releases=self._releases,
            follows=self._release.get("follows") or "",
            counts=change_counts(self._release),
            moves=moves,
            more_moves=more_moves,
            changes=[(one, self._change_path(one)) for one in self._changes.rows(pager.rows)],
            total=len(self._changes),
            pager=pager,
        )

    def _change_path(self, change: Row) -> str:
        """Returns the path of the page of a changed landmark; empty: it is no longer there."""
        row = self.landmarks.rows.get((change["split"], change["landmark_id"]))
        return "" if row is None else self.path_of(row)

    def _cards(self, rows: Sequence[int], *, with_covers: bool = True) -> list[Row]:
        """Returns landmarks in a list: each with its `path`, and its `cover`, an image or None."""
        told = self.landmarks.table.select(_CARD).take(pa.array(rows, pa.int64())).to_pylist()
        covers = [
            self.images.pictured(range(row, row + 1)) if with_covers else None for row in rows
        ]
        views = iter(self.images.views([one for one in covers if one is not None]))
        return [
            one | {"path": self.path_of(row), "cover": None if cover is None else next(views)}
            for row, one, cover in zip(rows, told, covers, strict=True)
        ]

    def _deciding_classes(self, group: LabelGroup) -> list[Row]:
        """Returns the deciding classes of a label, those of most landmarks first."""
        rows = self.landmarks.table.slice(group.start, group.size).select(_CLASS)
        counts = rows.filter(pc.is_valid(rows["class_qid"])).group_by("class_qid")
        sums = counts.aggregate([("supercategory", "min"), ([], "count_all")])
        order = [("count_all", "descending"), ("class_qid", "ascending")]
        return list(sums.rename_columns([*_CLASS, "count_all"]).sort_by(order).to_pylist())

    @functools.cached_property
    def _index(self) -> SearchIndex:
        told = self.landmarks.table.select([*_CARD, "qid", "class_qid"]).to_pylist()
        labels, entries = [], []
        for place, group in enumerate(self.landmarks.groups):
            labels.append((f"labels/{group.slug}/{HOME}", group.title, group.side, group.size))
            for row in group.rows:
                one = told[row]
                numbers = filter(None, (str(one["landmark_id"]), one["qid"], one["class_qid"]))
                found = words.landmark_title(one), one["supercategory"] or "", " ".join(numbers)
                entries.append((self.path_of(row), place, one["images"], one["split"], *found))
        return SearchIndex(labels, sorted(entries, key=operator.itemgetter(2), reverse=True))

    def _page(self, template: str, path: str, **context: object) -> str:
        up = "../" * path.count("/")
        return self._environment.get_template(template).render(path=path, up=up, **context)


def page_path(folder: str, page: int) -> str:
    """Returns the path of a page of a list.

    Example:
        >>> page_path("changes", 1), page_path("changes", 2)
        ('changes/index.html', 'changes/2.html')
    """
    return f"{folder}/{HOME if page == 1 else f'{page}.html'}"


def _pagers(folder: str, rows: range, size: int) -> Iterator[Pager]:
    """Yields the pages of a list; an empty list has an empty page."""
    places = range(0, max(len(rows), 1), size)
    for page, place in enumerate(places, 1):
        yield Pager(folder, page, len(places), place + 1, rows[place : place + size])
