"""The folder that is browsed: a build, its annotations, or a release alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

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
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import HIERARCHY, LANDMARK_LABELS

_CARD = "croissant.json"
_NEEDED = tuple(relative_to_release(one.path) for one in (HIERARCHY, LANDMARK_LABELS))


class ReleaseCard(NamedTuple):
    """What a release says of itself to programs."""

    title: str = "Hierarchical landmark labels"
    description: str = ""
    license: str = ""
    """Of the labels; each picture has its own."""
    citation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowsedFolder:
    """Where the data set lies, and the build it was made in, where that is there too."""

    folder: Path
    """Of the annotations, or of a release."""
    workspace: Workspace | None
    """None: of a release alone, which tells what its tables hold and has no pictures."""

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a table of the release.

        Raises:
            InputError: it is not there, or has other columns than this version knows.
            DamagedError: it is no parquet file, or a damaged one.
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
        """Returns this release and those before it, the newest first; none where none is listed.

        Raises:
            InputError: the list is none.
        """
        path = self.folder / RELEASES_FILE
        return read_releases(path) if path.is_file() else []

    def card(self) -> ReleaseCard:
        """Returns what the release says of itself; the usual where it says nothing."""
        path = self.folder / _CARD
        try:
            told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError):
            told = {}
        told = told if isinstance(told, dict) else {}
        names = {"title": "name", "description": "description"}
        names |= {"license": "license", "citation": "citeAs"}
        texts = {field: told.get(name) for field, name in names.items()}
        return ReleaseCard(**{field: one for field, one in texts.items() if _is_words(one)})


def browsed_folder(root: Path) -> BrowsedFolder:
    """Finds the data set in a folder.

    Args:
        root: of a build, its annotations/, or a release.

    Raises:
        InputError: it holds none of these.
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


def _is_words(value: Any) -> TypeGuard[str]:  # noqa: ANN401 - of a file that others wrote
    return isinstance(value, str) and bool(value.strip())
