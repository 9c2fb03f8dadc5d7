"""The folder that is browsed: a build, its annotations, or a release on its own."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from hgld.annotations.release.released import (
    RELEASE_FOLDER,
    RELEASES_FILE,
    Release,
    read_released,
    read_releases,
    relative_to_release,
)
from hgld.engine.dataset import Dataset
from hgld.engine.verify import RELEASE_SUMS, read_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import HIERARCHY, LANDMARK_LABELS

logger = logging.getLogger(__name__)

_CARD = "croissant.json"
_NEEDED = tuple(relative_to_release(one.path) for one in (HIERARCHY, LANDMARK_LABELS))
# A browser would open any other kind, such as a page that a stranger put there, as one of ours.
_KINDS = {".parquet", ".csv", ".json", ".md", ".cff", ".txt", ""}


class ReleaseCard(NamedTuple):
    """A release's description of itself for programs."""

    title: str = "Hierarchical landmark labels"
    description: str = ""
    license: str = ""
    """Of the labels; each picture has its own."""
    citation: str = ""


class ReleaseFile(NamedTuple):
    """A file of a release."""

    name: str
    """Relative to the release."""
    path: Path
    size: int
    sha256: str
    """As SHA256SUMS lists it; empty: not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsedFolder:
    """A release, and the build it was made in, if that is there too."""

    folder: Path
    """The folder of the release, which a build calls its annotations."""
    workspace: Workspace | None
    """None: a release on its own, which has no pictures."""

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a table of the release.

        Raises:
            InputError: it is missing, or has other columns than this version knows.
            DamagedError: it cannot be read.
        """
        try:
            return read_released(self.folder, dataset, columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedError(
                f"{self.folder}: {dataset.path} cannot be read ({error}); make or fetch it again"
            ) from error

    def has(self, dataset: Dataset) -> bool:
        """Says whether a table of one file is there."""
        return (self.folder / relative_to_release(dataset.path)).is_file()

    def releases(self) -> list[Release]:
        """Returns this release and earlier ones, newest first; empty if none is listed.

        Raises:
            InputError: releases.json is not such a list.
        """
        path = self.folder / RELEASES_FILE
        return read_releases(path) if path.is_file() else []

    def card(self) -> ReleaseCard:
        """Returns the release's description of itself, with defaults for what it lacks."""
        try:
            found = json.loads((self.folder / _CARD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            return ReleaseCard()
        names = {"title": "name", "description": "description"}
        names |= {"license": "license", "citation": "citeAs"}
        texts = {field: found.get(name) for field, name in names.items()}
        shown = {field: one.strip() for field, one in texts.items() if isinstance(one, str)}
        return ReleaseCard(**{field: one for field, one in shown.items() if one})

    def files(self) -> list[ReleaseFile]:
        """Returns the files of the release by name, without hidden ones and links out of it."""
        inside, sums = self.folder.resolve(), self._sums()
        found = []
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            is_hidden = name.startswith(".") or "/." in name
            # A file system takes names that are not text, which no page can show.
            if is_hidden or path.suffix not in _KINDS or not name.isprintable():
                continue
            if path.is_file() and path.resolve().is_relative_to(inside):
                found.append(ReleaseFile(name, path, path.stat().st_size, sums.get(name, "")))
        return found

    def _sums(self) -> dict[str, str]:
        path = self.folder / RELEASE_SUMS
        try:
            return read_sums(path) if path.is_file() else {}
        except DamagedError as error:
            logger.warning("browse: no checksums are shown: %s", error)
            return {}


def browsed_folder(root: Path) -> BrowsedFolder:
    """Finds the data set in a folder.

    Args:
        root: a build, its annotations/, or a release.

    Raises:
        InputError: it is none of these.
    """
    for folder in (root / RELEASE_FOLDER, root):
        if all((folder / name).is_file() for name in _NEEDED):
            above = folder.absolute().parent
            is_build = folder.absolute().name == RELEASE_FOLDER and (above / "stages").is_dir()
            build = (root if folder != root else above) if is_build else None
            return BrowsedFolder(folder=folder, workspace=Workspace(build) if build else None)
    what = "holds neither" if root.is_dir() else "is not there"
    raise InputError(
        f"{root} must be a build, its annotations/ or a release, with {' and '.join(_NEEDED)}, and "
        f"{what}; name another with --root, or make the annotations with `hgld annotate`"
    )
