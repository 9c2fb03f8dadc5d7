"""Before the first byte: how much is to be fetched, and is there room; then several at once."""

import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.http.download import Source
from hgld.http.transfer import StoppedError
from hgld.images.at_rest import newest_shard, read_shard
from hgld.images.bringing.fetch import PublishedTar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_ASKING = 8  # threads that ask for sizes; most of the time they wait
_STOP_WAIT_S = 5.0
"""So long threads that are told to stop are waited for; what they do is whole or can go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRule:
    """What the pictures of a tar take on the disk, beside the tar."""

    parallel: int
    """So many tars lie here at once."""
    keeps_all: bool
    """Whether all pictures stay as large as they come, so that they take as much as the tars."""


def check_room(source: Source, workspace: Workspace, tar: PublishedTar) -> None:
    """Stops before a tar that would fill the disk, and where the server is gone.

    Neither would go better with the next tar, so that these are errors of the run and not rows.

    Raises:
        FetchError: the server cannot be reached.
        InputError: too little room.
    """
    size = source.size(tar.address)
    needed = size if source.is_folder else 2 * size
    _require_room(workspace, needed, f"{tar.address} and its images")


def check_room_for_all(
    source: Source, workspace: Workspace, tars: Sequence[PublishedTar], rule: RoomRule
) -> None:
    """Stops before the first of several tars, where all of them would fill the disk.

    Args:
        source: says how large they are; of what it does not say nothing is known.
        workspace: where they go.
        tars: what is to be fetched.
        rule: what stays of them.

    Raises:
        FetchError: the server cannot be reached.
        InputError: too little room.
    """
    if len(tars) <= 1:  # `check_room` will look
        return
    sizes = announced_sizes(source, tars)
    at_once = 0 if source.is_folder else sum(sorted(sizes)[-rule.parallel :])
    needed = at_once + (sum(sizes) if rule.keeps_all else 0)
    what = f"{len(tars)} tars of {tars[0].split} and their images, first {tars[0].address}"
    _require_room(workspace, needed, what)


def announced_sizes(source: Source, tars: Sequence[PublishedTar]) -> list[int]:
    """Asks how large tars are; 0 where that is not said.

    Raises:
        FetchError: the server cannot be reached.
    """
    with ThreadPoolExecutor(_ASKING) as pool:
        return list(pool.map(lambda tar: source.size(tar.address), tars))


def free_bytes(workspace: Workspace) -> int:
    """Returns how much room there is where a build lies, or will lie."""
    folder = workspace.path("images").absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def _require_room(workspace: Workspace, needed: int, what: str) -> None:
    free = free_bytes(workspace)
    if free < needed:
        raise InputError(
            f"{workspace.path('images')} must have {needed / 1e9:.2f} GB free for {what}, got "
            f"{free / 1e9:.2f} GB; make room, fetch less or choose another --root, then rerun"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPlan:
    """What a run would fetch of a split."""

    split: str
    unit: str
    """What is counted: tars or pictures."""
    total: int
    missing: int
    missing_bytes: int
    unknown: int = 0
    """How many of the missing have no size that is known."""
    note: str = ""
    """What is to be said of those."""

    def words(self) -> str:
        """Returns it in a line."""
        if not self.missing:
            return f"{self.split}: all {self.total:,} {self.unit} are there"
        size = f"{self.missing_bytes / 1e9:.3g} GB, {_times(self.missing_bytes)}"
        if self.unknown == self.missing:
            size = "of unknown size"
        elif self.unknown:
            size += f", and {self.unknown:,} of unknown size"
        if self.unknown and self.note:
            size += f"; {self.note}"
        return f"{self.split}: {self.missing:,} of {self.total:,} {self.unit} to fetch, {size}"


def plan_tars(source: Source, workspace: Workspace, tars: Sequence[PublishedTar]) -> FetchPlan:
    """Says how much of a split's tars is still to be fetched; asks for sizes, and writes nothing.

    Args:
        source: where they are.
        workspace: the build, which may not be there yet.
        tars: with the MD5s that are known here (`hgld.images.bringing.fetch.known_tars`).

    Raises:
        FetchError: the server cannot be reached.
    """
    missing = [tar for tar in tars if not _is_recorded(workspace, tar)]
    sizes = announced_sizes(source, missing)
    return FetchPlan(
        split=tars[0].split,
        unit="tars",
        total=len(tars),
        missing=len(missing),
        missing_bytes=sum(sizes),
        unknown=sizes.count(0),
    )


def _is_recorded(workspace: Workspace, tar: PublishedTar) -> bool:
    shard = newest_shard(workspace, tar.split, tar.shard)
    rows = read_shard(shard) if shard and tar.md5 else None
    return (
        rows is not None
        and {"status", "tar_md5"} <= set(rows.schema.names)
        and set(rows["tar_md5"].to_pylist()) <= {tar.md5}
        and "failed" not in rows["status"].to_pylist()
    )


def _times(size: int) -> str:
    """Returns how long a download takes, by lines of two speeds."""
    return " or ".join(
        f"{in_words(size * 8 / bits)} at {name}"
        for name, bits in (("100 Mbit/s", 1e8), ("1 Gbit/s", 1e9))
    )


def in_words(seconds: float) -> str:
    """Returns how long something takes.

    Example:
        >>> in_words(75), in_words(600), in_words(48_960)
        ('75 s', '10 min', '13.6 h')
    """
    if seconds < 90:  # noqa: PLR2004 - a minute and a half
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


def in_parallel(
    items: Sequence[_Item],
    work: Callable[[_Item], _Result],
    parallel: int,
    stopping: threading.Event,
) -> Iterator[tuple[_Item, _Result]]:
    """Does a piece of work for each item, several at once, and yields what is done first.

    The threads are no part of an executor: one that waits half an hour for a busy server would
    keep the process from ending when it is told to.

    Args:
        items: begun in their order.
        work: called in another thread; ends soon, by a `StoppedError`, once `stopping` is set.
        parallel: the most at once.
        stopping: set when the iterator is left early, by an error of `work` or of the caller.

    Raises:
        Exception: what `work` raises, when it does.
    """
    crew = _Crew(work, stopping)
    for item in items:
        crew.waiting.put(item)
    threads = [
        threading.Thread(target=crew.run, daemon=True) for _ in range(min(parallel, len(items)))
    ]
    left = len(items)
    try:
        for thread in threads:
            thread.start()
        while left:
            outcome = crew.done.get()
            if isinstance(outcome, BaseException):
                raise outcome
            left -= 1
            yield outcome
    finally:
        if left:
            stopping.set()
        for thread in threads:
            thread.join(_STOP_WAIT_S)


@dataclass(slots=True)
class _Crew(Generic[_Item, _Result]):
    """What the threads of `in_parallel` share."""

    work: Callable[[_Item], _Result]
    stopping: threading.Event
    waiting: "queue.SimpleQueue[_Item]" = field(default_factory=queue.SimpleQueue)
    done: "queue.SimpleQueue[tuple[_Item, _Result] | BaseException]" = field(
        default_factory=queue.SimpleQueue
    )

    def run(self) -> None:
        """Takes one item after the other until there is none, or the work is stopped."""
        while not self.stopping.is_set():
            try:
                item = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self.done.put((item, self.work(item)))
            except StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised again, by who waits for it
                self.done.put(error)
                return
