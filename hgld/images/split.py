"""One run over the pictures of a split: reuse earlier records, fetch what is missing, record it.

Records of an earlier run are kept if the tar's MD5 and the settings would give the same rows. Other
tars are fetched, several at once, and recorded as soon as each is done, so that a kill loses no
extracted tar. If only some pictures are wanted, tars are searched until all are found;
`images/.parts/*.searched` records which tars were searched.
"""

import hashlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.files import write_text
from hgld.engine.progress import Advance, progress
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.http.transfer import StoppedError
from hgld.images import records
from hgld.images.bucket import PublishedTar, TarReader, part_path, sweep_parts
from hgld.images.config import FEW_BAD, ImagesConfig
from hgld.images.tars import Extracted
from hgld.images.urls import UrlReader
from hgld.tables import BAD_IMAGES, IMAGE_FILES

logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_NOT_FOUND = "not_found"
"""Shard of the pictures that are in no tar."""
_TOO_MANY_BAD = "too_many_bad"
"""Shard of the one failed row that reports too many bad pictures."""
_COUNTED = ["image_id", "tar", "status", "error"]
_THREADS = 8  # that check recorded pictures; they mostly wait for the disk
# A signal that comes as a thread begins to wait does not wake it: a run was seen to go on with its
# download for two minutes. So it wakes by itself.
_LOOK_S = 1.0
_STOP_WAIT_S = 5.0
"""How long to wait for threads to stop; their work is complete or can be resumed."""


@dataclass(slots=True)
class SplitRun:
    """A run of the stage of one split."""

    reader: TarReader | UrlReader
    split: str
    tars: list[PublishedTar]
    wanted: frozenset[str] | None
    """Ids of the pictures to fetch; None: all."""
    absent: str
    """Why a picture that is wanted is not there, as an error."""
    expected: pa.Array | None = None
    """Ids of the pictures that all tars together must have; None: unknown."""
    too_many_bad: str = ""
    """The error for too many bad pictures; empty if there are few."""
    _left: set[str] = field(default_factory=set, init=False)
    """Wanted pictures that are not found yet."""
    _partial: dict[str, pa.Table] = field(default_factory=dict, init=False)
    """Tar to the records of its wanted pictures that were found earlier."""
    _failed: list[pa.Table] = field(default_factory=list, init=False)
    """Failed rows of whole tars, if only some pictures are wanted."""
    _has_failed: bool = field(default=False, init=False)
    _all: dict[str, pa.Table] = field(default_factory=dict, init=False)
    """Tar to the _COUNTED columns of its records; all columns of millions of rows need too much."""
    _recording: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def workspace(self) -> Workspace:
        """The build."""
        return self.reader.workspace

    @property
    def config(self) -> ImagesConfig:
        """The settings."""
        return self.reader.config

    @property
    def _none(self) -> pa.Table:
        return IMAGE_FILES[self.split].schema.empty_table().select(_COUNTED)

    def restore(self) -> str:
        """Fetches recorded pictures again if they are gone or altered.

        Returns:
            One line on the pictures that could not be fetched, with the reason; else empty.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            changed = dict(zip(self.tars, pool.map(self._changed, self.tars), strict=True))
        reasons = []
        for tar, pictures in changed.items():
            if not pictures:
                continue
            what = f"{len(pictures)} pictures are gone or altered, first {pictures[0].path}"
            logger.warning("%s: %s; fetching them again", tar.address, what)
            rows = self.reader.fetch(tar, {picture.image_id for picture in pictures})
            reasons += [error for error in rows["error"].to_pylist() if error]
            if still := self._changed(tar):
                reasons.append(f"{still[0].path} {still[0].what}")
        if not reasons:
            return ""
        count = sum(map(len, changed.values()))
        what = f"not all {count} gone or altered pictures of {self.split} could be fetched again"
        return f"{what}: {reasons[0]}; fix that, then rerun"

    def produce(self, writer: StageWriter) -> None:
        """Writes the records of every tar, and the list of bad pictures."""
        parts = {tar.name: part_path(self.workspace, tar).name for tar in self.tars}
        searched = {f"{part}.searched" for part in parts.values()}
        kept = {*parts.values(), *(f"{part}.json" for part in parts.values()), *searched}
        sweep_parts(self.workspace, self.split, kept)
        with progress(f"images: {self.split} tars", len(self.tars)) as advance:
            self._left = set(self.wanted or ())
            missing = [tar for tar in self.tars if not self._take_over(writer, tar, advance)]
            keeps_all = self.wanted is None and not self.config.longest_side
            if self.wanted is None or self._left:
                self.reader.check_room(missing, keeps_all=keeps_all)
            fetch, stopping = partial(self._fetch, writer), self.reader.session.stopping
            for problems in in_parallel(missing, fetch, self.config.parallel, stopping):
                advance(1, problems)
        sweep_parts(self.workspace, self.split, searched if self._left else ())
        self._write_absent(writer)
        self._list_bad(writer)

    def _take_over(self, writer: StageWriter, tar: PublishedTar, advance: Advance) -> bool:
        """Reuses the records of an earlier run; returns whether the tar need not be fetched."""
        dataset, shards = IMAGE_FILES[self.split], self._shards(tar)
        kept = ((shard, self._kept(writer, tar, shard)) for shard in shards)
        shard, rows = next(((one, rows) for one, rows in kept if rows is not None), ("", None))
        if rows is None:
            rows = dataset.schema.empty_table()
        elif (rows.num_rows or self.wanted is None) and not writer.has(dataset, shards[0]):
            writer.write(dataset, shards[0], rows)
        self._partial[tar.name] = rows
        self._all[tar.name] = rows.select(_COUNTED)
        self._left.difference_update(rows["image_id"].to_pylist() if self.wanted else ())
        path, search = self._search(tar)
        is_searched = path.exists() and path.read_text(encoding="utf-8") == search
        is_enough = is_searched or (bool(shard) and not shard.endswith("-some"))
        if is_enough:
            advance(1)
        return is_enough

    def _fetch(self, writer: StageWriter, tar: PublishedTar) -> int:
        """Fetches a tar and records it; returns 1 if it has failed rows."""
        dataset, left = IMAGE_FILES[self.split], None
        if self.wanted is not None:
            with self._recording:
                left = frozenset(self._left)
            if not left:  # all are found
                return 0
        rows = self.reader.fetch(tar, left)
        problems = int("failed" in rows["status"].to_pylist())
        self._has_failed |= bool(problems)
        with self._recording:
            if left is not None:
                is_of_tar = pc.equal(rows["image_id"], "")
                failed, rows = rows.filter(is_of_tar), rows.filter(pc.invert(is_of_tar))
                self._failed.append(failed)
                self._left.difference_update(rows["image_id"].to_pylist())
                rows = pa.concat_tables([self._partial[tar.name], rows]).sort_by("image_id")
            if rows.num_rows or left is None:
                writer.write(dataset, self._shards(tar)[0], rows)
            if left is not None and tar.md5 and not failed.num_rows:
                write_text(*self._search(tar))
            self._all[tar.name] = rows.select(_COUNTED)
        return problems

    def _write_absent(self, writer: StageWriter) -> None:
        """Writes a row for each picture that is in no tar.

        A wanted picture is a failure, together with the failed tars that may have it. A picture
        known only from the metadata is gone: a problem, but not a failure.
        """
        count, split = len(self.tars), self.split
        if self._left:
            failed = [rows for rows in self._failed if rows.num_rows]
            why = self.absent
            if failed:
                why = f"it was not found, and {len(failed)} tars of {split} failed; rerun"
            absent = sorted(self._left)
            image = Extracted("failed", error=why)
        elif self.expected is not None and not self._has_failed:
            found = pa.concat_tables([self._none, *self._all.values()])["image_id"]
            is_there = pc.is_in(self.expected, found)
            absent = sorted(self.expected.filter(pc.invert(is_there)).to_pylist())
            failed = []
            image = Extracted("gone", error=f"it is in none of the {count} tars of {split}")
        else:
            return
        if absent:
            rows = [("", replace(image, image_id=image_id)) for image_id in absent]
            table = pa.concat_tables([records.records_table(split, rows), *failed])
            writer.write(IMAGE_FILES[split], _NOT_FOUND, table)
            self._all[_NOT_FOUND] = table.select(_COUNTED)

    def _list_bad(self, writer: StageWriter) -> None:
        """Writes the list of bad pictures, and fails the stage if there are too many."""
        bad_images = BAD_IMAGES[self.split]
        rows = pa.concat_tables([self._none, *self._all.values()])
        pictures = pc.sum(pc.not_equal(rows["status"], "failed")).as_py() or 0
        is_none = pc.is_in(rows["status"], pa.array(["bad", "gone"]))
        bad = rows.filter(is_none).select(["image_id", "tar", "error"])
        bad = bad.rename_columns(bad_images.schema.names).cast(bad_images.schema)
        gone = pc.sum(pc.equal(rows["status"], "gone")).as_py() or 0
        writer.write(bad_images, "bad", bad)
        path, share = self.workspace.path(bad_images.path), self.config.max_bad_share
        if len(bad):
            what = f"{len(bad)} of {pictures} pictures of {self.split}"
            logger.warning("images: %s cannot be decoded or are gone, see %s", what, path)
        if len(bad) - gone <= max(FEW_BAD if share else 0, int(share * pictures)):
            return
        first = bad.slice(0, 1).to_pylist()[0]
        what = f"{len(bad)} of {pictures} pictures of {self.split} cannot be decoded, first"
        mend = f"see {path}; repair their tars or raise max_bad_share ({share:g}) in [images]"
        self.too_many_bad = f"{what} {first['image_id']} {first['reason']}; {mend}, then rerun"
        # A failed row makes the stage incomplete, so that no other stage reads it.
        row = ("", Extracted("failed", error=self.too_many_bad))
        writer.write(
            IMAGE_FILES[self.split], _TOO_MANY_BAD, records.records_table(self.split, [row])
        )

    def _shards(self, tar: PublishedTar) -> tuple[str, ...]:
        """Returns the shards that may have the records of a tar, the best first.

        Their names have what the rows do not say: the longest side, and whether the records cover
        only some pictures.
        """
        side = self.config.longest_side
        shard = f"{tar.shard}-{side}" if side else tar.shard
        return (shard,) if self.wanted is None else (f"{shard}-some", shard)

    def _changed(self, tar: PublishedTar) -> list[records.ChangedPicture]:
        """Returns the pictures that changed since the stage finished, if its records are valid."""
        done, dataset = self.workspace.manifest(f"images-{self.split}"), IMAGE_FILES[self.split]
        for shard in self._shards(tar):
            name = dataset.shard_path(shard)
            if done is None or name not in done.records:
                continue
            # Damaged records are rewritten, and the engine reports them.
            is_damaged = self.workspace.damages({name: done.records[name]}, ())
            path = self.workspace.path(name)
            rows = None if is_damaged else records.read_shard(path)
            if rows is not None and records.are_right(rows, self.split, tar.md5):
                return records.changed_pictures(
                    self.workspace.root, path, records.chosen(rows, self.wanted)
                )
            return []
        return []

    def _kept(self, writer: StageWriter, tar: PublishedTar, shard: str) -> pa.Table | None:
        """Returns earlier records of the same tar, or None.

        The fingerprint of a shard covers all tars of the split. If only other tars changed, the
        records are written again with the new fingerprint, which saves a download of 1 GB.
        """
        dataset = IMAGE_FILES[self.split]
        rows = writer.earlier(dataset, shard)
        if rows is None:
            return None
        version = (rows.schema.metadata or {}).get(b"hgld.version", b"").decode()
        if shard.endswith("-some"):  # each picture counts by itself
            rows = rows.filter(pc.not_equal(rows["status"], "failed"))
        is_right = records.are_right(rows, self.split, tar.md5)
        if version != str(writer.stage.version) or not is_right:
            return None
        name = dataset.shard_path(shard)
        is_finished = writer.before is not None and name in writer.before.records
        if not is_finished and records.changed_pictures(
            self.workspace.root, writer.path(name), rows
        ):
            return None  # `restore` checked only finished shards
        return records.chosen(rows, self.wanted).replace_schema_metadata()

    def _search(self, tar: PublishedTar) -> tuple[Path, str]:
        """Returns the file that marks a tar as searched until the run ends, and its content."""
        part = part_path(self.workspace, tar)
        search = digest_of([str(tar.md5), *sorted(self.wanted or ())])
        return part.with_name(f"{part.name}.searched"), search


def digest_of(lines: Iterable[str]) -> str:
    """Returns the SHA-256 of lines of text."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def in_parallel(
    items: Sequence[_Item],
    work: Callable[[_Item], _Result],
    parallel: int,
    stopping: threading.Event,
) -> Iterator[_Result]:
    """Calls `work` for each item in several threads, and yields results as they finish.

    It uses no executor, because a thread that waits half an hour for a busy server would keep the
    process from ending on a signal.

    Args:
        items: started in this order.
        work: called in a thread; ends soon with a `StoppedError` once `stopping` is set.
        parallel: maximum number of threads.
        stopping: set if the iterator ends early, by an error of `work` or of the caller.

    Raises:
        Exception: the first error of `work`.
    """
    waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[_Result] | BaseException] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    threads = [
        threading.Thread(target=_work_off, args=(waiting, done, work, stopping), daemon=True)
        for _ in items[:parallel]
    ]
    left = len(items)
    try:
        for thread in threads:
            thread.start()
        while left:
            try:
                outcome = done.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            left -= 1
            yield outcome[0]
    finally:
        if left:
            stopping.set()
        for thread in threads:
            thread.join(_STOP_WAIT_S)


def _work_off(
    waiting: "queue.SimpleQueue[_Item]",
    done: "queue.SimpleQueue[tuple[_Result] | BaseException]",
    work: Callable[[_Item], _Result],
    stopping: threading.Event,
) -> None:
    """Works on one item after the other until none is left, or the work is stopped."""
    while not stopping.is_set():
        try:
            done.put((work(waiting.get_nowait()),))
        except (queue.Empty, StoppedError):
            return
        except BaseException as error:  # noqa: BLE001 - raised again, in the caller's thread
            done.put(error)
            return
