"""A data set held open: what each page shows of it, asked by the server and by the site alike."""

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.errors import HgldError
from hgld.pages.browse.showing.changes import KnownChanges, change_pages, changes_view
from hgld.pages.browse.showing.downloads import downloads_view
from hgld.pages.browse.showing.finding import MOST_FOUND, LandmarkFinder, found_nodes
from hgld.pages.browse.showing.landmark import Telling, landmark_view
from hgld.pages.browse.showing.sights import ShownImage, Sights, picture_of
from hgld.pages.browse.showing.tree import (
    group_pages,
    group_view,
    landmark_rows_of,
    node_view,
    tree_view,
)
from hgld.pages.browse.showing.wording import web_url
from hgld.pages.browse.state.credits import CreditRow
from hgld.pages.browse.state.images import read_image_rows
from hgld.pages.browse.state.knowledge import read_knowledge
from hgld.pages.browse.state.landmarks import LandmarkGroup, read_browsed_landmarks
from hgld.pages.browse.state.source import browsed_folder
from hgld.pages.browse.views import (
    ChangesView,
    DownloadsView,
    FoundPages,
    FrameView,
    GroupPage,
    LandmarksView,
    NodeView,
    TreeView,
)
from hgld.pictures import PictureFile
from hgld.tables import LABEL_CHANGES

logger = logging.getLogger(__name__)

_PICTURES_EACH = 48
_KEY = ("split", "landmark_id")
_NOTE = "RELEASE_NOTE.md"
_MOST_NOTE = 200_000


class Exhibit:
    """A finished data set. Nothing of it is written; all methods may be called from any thread."""

    def __init__(self, root: Path) -> None:
        """Reads the tables.

        Args:
            root: a build, its annotations/, or a release.

        Raises:
            InputError: it is none of these, or its tables are not of one release.
            DamagedError: a table cannot be read.
        """
        self.folder = browsed_folder(root)
        self.images = read_image_rows(self.folder)
        self.landmarks = read_browsed_landmarks(self.folder, self.images)
        self.releases = self.folder.releases()
        self.sights = Sights(landmarks=self.landmarks, images=self.images, choose=self.choices)
        self._known_changes = self._read_changes()

    def choices(self, row: int, most: int = _PICTURES_EACH) -> list[ShownImage]:
        """Returns images of a landmark, by its row."""
        space, number = (self.landmarks.table[name][row].as_py() for name in _KEY)
        return self.images.chosen(space, number, most)

    def show_only(
        self, chosen: Mapping[int, Sequence[ShownImage]], makers: Mapping[int, CreditRow]
    ) -> None:
        """Has only some images shown, before anything is asked.

        Args:
            chosen: row of a landmark to its images.
            makers: credits of their train rows.
        """
        self.sights.choose = lambda row: chosen.get(row, ())
        self.sights.makers = makers

    @functools.cached_property
    def frame(self) -> FrameView:
        """What stands on every page."""
        newest = self.releases[0] if self.releases else {}
        card = self.folder.card()
        return FrameView(
            title=card.title.strip(),
            description=card.description,
            license=card.license,
            license_url=web_url(card.license),
            citation=card.citation,
            version=str(newest.get("version") or ""),
            date=str(newest.get("date") or ""),
            landmarks=len(self.landmarks),
            images=int(self.landmarks.images.sum()),
            has_pictures=self.images.has_pictures,
        )

    @functools.cached_property
    def nodes(self) -> list[NodeView]:
        """Every label and reason, in the order of the groups."""
        return [node_view(self.sights, one) for one in self.landmarks.groups]

    @functools.cached_property
    def tree(self) -> TreeView:
        """The hierarchy."""
        return tree_view(self.nodes, self.landmarks)

    def group(self, slug: str, page: int = 1) -> GroupPage | None:
        """Returns a page of a label; None: there is none."""
        group = self.landmarks.group(slug)
        if group is None or not 1 <= page <= group_pages(group):
            return None
        return group_view(self.sights, group, self._node(group), page)

    def landmark(self, space: str, landmark_id: int) -> LandmarksView | None:
        """Returns the page of a landmark; None: there is none of that number."""
        row = self.landmarks.place.get((space, landmark_id))
        if row is None:
            return None
        view = landmark_view(self.telling, row)
        return LandmarksView(landmarks=(view,), node=view.node, page=0, pages=0, first=1)

    def several(self, group: LandmarkGroup, page: int, per_page: int) -> LandmarksView:
        """Returns a page of some landmarks of a group, from 1."""
        start = group.start + (page - 1) * per_page
        rows = range(start, min(start + per_page, group.end))
        return LandmarksView(
            landmarks=tuple(landmark_view(self.telling, row) for row in rows),
            node=self._node(group),
            page=page,
            pages=max(1, -(-(group.end - group.start) // per_page)),
            first=start - group.start + 1,
        )

    def search(self, query: str) -> FoundPages:
        """Returns what a query finds."""
        rows = self._finder.rows(query)
        found = landmark_rows_of(self.sights, rows[:MOST_FOUND], self.nodes)
        return FoundPages(query, found_nodes(self.nodes, query), found, len(rows))

    def changes(self, page: int = 1) -> ChangesView | None:
        """Returns a page of what changed; None: there is none of that number."""
        if not 1 <= page <= self.pages_of_changes:
            return None
        return changes_view(self.releases, self._known_changes, self._note(), page)

    @property
    def pages_of_changes(self) -> int:
        """How many pages the changes take."""
        return change_pages(self._known_changes)

    def downloads(self, *, offers: bool = True) -> DownloadsView:
        """Returns the files of the release."""
        return downloads_view(self.folder.folder, self.frame.version, offers=offers)

    def picture(self, name: str) -> PictureFile | None:
        """Returns where a picture lies; None: there is none of that name."""
        chosen = picture_of(name)
        return None if chosen is None else self.images.file(*chosen)

    @functools.cached_property
    def telling(self) -> Telling:
        """What the pages of landmarks are made of."""
        return Telling(
            sights=self.sights,
            knowledge=read_knowledge(self.folder.workspace),
            nodes=self.nodes,
            changes=self._known_changes.by_landmark() if self._known_changes else {},
        )

    @functools.cached_property
    def _finder(self) -> LandmarkFinder:
        return LandmarkFinder(self.landmarks)

    def _node(self, group: LandmarkGroup) -> NodeView:
        return self.nodes[self.landmarks.groups.index(group)]

    def _read_changes(self) -> KnownChanges | None:
        if not self.folder.has(LABEL_CHANGES):
            return None
        try:
            return KnownChanges(self.folder.read(LABEL_CHANGES), self.landmarks)
        except HgldError as error:
            logger.warning("browse: no changes are shown: %s", error)
            return None

    def _note(self) -> str:
        path = self.folder.folder / _NOTE
        if not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_NOTE)
