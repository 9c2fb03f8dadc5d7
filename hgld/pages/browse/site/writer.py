"""Writes the site: every page, picture, download and the search, each a file."""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hgld.engine.progress import progress
from hgld.errors import HgldError
from hgld.pages.browse.addresses import SiteAddresses, SiteLayout
from hgld.pages.browse.assets import ASSETS, assets_version
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.pages import PageWriter
from hgld.pages.browse.showing.downloads import downloads_view, release_files
from hgld.pages.browse.showing.sights import ShownImage, picture_name
from hgld.pages.browse.showing.tree import group_pages
from hgld.pages.browse.site.choosing import chosen_images
from hgld.pages.browse.site.place import SITE_MARKER, marker_text, placing_site, require_site_folder
from hgld.pages.browse.site.search_index import search_files
from hgld.pages.browse.state.credits import read_credit_rows
from hgld.pages.serving.thumbnails import Thumbnails

logger = logging.getLogger(__name__)

OWN_PAGES = 5_000
"""Up to so many landmarks, each has a page of its own."""
_TOGETHER = 40
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig:
    """What goes with a site."""

    pictures: int = 20_000
    """The most images that are shown, of all landmarks together."""
    downloads: bool = True
    """Whether the files of the release are copied into it."""

    def __post_init__(self) -> None:
        """Refuses a number of pictures below none.

        Raises:
            ValueError: it is.
        """
        if self.pictures < 0:
            raise ValueError(f"--pictures must be 0 or more, got {self.pictures}")


class SiteReport(NamedTuple):
    """What was written."""

    files: int
    bytes: int
    landmarks: int
    pictures: int
    seconds: float


def write_site(root: Path, out: Path, config: SiteConfig) -> SiteReport:
    """Writes a data set as a site.

    Args:
        root: a build, its annotations/, or a release.
        out: the folder, new, empty, or a site that was written before, which stands until the new
            one is whole.
        config: what goes with it.

    Raises:
        InputError: no such data set, or a folder in which something else lies.
        DamagedError: a table cannot be read.
        WorkspaceBusyError: another process writes there.
    """
    begun = time.monotonic()
    exhibit = Exhibit(root)
    require_site_folder(out, root, exhibit.folder)
    with placing_site(out) as folder:
        site = _Site(exhibit, folder, config)
        site.write()
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        text = marker_text(exhibit.frame.version, len(sizes) + 1)
        (folder / SITE_MARKER).write_text(text, encoding="utf-8")
    return SiteReport(
        files=len(sizes) + 1,
        bytes=sum(sizes) + len(text.encode()),
        landmarks=len(exhibit.landmarks),
        pictures=site.pictures,
        seconds=time.monotonic() - begun,
    )


class _Site:
    """A site while it is written."""

    def __init__(self, exhibit: Exhibit, folder: Path, config: SiteConfig) -> None:
        self._exhibit, self._folder, self._config = exhibit, folder, config
        several = len(exhibit.landmarks) > OWN_PAGES
        self._per_page = _TOGETHER if several else 1
        self._layout = SiteLayout(assets_version(), self._per_page)
        self._writer = PageWriter(exhibit, policy=_POLICY, offers=config.downloads)
        self.pictures = 0

    def write(self) -> None:
        """Writes everything."""
        self._choose()
        for name, path in ASSETS.items():
            self._copy(path, self._layout.asset(name))
        self._write_pages()
        front = SiteAddresses(self._layout, self._layout.home)
        for name, text in search_files(self._exhibit, front):
            self._text(f"{self._layout.index}/{name}", text)
        if self._config.downloads:
            self._copy_release()

    def _choose(self) -> None:
        """Chooses the images, and writes their pictures first: one that is damaged is not shown."""
        chosen = chosen_images(self._exhibit, self._config.pictures)
        images = [one for each in chosen.values() for one in each]
        rows = np.array([row for split, row in images if split == "train"], np.int64)
        self._exhibit.show_only(chosen, read_credit_rows(self._exhibit.folder, rows))
        if self._exhibit.images.has_pictures:
            self._write_pictures(images)

    def _write_pictures(self, images: Sequence[ShownImage]) -> None:
        workspace = self._exhibit.folder.workspace
        if workspace is None:
            return
        thumbnails = Thumbnails(self._exhibit.picture, workspace.root)

        def write(image: ShownImage) -> bool:
            name = picture_name(*image)
            try:
                small = thumbnails.of(name)
            except HgldError as error:
                logger.warning("browse: a picture is not shown: %s", error)
                small = None
            if small is None:
                self._exhibit.sights.broken.add(name)
                return False
            self._bytes(self._layout.picture(name), small.content)
            return True

        with (
            progress("browse: pictures", len(images)) as advance,
            ThreadPoolExecutor(os.cpu_count()) as threads,
        ):
            for is_written in threads.map(write, images):
                self.pictures += is_written
                advance(1, 0 if is_written else 1)

    def _write_pages(self) -> None:
        layout, writer = self._layout, self._writer
        single = {
            layout.home: writer.home,
            layout.downloads: writer.downloads,
            layout.missing: writer.missing,
        }
        for path, page in single.items():
            self._text(path, page(self._to(path)))
        self._text(layout.search, writer.search(self._to(layout.search), ""))
        for number in range(1, self._exhibit.pages_of_changes + 1):
            path = layout.changes(number)
            self._text(path, writer.changes(self._to(path), number) or "")
        with progress("browse: landmarks", len(self._exhibit.landmarks)) as advance:
            for group in self._exhibit.landmarks.groups:
                for number in range(1, group_pages(group) + 1):
                    path = layout.group(group.slug, number)
                    self._text(path, writer.group(self._to(path), group.slug, number) or "")
                for count, path, text in self._landmark_pages(group.slug):
                    self._text(path, text)
                    advance(count)

    def _landmark_pages(self, slug: str) -> Iterator[tuple[int, str, str]]:
        group = self._exhibit.landmarks.group(slug)
        if group is None:
            return
        for page in range(1, -(-(group.end - group.start) // self._per_page) + 1):
            shown = self._exhibit.several(group, page, self._per_page)
            if self._per_page == 1:
                shown = shown.alone()
            path = self._layout.landmark(shown.landmarks[0].at)[0]
            yield len(shown.landmarks), path, self._writer.landmarks(self._to(path), shown)

    def _copy_release(self) -> None:
        folder = self._exhibit.folder.folder
        offered = {one.name: one.size for one in downloads_view(folder, "").files if one.can_fetch}
        files: Mapping[str, Path] = release_files(folder)
        with progress("browse: downloads", len(offered)) as advance:
            for name in offered:
                self._copy(files[name], self._layout.file(name))
                advance(1)

    def _to(self, path: str) -> SiteAddresses:
        return SiteAddresses(self._layout, path)

    def _place(self, path: str) -> Path:
        place = self._folder / path
        with contextlib.suppress(FileExistsError):
            place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _text(self, path: str, text: str) -> None:
        self._bytes(path, text.encode("utf-8", errors="replace"))

    def _bytes(self, path: str, content: bytes) -> None:
        self._place(path).write_bytes(content)

    def _copy(self, source: Path, path: str) -> None:
        shutil.copyfile(source, self._place(path))
