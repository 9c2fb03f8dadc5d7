"""Where everything is: under absolute addresses on the page, in relative files on the site."""

from typing import Protocol
from urllib.parse import quote

from hgld.pages.browse.views import LandmarkAt


class Addresses(Protocol):
    """What templates link to. All that is returned is escaped for an address."""

    def home(self) -> str:
        """Returns the hierarchy."""

    def group(self, slug: str, page: int = 1) -> str:
        """Returns a page of a label."""

    def landmark(self, at: LandmarkAt) -> str:
        """Returns a landmark."""

    def landmarks(self, slug: str, page: int) -> str:
        """Returns a page of several landmarks."""

    def search(self) -> str:
        """Returns the search."""

    def changes(self, page: int = 1) -> str:
        """Returns what changed."""

    def downloads(self) -> str:
        """Returns the list of files."""

    def file(self, name: str) -> str:
        """Returns a file to download."""

    def picture(self, name: str) -> str:
        """Returns a picture made small."""

    def asset(self, name: str) -> str:
        """Returns a style sheet or script."""

    @property
    def index(self) -> str:
        """The folder of the search index; empty where the server searches."""


class LiveAddresses:
    """Those of the page."""

    index = ""

    def __init__(self, version: str) -> None:
        """Takes the digest of the static files."""
        self._version = version

    def home(self) -> str:
        """Returns the hierarchy."""
        return "/"

    def group(self, slug: str, page: int = 1) -> str:
        """Returns a page of a label."""
        return f"/labels/{quote(slug)}" + (f"?page={page}" if page > 1 else "")

    def landmark(self, at: LandmarkAt) -> str:
        """Returns a landmark."""
        return f"/landmarks/{quote(at.space)}/{at.landmark_id}"

    def landmarks(self, slug: str, page: int) -> str:
        """Returns the label: each landmark has a page of its own."""
        return self.group(slug, page)

    def search(self) -> str:
        """Returns the search."""
        return "/search"

    def changes(self, page: int = 1) -> str:
        """Returns what changed."""
        return "/changes" + (f"?page={page}" if page > 1 else "")

    def downloads(self) -> str:
        """Returns the list of files."""
        return "/downloads"

    def file(self, name: str) -> str:
        """Returns a file to download."""
        return f"/files/{quote(name)}"

    def picture(self, name: str) -> str:
        """Returns a picture made small."""
        return f"/picture/{quote(name)}"

    def asset(self, name: str) -> str:
        """Returns a style sheet or script."""
        return f"/static/{self._version}/{quote(name)}"


class SiteLayout:
    """The files of the site, by their paths in it."""

    home = "index.html"
    search = "search.html"
    downloads = "downloads.html"
    missing = "404.html"
    index = "search"

    def __init__(self, version: str, landmarks_per_page: int) -> None:
        """Takes the digest of the static files, and how many landmarks a page has."""
        self._version, self.landmarks_per_page = version, landmarks_per_page

    def group(self, slug: str, page: int = 1) -> str:
        """Returns the file of a page of a label."""
        return f"labels/{slug}/{_page(page)}"

    def landmark(self, at: LandmarkAt) -> tuple[str, str]:
        """Returns the file of a landmark, and its place in it, where it has several."""
        if self.landmarks_per_page == 1:
            return f"landmarks/{at.space}/{at.landmark_id // 1000}/{at.landmark_id}.html", ""
        return self.landmarks(at.slug, at.ordinal // self.landmarks_per_page + 1), at.anchor

    def landmarks(self, slug: str, page: int) -> str:
        """Returns the file of a page of several landmarks."""
        return f"landmarks/{slug}/{_page(page)}"

    def changes(self, page: int = 1) -> str:
        """Returns the file of what changed."""
        return f"changes/{_page(page)}"

    def file(self, name: str) -> str:
        """Returns the file of a download."""
        return f"files/{name}"

    def picture(self, name: str) -> str:
        """Returns the file of a picture; a thousand a folder."""
        split, _, row = name.partition("-")
        return f"pictures/{split}/{int(row) // 1000}/{name}.jpg"

    def asset(self, name: str) -> str:
        """Returns the file of a style sheet or script."""
        return f"static/{self._version}/{name}"


class SiteAddresses:
    """Those of the site, as a file of it sees the others."""

    def __init__(self, layout: SiteLayout, path: str) -> None:
        """Takes the files, and which of them looks."""
        self._layout = layout
        self._up = "../" * path.count("/")

    def home(self) -> str:
        """Returns the hierarchy."""
        return self._to(self._layout.home)

    def group(self, slug: str, page: int = 1) -> str:
        """Returns a page of a label."""
        return self._to(self._layout.group(slug, page))

    def landmark(self, at: LandmarkAt) -> str:
        """Returns a landmark."""
        path, anchor = self._layout.landmark(at)
        return self._to(path) + (f"#{quote(anchor)}" if anchor else "")

    def landmarks(self, slug: str, page: int) -> str:
        """Returns a page of several landmarks."""
        return self._to(self._layout.landmarks(slug, page))

    def search(self) -> str:
        """Returns the search."""
        return self._to(self._layout.search)

    def changes(self, page: int = 1) -> str:
        """Returns what changed."""
        return self._to(self._layout.changes(page))

    def downloads(self) -> str:
        """Returns the list of files."""
        return self._to(self._layout.downloads)

    def file(self, name: str) -> str:
        """Returns a file to download."""
        return self._to(self._layout.file(name))

    def picture(self, name: str) -> str:
        """Returns a picture made small."""
        return self._to(self._layout.picture(name))

    def asset(self, name: str) -> str:
        """Returns a style sheet or script."""
        return self._to(self._layout.asset(name))

    @property
    def index(self) -> str:
        """The folder of the search index."""
        return self._to(self._layout.index) + "/"

    def _to(self, path: str) -> str:
        return self._up + quote(path)


def _page(number: int) -> str:
    return "index.html" if number == 1 else f"{number}.html"
