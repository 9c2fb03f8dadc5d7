"""The files of a release, with their sizes and checksums."""

import logging
import os
from pathlib import Path

from hgld.engine.files import file_digest
from hgld.engine.verify import RELEASE_SUMS, read_sums
from hgld.errors import DamagedError
from hgld.pages.browse.showing.wording import file_words
from hgld.pages.browse.views import DownloadsView, FileView

logger = logging.getLogger(__name__)

_KINDS = {".parquet", ".csv", ".json", ".md", ".cff", ".txt", ""}
_FIRST = ("README.md", "RELEASE_NOTE.md", RELEASE_SUMS, "releases.json")


def release_files(folder: Path) -> dict[str, Path]:
    """Returns the files of a release by their names relative to its folder.

    Hidden ones are left out, and links that lead out of the folder.
    """
    inside, found = folder.resolve(), dict[str, Path]()
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where) / name
            if name.startswith(".") or not path.is_file():
                continue
            if path.resolve().is_relative_to(inside) and _is_text(str(path)):
                found[path.relative_to(folder).as_posix()] = path
    return found


def downloads_view(folder: Path, version: str, *, offers: bool = True) -> DownloadsView:
    """Returns the files of a release as they are shown.

    Args:
        folder: of the release.
        version: of the release, empty where it is not known.
        offers: whether the files can be fetched from here.
    """
    sums = _sums(folder)
    files = [
        FileView(
            name=name,
            size=path.stat().st_size,
            sha256=sums.get(name, ""),
            what=file_words(name),
            # Of a page that a stranger put among the files, a browser would make one of ours.
            can_fetch=offers and path.suffix in _KINDS,
        )
        for name, path in release_files(folder).items()
    ]
    files.sort(key=lambda one: (_FIRST.index(one.name) if one.name in _FIRST else 9, one.name))
    return DownloadsView(
        files=tuple(files),
        total=sum(one.size for one in files),
        version=version,
    )


def _sums(folder: Path) -> dict[str, str]:
    path = folder / RELEASE_SUMS
    if not path.is_file():
        return {}
    try:
        # The list cannot have its own.
        return {**read_sums(path), RELEASE_SUMS: file_digest(path)}
    except DamagedError as error:
        logger.warning("browse: no checksums are shown: %s", error)
        return {}


def _is_text(name: str) -> bool:
    """Says whether a name is text: a file system takes bytes that are none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
