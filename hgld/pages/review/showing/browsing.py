"""What can be looked up over all groups, from any thread."""

import logging
import threading
from collections.abc import Callable, Sequence

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, HgldError, InputError, PictureError
from hgld.labels.embedding.label_map import run_map
from hgld.pages.review.showing.finding import Finding
from hgld.pages.review.state.lookup import Lookup
from hgld.pages.review.state.pictures import PictureIndex, read_picture_index
from hgld.pages.review.views import FoundView, SimilarView
from hgld.pages.serving.thumbnails import SmallPicture, Thumbnails

logger = logging.getLogger(__name__)


class Browsing:
    """Search, similar classes, the map and pictures.

    The names of landmarks and the pictures are read while the page is shown already.
    """

    def __init__(
        self,
        workspace: Workspace,
        finding: Finding,
        lock: threading.RLock,
        *,
        makes_map: bool = False,
    ) -> None:
        """Prepares.

        Args:
            workspace: the build.
            finding: finds things of the state.
            lock: that guards the state.
            makes_map: whether the stage `map` runs when the map is first asked for.
        """
        self._workspace, self._finding, self._lock = workspace, finding, lock
        self._makes_map = makes_map
        self._lookup: Lookup | None = None
        self._thumbnails: Thumbnails | None = None
        self._other_thumbnails: Thumbnails | None = None
        self._has_names, self._has_places = threading.Event(), threading.Event()
        self._thread: threading.Thread

    def start(self, tell: Callable[[], None]) -> None:
        """Reads what the first page can do without; tells once pictures can be shown."""
        self._thread = threading.Thread(target=self._read, args=(tell,), daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until all is read."""
        self._thread.join(timeout_s)

    def search(self, query: str) -> FoundView:
        """Returns the classes and landmarks whose names have a text."""
        self._has_names.wait()
        if self._lookup is None:
            raise InputError("the names of the landmarks could not be read; the log says why")
        with self._lock:
            return self._finding.words(self._lookup, query)

    def similar(self, qids: Sequence[str], least: float) -> SimilarView:
        """Returns the classes near to a selection; see `Finding.similar`."""
        with self._lock:
            return self._finding.similar(qids, least)

    def labels(self) -> str:
        """Returns all classes as JSON."""
        with self._lock:
            return self._finding.labels()

    def points(self) -> str:
        """Returns the map as JSON.

        The first time it may be a quick one, of principal components: the better one takes some 40
        s of a core for 10,000 classes, and is there when the map is next opened.
        """
        self._has_places.wait()
        if self._makes_map:
            self._makes_map = False
            threading.Thread(target=self._make_map, daemon=True).start()
        with self._lock:
            return self._finding.points()

    def picture(self, image_id: str) -> SmallPicture | None:
        """Returns a picture made small; None where there is none that can be shown."""
        try:
            for thumbnails in (self._thumbnails, self._other_thumbnails):
                small = None if thumbnails is None else thumbnails.of(image_id)
                if small is not None:
                    return small
        except (DamagedError, PictureError) as error:
            logger.warning("review: %s", error)
        return None

    def show_also(self, pictures: PictureIndex) -> None:
        """Has pictures shown of landmarks that have no class, instead of such ones before."""
        self._other_thumbnails = Thumbnails(pictures.file_of, self._workspace.root)

    def _read(self, tell: Callable[[], None]) -> None:
        try:
            self._lookup = self._finding.lookup()
            self._has_names.set()
            self._finding.place_all(self._workspace)
        except DamagedError as error:
            logger.warning("review: the map cannot be shown: %s", error)
        finally:  # nobody is to wait for ever
            self._has_names.set()
            self._has_places.set()
        pictures = self._pictures()
        if pictures is None or not pictures.image_ids:
            return
        with self._lock:
            self._thumbnails = Thumbnails(pictures.file_of, self._workspace.root)
            self._finding.show_pictures(pictures)
            tell()

    def _make_map(self) -> None:
        try:
            with self._workspace.lock():
                run_map(self._workspace)
            with self._lock:
                self._finding.place_all(self._workspace)
        except (HgldError, OSError) as error:  # another program may write to the build
            logger.warning("review: the map stays a quick one: %s", error)

    def _pictures(self) -> PictureIndex | None:
        try:
            return read_picture_index(self._workspace, self._finding.landmarks)
        except DamagedError as error:
            logger.warning("review: no pictures are shown: %s", error)
            return None
