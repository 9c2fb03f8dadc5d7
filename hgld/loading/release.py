"""A release, or the folder annotations/ of a build: on the disk, or at an http(s) address.

A web server lists no folder, so there the files are those of the release's SHA256SUMS. Shards are
called `train-00001-of-00017.parquet`: one that is missing is noticed.
"""

import re
import weakref
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

import pyarrow as pa

from hgld.engine.logins import redacted
from hgld.engine.verify import RELEASE_SUMS, parse_sums
from hgld.errors import InputError, NotFoundError
from hgld.http.download import Source
from hgld.http.session import make_session
from hgld.loading.labelled import LabelledSet, LabelledSplit
from hgld.loading.naming import RELEASE_LEVELS, ReleaseNames
from hgld.loading.ranges import RangeFile
from hgld.loading.reading import RowSource, parquet_rows
from hgld.tables import HIERARCHY, LANDMARK_LABELS, OriginChoice

_HOME = "annotations"
_SHARD = re.compile(r"(data|filled)/([a-z_]+)-([0-9]{5})-of-([0-9]{5})\.parquet")
_FOLDERS = ("data", "filled")
_TREE_FILE = PurePosixPath(HIERARCHY.path).name
_LANDMARKS_FILE = PurePosixPath(LANDMARK_LABELS.path).name
_AT_ONCE = 8

PUBLISHED_LABELS = OriginChoice()
"""The labels that are published: those of classes."""


class Shelf(Protocol):
    """Where the files of annotations/ lie."""

    def name(self, relative: str) -> str:
        """Returns how an error names a file."""

    def files(self) -> list[str]:
        """Returns the files there are, relative to annotations/, by name."""

    def opened(self, relatives: Iterable[str]) -> list[object]:
        """Returns what Arrow reads files from."""


@dataclass(frozen=True, slots=True)
class FolderShelf:
    """A folder annotations/."""

    folder: Path

    def name(self, relative: str) -> str:
        """Returns the path."""
        return str(self.folder / relative)

    def files(self) -> list[str]:
        """Returns the parquet files."""
        patterns = ("*.parquet", *(f"{one}/*.parquet" for one in _FOLDERS))
        found = [path for one in patterns for path in self.folder.glob(one)]
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def opened(self, relatives: Iterable[str]) -> list[object]:
        """Returns the paths."""
        return [str(self.folder / one) for one in relatives]


@dataclass(slots=True, weakref_slot=True)
class WebShelf:
    """An http(s) address of annotations/, or of a folder with that and SHA256SUMS in it."""

    base: str
    _source: Source = field(init=False)
    _prefix: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Makes the session, which is closed with the last user of this."""
        session = make_session(address=self.base)
        self._source = Source(redacted(self.base).rstrip("/"), session)
        weakref.finalize(self, session.close)

    def name(self, relative: str) -> str:
        """Returns the URL."""
        return self._source.address(self._prefix + relative)

    def files(self) -> list[str]:
        """Returns what SHA256SUMS lists.

        Raises:
            NotFoundError: there is none.
            DamagedError: it cannot be read.
            FetchError: it cannot be had.
        """
        names = list(parse_sums(self._sums().encode(), self.name(RELEASE_SUMS)))
        if any(name.startswith(f"{_HOME}/") for name in names):
            self._prefix = f"{_HOME}/"
            inside = (name for name in names if name.startswith(self._prefix))
            names = [name.removeprefix(self._prefix) for name in inside]
        return sorted(names)

    def _sums(self) -> str:
        try:
            return self._source.read_text(RELEASE_SUMS)
        except NotFoundError:
            self._prefix = f"{_HOME}/"
        try:
            return self._source.read_text(self._prefix + RELEASE_SUMS)
        except NotFoundError as error:
            raise NotFoundError(
                f"{self._source.base} must be the address of a release, and has neither "
                f"{RELEASE_SUMS} nor {self._prefix}{RELEASE_SUMS}; check the address"
            ) from error

    def opened(self, relatives: Iterable[str]) -> list[object]:
        """Returns open files, of which the end has come."""

        def one(relative: str) -> pa.PythonFile:
            return pa.PythonFile(_Kept(self, self._source, self.name(relative)), mode="r")

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(one, relatives))


class _Kept(RangeFile):
    """A file that keeps the session open that it is read over."""

    def __init__(self, shelf: WebShelf, source: Source, url: str) -> None:
        self._shelf = shelf
        super().__init__(source.session, url)


def release_set(
    shelf: Shelf, where: str, choice: OriginChoice = PUBLISHED_LABELS, *, only: str = ""
) -> LabelledSet:
    """Returns the splits of a release.

    Args:
        shelf: where its files lie.
        where: what was asked for, as errors name it.
        choice: which labels; fills come after the others.
        only: one shard, relative to annotations/; empty: all of them.

    Raises:
        InputError: no shards, or not all of them, or they do not say what is chosen by.
        FetchError: the list of files cannot be had.
    """
    shards = _only(only, where, choice) if only else _chosen_shards(shelf.files(), where, choice)
    _require_columns(shelf, where, choice, next(iter(shards.values()))[0])
    tree, landmarks = _rows(shelf, [_TREE_FILE]), _rows(shelf, [_LANDMARKS_FILE])
    has_fills = any(one.startswith("filled/") for each in shards.values() for one in each)
    names = ReleaseNames(tree, landmarks, has_fills=has_fills)
    splits = {
        split: LabelledSplit(
            name=split,
            levels=RELEASE_LEVELS,
            image_column="image_id",
            source=_rows(shelf, relatives),
            names_of=names.of,
            labels_of=names.labels_of,
            chosen=choice.condition,
        )
        for split, relatives in shards.items()
    }
    return LabelledSet(
        where=where, splits=splits, hierarchy_source=tree, landmarks_source=landmarks
    )


def shard_split(relative: str) -> str:
    """Returns the split of a shard, empty where a file is none.

    Example:
        >>> shard_split("data/train-00000-of-00002.parquet"), shard_split("data/mine.parquet")
        ('train', '')
        >>> shard_split("filled/test-00000-of-00001.parquet")
        'test'
    """
    match = _SHARD.fullmatch(relative)
    return match[2] if match else ""


def _rows(shelf: Shelf, relatives: list[str]) -> RowSource:
    names = [shelf.name(one) for one in relatives]
    return parquet_rows(names, partial(shelf.opened, relatives))


def _only(shard: str, where: str, choice: OriginChoice) -> dict[str, list[str]]:
    """Returns one shard alone, of whichever labels."""
    if choice.labels == "all":
        raise InputError(
            f"{where} is one shard, and labels='all' are those of several; leave it out, or load "
            f"the folder of the release"
        )
    return {shard_split(shard): [shard]}


def _chosen_shards(files: list[str], where: str, choice: OriginChoice) -> dict[str, list[str]]:
    """Returns the shards of each split that may have chosen labels, those of fills last."""
    found = _shards(files, where, "data")
    filled = _shards(files, where, "filled") if choice.takes_fills else {}
    if choice.labels == "all" and not filled:
        raise InputError(
            f"{where} has no fills (filled/), which labels='all' asks for; a build has them after "
            f"`hgld fill` and `hgld annotate --fills`, a release where its publisher took them; or "
            f"load labels='classes'"
        )
    if not found and not filled:
        raise InputError(
            f"{where} must hold data/<split>-00000-of-00001.parquet and so on, and holds none; "
            f"make them with `hgld annotate`, or name another folder"
        )
    both = {split: [*found.get(split, ()), *filled.get(split, ())] for split in (*found, *filled)}
    order = [split for split in ("train", "index", "test") if split in both]
    return {split: both[split] for split in (*order, *sorted(both.keys() - set(order)))}


def _require_columns(shelf: Shelf, where: str, choice: OriginChoice, shard: str) -> None:
    """Refuses a release of an earlier version that does not say what is chosen by."""
    if choice.columns:
        there = _rows(shelf, [shard]).schema.names
        lacking = [name for name in choice.columns if name not in there]
        if lacking:
            raise InputError(
                f"{where} does not say how its labels came to be: its rows have no "
                f"{' and no '.join(lacking)}; load it without labels and min_confidence, or a "
                f"release of a later version"
            )


def _shards(files: list[str], where: str, folder: str) -> dict[str, list[str]]:
    """Returns the shards of each split in a folder, in their order."""
    found: dict[str, list[str]] = {}
    counts: dict[str, set[int]] = {}
    for match in filter(None, map(_SHARD.fullmatch, files)):
        if match[1] == folder:
            found.setdefault(match[2], []).append(match[0])
            counts.setdefault(match[2], set()).add(int(match[4]))
    for split, shards in found.items():
        if len(counts[split]) > 1 or len(shards) != next(iter(counts[split])):
            of = split if folder == "data" else f"{folder}/{split}"
            raise InputError(
                f"{where} must hold every shard of {of} of one release, and holds "
                f"{len(shards)} of {' and '.join(map(str, sorted(counts[split])))}; fetch or make "
                f"the others, or load one shard by its own path"
            )
    return found
