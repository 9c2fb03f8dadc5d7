"""The folder that is browsed: a build, its annotations, or a release on its own."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from hgld.errors import DamagedError, HgldError, InputError, MissingInputError
from hgld.pages.browse.reports import find_reports
from hgld.tables import ANNOTATIONS, FILLED, LANDMARK_LABELS

logger = logging.getLogger(__name__)

_LANDMARKS = relative_to_release(LANDMARK_LABELS.path)
_CARD = {"name": "Hierarchical landmark labels", "description": "", "license": "", "citeAs": ""}
# A browser would open any other kind, such as a page that a stranger put there, as one of ours.
_KINDS = {".parquet", ".csv", ".json", ".md", ".cff", ".txt", ""}


Row = dict[str, Any]
"""A row of a table, with what else is shown of it."""
_Read = TypeVar("_Read")


class ReleaseFile(NamedTuple):
    """A file of a release."""

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
    has_tables: bool = True
    """Whether there are annotations; a build may have no more than reports."""

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a table of the release.

        Raises:
            InputError: it is missing, or has other columns than this version knows.
            DamagedError: it cannot be read.
        """
        if not self.has_tables:
            return dataset.schema.empty_table().select(columns or dataset.schema.names)
        try:
            return read_released(self.folder, dataset, columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedError(
                f"{self.folder}: {dataset.path} cannot be read ({error}); make or fetch it again"
            ) from error

    def labelled(self, split: str, columns: list[str]) -> pa.Table:
        """Reads the labelled images of a split, in the order of their credits."""
        return pa.concat_tables(self.read(one[split], columns) for one in (ANNOTATIONS, FILLED))

    def read_beside(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a table of the build; without rows if it is missing or damaged, or no build is."""
        build, nothing = self.workspace, dataset.schema.empty_table()
        if build is None:
            return nothing
        return if_readable(lambda: build.read(dataset, columns), nothing)

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

    def card(self) -> dict[str, str]:
        """Returns how the release describes itself to programs, in the words of Croissant."""
        try:
            found = json.loads((self.folder / "croissant.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        told = found.items() if isinstance(found, dict) else ()
        texts = {name: text.strip() for name, text in told if isinstance(text, str)}
        return {name: texts.get(name) or default for name, default in _CARD.items()}

    def files(self) -> dict[str, ReleaseFile]:
        """Returns the files of the release by name, without hidden ones and links out of it."""
        found = {}
        listed, inside = self.folder / RELEASE_SUMS, self.folder.resolve()
        sums = if_readable(lambda: read_sums(listed), dict[str, str]()) if listed.is_file() else {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            is_hidden = name.startswith(".") or "/." in name
            # A file system takes names that are not text, which no page can show.
            if is_hidden or path.suffix not in _KINDS or not name.isprintable():
                continue
            if path.is_file() and path.resolve().is_relative_to(inside):
                found[name] = ReleaseFile(path, path.stat().st_size, sums.get(name, ""))
        return found


def if_readable(read: Callable[[], _Read], nothing: _Read) -> _Read:
    """Returns what is shown beside the tables, or `nothing` if it is missing or damaged."""
    try:
        return read()
    except HgldError as error:
        level = logging.DEBUG if isinstance(error, MissingInputError) else logging.WARNING
        logger.log(level, "browse: not shown: %s", error)
        return nothing


def browsed_folder(root: Path, *, takes_reports: bool = False) -> BrowsedFolder:
    """Finds the data set in a folder.

    Args:
        root: a build, its annotations/, or a release.
        takes_reports: whether a build that has only reports will do.

    Raises:
        InputError: it is none of these.
    """
    for folder in (root / RELEASE_FOLDER, root):
        if (folder / _LANDMARKS).is_file():
            above = folder.absolute().parent
            is_build = folder.absolute().name == RELEASE_FOLDER and (above / "stages").is_dir()
            build = (root if folder != root else above) if is_build else None
            return BrowsedFolder(folder=folder, workspace=Workspace(build) if build else None)
    if takes_reports and find_reports(only := Workspace(root)):
        return BrowsedFolder(folder=root / RELEASE_FOLDER, workspace=only, has_tables=False)
    what = "holds none" if root.is_dir() else "is not there"
    raise InputError(
        f"{root} must be a build, its annotations/ or a release, with {_LANDMARKS}, and {what}; "
        f"name another with --root, or make the annotations with `hgld annotate`"
    )
