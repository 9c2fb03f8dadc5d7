"""Writes a data set as a site: its pages, pictures, downloads and search, each a file."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hgld.engine.progress import progress
from hgld.errors import InputError, WorkspaceBusyError
from hgld.pages.browse.images import picture_path
from hgld.pages.browse.pages import ASSETS, BrowsePages

SITE_MARKER = "site.json"
"""In every site, so that it can be replaced and other folders cannot."""
OWN_PAGES = 5_000
"""Up to this many landmarks have a page each."""
_MADE_BY = "hgld browse"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig:
    """The content of a site."""

    pictures: int = 20_000
    """The most images shown, of all landmarks together."""
    downloads: bool = True
    """Whether the files of the release are copied into it."""

    def __post_init__(self) -> None:
        """Refuses a negative number of pictures.

        Raises:
            ValueError: it is negative.
        """
        if self.pictures < 0:
            raise ValueError(f"--pictures must be 0 or more, got {self.pictures}")


class SiteReport(NamedTuple):
    """What was written."""

    files: int
    bytes: int
    landmarks: int
    pictures: int


def write_site(root: Path, out: Path, config: SiteConfig) -> SiteReport:
    """Writes a data set as a site.

    Args:
        root: a build, its annotations/, or a release.
        out: the folder: new, empty, or an earlier site, which stays until the new one is whole.
        config: the content.

    Raises:
        InputError: no such data set, or a folder with something else in it.
        DamagedError: a table cannot be read.
        WorkspaceBusyError: another process writes the same site.
    """
    pages = BrowsePages(root, own_pages=OWN_PAGES, has_downloads=config.downloads)
    _require_site_folder(out, root, pages.folder.folder)
    pages.limit_images(config.pictures)
    with placing_site(out) as folder:
        # The pictures first: one that is damaged is not shown.
        pictures = _write_pictures(pages, folder)
        for name, path in ASSETS.items():
            _write(folder, f"static/{name}", path.read_bytes())
        with progress("browse: pages", len(list(pages))) as advance:
            for page in pages:
                _write(folder, page, (pages.text(page) or "").encode())
                advance(1)
        for file in pages.files if config.downloads else ():
            copy = folder / "files" / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, copy)
        told = {"made_by": _MADE_BY, "version": pages.version}
        _write(folder, SITE_MARKER, json.dumps(told).encode() + b"\n")
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return SiteReport(len(sizes), sum(sizes), len(pages.landmarks), pictures)


def _write_pictures(pages: BrowsePages, folder: Path) -> int:
    def write(path: str) -> bool:
        small = pages.picture(path)
        if small is not None:
            _write(folder, path, small.content)
        return small is not None

    paths = [picture_path(number) for number in pages.images.shown.tolist()]
    paths = paths if pages.images.has_pictures else []
    written = 0
    with (
        progress("browse: pictures", len(paths)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for is_written in threads.map(write, paths):
            written += is_written
            advance(1, 0 if is_written else 1)
    return written


def _write(folder: Path, path: str, content: bytes) -> None:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def _require_site_folder(out: Path, root: Path, data: Path) -> None:
    """Refuses a folder in which a site would replace something else."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--static must be a folder, got the file {out}; name another")
    there = out.resolve()
    if there.is_relative_to(data.resolve()) or root.resolve().is_relative_to(there):
        raise InputError(
            f"--static must be a folder apart from the data set, got {out}, where {data} lies; "
            f"name another"
        )
    if out.is_dir() and any(out.iterdir()) and not _is_site(out):
        raise InputError(
            f"--static must be a new or empty folder, or a site that this command has written, and "
            f"{out} has other files; name another"
        )


def _is_site(folder: Path) -> bool:
    try:
        told = json.loads((folder / SITE_MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("made_by") == _MADE_BY


@contextlib.contextmanager
def placing_site(out: Path) -> Iterator[Path]:
    """Gives a folder to write a site in, which replaces `out` when the block ends without an error.

    The site that was there stays until then. The next run cleans up after one that was killed.

    Raises:
        InputError: the folder cannot be written.
        WorkspaceBusyError: another process writes the same site.
    """
    out = out.absolute()
    beside, before = (out.parent / f".{out.name}.{end}" for end in ("new", "old"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (out.parent / f".{out.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceBusyError(
                    f"{out} is being written by another `hgld browse --static`; wait for it"
                ) from error
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
        if left.exists():
            shutil.rmtree(left)
