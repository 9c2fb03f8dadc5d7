"""Every page as HTML, for whoever asks, under whatever addresses."""

import functools
from pathlib import Path

import hgld.pages.review
from hgld.pages.browse.addresses import Addresses
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.views import FoundPages, LandmarksView
from hgld.pages.serving.templates import page_environment

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_SHARED = Path(hgld.pages.review.__file__).resolve().parent / "templates"
_MISSING = {
    404: (
        "There is no such page",
        "Perhaps it is of another version of the data set, in which landmarks have other labels.",
    ),
}


class PageWriter:
    """Writes pages of a data set; None where there is no such page."""

    def __init__(self, exhibit: Exhibit, *, policy: str = "", offers: bool = True) -> None:
        """Takes the data set.

        Args:
            exhibit: what is shown.
            policy: what a page may load, where no server says it.
            offers: whether the files of the release can be fetched.
        """
        self._exhibit, self._policy, self._offers = exhibit, policy, offers
        self._environment = page_environment(_TEMPLATES, _SHARED)

    def home(self, to: Addresses) -> str:
        """The hierarchy."""
        return self._page("home.html", to, tree=self._exhibit.tree)

    def group(self, to: Addresses, slug: str, page: int = 1) -> str | None:
        """A page of a label."""
        group = self._exhibit.group(slug, page)
        if group is None:
            return None
        address = functools.partial(to.group, slug)
        return self._page("group.html", to, group=group, group_page=address)

    def landmark(self, to: Addresses, space: str, landmark_id: int) -> str | None:
        """A landmark."""
        shown = self._exhibit.landmark(space, landmark_id)
        return None if shown is None else self.landmarks(to, shown)

    def landmarks(self, to: Addresses, shown: LandmarksView) -> str:
        """One landmark, or several."""
        address = functools.partial(to.landmarks, shown.node.slug)
        return self._page("landmarks.html", to, shown=shown, landmarks_page=address)

    def search(self, to: Addresses, query: str) -> str:
        """What a query finds."""
        found = self._exhibit.search(query) if query else FoundPages(query, (), (), 0)
        return self._page("search.html", to, found=found)

    def changes(self, to: Addresses, page: int = 1) -> str | None:
        """A page of what changed."""
        changes = self._exhibit.changes(page)
        return None if changes is None else self._page("changes.html", to, changes=changes)

    def downloads(self, to: Addresses) -> str:
        """The files."""
        downloads = self._exhibit.downloads(offers=self._offers)
        return self._page("downloads.html", to, downloads=downloads)

    def missing(self, to: Addresses, status: int = 404, text: str = "") -> str:
        """What there is not, with a way back."""
        heading, words = _MISSING.get(status, ("This cannot be shown", ""))
        return self._page("missing.html", to, status=status, heading=heading, text=text or words)

    def _page(self, name: str, to: Addresses, **context: object) -> str:
        shared = {"to": to, "frame": self._exhibit.frame, "policy": self._policy, "here": ""}
        return self._environment.get_template(name).render(**shared, **context)
