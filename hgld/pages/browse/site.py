"""Writes a data set as a site: its pages, pictures, downloads and search, each a file."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from hgld.engine.files import lock_alone
from hgld.engine.progress import progress
from hgld.errors import InputError
from hgld.pages.browse.images import picture_path
from hgld.pages.browse.pages import ASSETS, BrowsePages

SITE_MARKER = "hgld-browse.txt"
"""In every site, so that it can be replaced and other folders cannot."""
OWN_PAGES = 5_000
"""Up to this many landmarks have a page each."""
PICTURES = 20_000
"""At most this many images are shown, of all landmarks together: 0.2 GB at 10 KB each, of the 1 GB
that free static hosts take."""


class SiteReport(NamedTuple):
    """What was written."""

    files: int
    bytes: int
    landmarks: int
    pictures: int


def write_site(root: Path, out: Path) -> SiteReport:
    """Writes a data set as a site, with the files of the release.

    Args:
        root: a build, its annotations/, or a release.
        out: the folder: new, empty, or an earlier site, which stays until the new one is whole.

    Raises:
        InputError: no such data set, or a folder with something else in it.
        DamagedError: a table cannot be read.
        WorkspaceBusyError: another process writes the same site.
    """
    pages = BrowsePages(root, own_pages=OWN_PAGES)
    _require_site_folder(out, pages.folder.folder)
    pages.images.limit(PICTURES)
    with placing_site(out) as folder:
        # The pictures first: one that is damaged is not shown.
        written = _write_pictures(pages, folder)
        for name, path in ASSETS.items():
            _write(folder, f"static/{name}", path.read_bytes())
        with progress("browse: pages", len(list(pages))) as advance:
            for page in pages:
                _write(folder, page, (pages.text(page) or "").encode())
                advance(1)
        for name, file in pages.files.items():
            copy = folder / "files" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, copy)
        _write(folder, SITE_MARKER, b"Written by `hgld browse --static`, which may replace it.\n")
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return SiteReport(len(sizes), sum(sizes), len(pages.landmarks.table), written)


def _write_pictures(pages: BrowsePages, folder: Path) -> int:
    shown = pages.images.shown.tolist() if pages.images.has_pictures else []
    paths = [picture_path(number) for number in shown]
    written = 0
    with (
        progress("browse: pictures", len(paths)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for path, small in zip(paths, threads.map(pages.picture, paths), strict=True):
            if small is not None:
                _write(folder, path, small)
                written += 1
            advance(1, 0 if small else 1)
    return written


def _write(folder: Path, path: str, content: bytes) -> None:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def _require_site_folder(out: Path, data: Path) -> None:
    """Refuses a folder in which a site would replace something else, or would be in the way."""
    there, data = out.resolve(), data.resolve()
    if out.is_file() or there.is_relative_to(data) or data.is_relative_to(there):
        raise InputError(
            f"--static must be a folder apart from the data set, got {out}; name another"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / SITE_MARKER).is_file():
        raise InputError(
            f"--static must be a new or empty folder, or a site that this command has written, and "
            f"{out} has other files; name another"
        )


@contextlib.contextmanager
def placing_site(out: Path) -> Iterator[Path]:
    """Gives a folder to write a site in, which replaces `out` when the block ends without an error.

    The site that was there stays until then. The next run cleans up after one that was killed.

    Raises:
        InputError: the folder cannot be written.
        WorkspaceBusyError: another process writes the same site.
    """
    out = out.absolute()
    beside, before = (out.with_name(f".{out.name}.{end}") for end in ("new", "old"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.with_name(f".{out.name}.lock").open("ab") as lock:
            busy = f"{out} is being written by another `hgld browse --static`; wait for it"
            lock_alone(lock, busy)
            _clean(out, beside, before)
            try:
                beside.mkdir()
                yield beside
                if out.exists():
                    out.rename(before)
                beside.rename(out)
            finally:
                _clean(out, beside, before)
    except OSError as error:
        raise InputError(
            f"cannot write {out}: {error.strerror or error}; make room, or name another folder "
            f"with --static; what was there before is unchanged"
        ) from error


def _clean(out: Path, beside: Path, before: Path) -> None:
    """Removes the rest of a run, and brings back a site that was about to be replaced."""
    if before.exists() and not out.exists():
        before.rename(out)
    for left in (beside, before):
        shutil.rmtree(left, ignore_errors=True)
