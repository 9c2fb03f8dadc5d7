"""Load a release, or the folder annotations/ of a build, from the disk or a URL.

Shards are named `train-00001-of-00017.parquet`, so a missing one is noticed.
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hgld.errors import InputError
from hgld.loading.labelled import LabelledSet, LabelledSplit
from hgld.loading.reading import ReleaseNames, RowSource, levels_of, parquet_rows
from hgld.tables import HIERARCHY, LANDMARK_LABELS, OriginChoice

HOME = "annotations"
_SHARD = re.compile(r"(data|filled)/([a-z_]+)-[0-9]{5}-of-([0-9]{5})\.parquet")
_AT_ONCE = 8  # files of a URL to open at once
_SPLITS = ("train", "index", "test")
_TREE_FILE = PurePosixPath(HIERARCHY.path).name
_LANDMARKS_FILE = PurePosixPath(LANDMARK_LABELS.path).name


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Shelf:
    """The files of a folder annotations/, local or remote."""

    base: str
    """Folder or URL, for errors."""
    files: Sequence[str]
    """Paths relative to the base."""
    opener: Callable[[str], object]
    """Returns the path of a file, or the open file, for Arrow."""

    def rows(self, *names: str) -> RowSource:
        """Returns the rows of parquet files, in the order of the names."""

        def opened() -> list[object]:
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                return list(threads.map(self.opener, names))

        return parquet_rows([f"{self.base}/{name}" for name in names], opened)


def folder_shelf(folder: Path) -> Shelf:
    """Returns the files of a folder annotations/."""
    found = [path for one in ("data", "filled") for path in (folder / one).glob("*.parquet")]
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    return Shelf(str(folder), names, lambda name: str(folder / name))


def release_set(
    shelf: Shelf, where: str, choice: OriginChoice, levels: Sequence[str] | None
) -> LabelledSet:
    """Returns the splits of a release.

    Args:
        shelf: its files.
        where: name of the source, for errors.
        choice: which labels to load; fills come after the others.
        levels: columns of the labels, finest first; None: all three of a release.

    Raises:
        InputError: shards are missing, or all labels are wanted and there are no fills.
    """
    found = _shards(shelf.files, where, "data")
    filled = _shards(shelf.files, where, "filled") if choice.takes_fills else {}
    if choice.labels == "all" and not filled:
        mend = "make them with `hgld fill` and `hgld annotate --fills`, or use labels='classes'"
        raise InputError(f"{where} has no fills (filled/), which labels='all' needs; {mend}")
    if not found and not filled:
        mend = "make them with `hgld annotate`, or name another folder"
        raise InputError(f"{where} has no data/<split>-00000-of-00001.parquet and so on; {mend}")
    tree, landmarks = shelf.rows(_TREE_FILE), shelf.rows(_LANDMARKS_FILE)
    names = ReleaseNames(tree, landmarks, has_fills=bool(filled))
    splits = {}
    for split in (split for split in _SPLITS if split in found or split in filled):
        rows = shelf.rows(*found.get(split, ()), *filled.get(split, ()))
        own = (names.of, names.labels_of, choice.condition)
        splits[split] = LabelledSplit(split, levels_of(levels), "image_id", rows, *own)
    return LabelledSet(where, splits, tree, landmarks)


def _shards(files: Sequence[str], where: str, folder: str) -> dict[str, list[str]]:
    """Returns the shards of each split in a folder, in their order."""
    found: dict[str, list[re.Match[str]]] = {}
    for match in filter(None, map(_SHARD.fullmatch, files)):
        if match[1] == folder:
            found.setdefault(match[2], []).append(match)
    for split, shards in found.items():
        counts = {int(match[3]) for match in shards}
        if counts != {len(shards)}:
            of = " and ".join(map(str, sorted(counts)))
            what = f"{where} has {len(shards)} of {of} shards of {folder}/{split}"
            raise InputError(f"{what}, but needs all of one release; fetch or make the others")
    return {split: [match[0] for match in shards] for split, shards in found.items()}
