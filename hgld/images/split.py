"""The pictures of one split: found as they were recorded, or fetched, and recorded."""

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.progress import Advance, progress
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.http.redirects import PoliteSession
from hgld.images.at_rest import (
    ChangedPicture,
    changed_pictures,
    newest_shard,
    read_shard,
)
from hgld.images.bringing.fetch import PublishedTar, sweep_parts
from hgld.images.bringing.plan import in_parallel
from hgld.images.extract import PictureRules
from hgld.images.rows import (
    TarCounts,
    TarRows,
    are_right,
    chosen,
    counts_of,
    read_side,
    records_table,
    side_path,
    write_side,
)
from hgld.tables import BAD_IMAGES, IMAGE_FILES

logger = logging.getLogger(__name__)

FEW_BAD = 5
"""So many bad pictures of a split are never too many, where any are allowed."""
_TOO_MANY_BAD = "too_many_bad"
"""Shard of the one failed row that says so."""
_THREADS = 8  # that look for recorded pictures; most of the time they wait for the disk


class PlaceIndex(Protocol):
    """Says where pictures are."""

    def knows_all_of(self, tar: PublishedTar, /) -> bool:
        """Says whether every picture of a tar is known."""

    def of(self, tar: PublishedTar, ids: Collection[str], /) -> dict[str, dict[str, object]]:
        """Returns which of some pictures are known to be in a tar, by their ids."""


class PictureReader(Protocol):
    """Brings pictures to their places: `TarReader`, or one by their addresses."""

    @property
    def workspace(self) -> Workspace:
        """The build."""

    @property
    def session(self) -> PoliteSession:
        """Over which they come."""

    @property
    def rules(self) -> PictureRules:
        """As what they are taken."""

    @property
    def places(self) -> PlaceIndex:
        """Where they are."""

    def whole(self, tar: PublishedTar, wanted: Collection[str] | None = None, /) -> TarRows:
        """Takes all pictures of a tar, or those that are wanted."""

    def some(self, tar: PublishedTar, ids: Collection[str], /) -> TarRows:
        """Takes some pictures of a tar."""

    def not_found(self, split: str, tars: int, /) -> str:
        """Returns why a picture is nowhere, for its row."""

    def check_room(
        self, tars: Sequence[PublishedTar], /, *, parallel: int, keeps_all: bool
    ) -> None:
        """Stops where whole tars would fill the disk."""


@dataclass(slots=True)
class SplitPictures:
    """A run of the stage of one split: what is there, what is fetched, and how it is recorded."""

    reader: PictureReader
    split: str
    tars: list[PublishedTar]
    wanted: frozenset[str] | None = None
    """Ids of the only pictures that are fetched; None: all."""
    parallel: int = 1
    """So many tars are fetched at once."""
    too_many_bad: str = ""
    """Why the stage stops; empty where it does not."""
    _recording: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def workspace(self) -> Workspace:
        """The build."""
        return self.reader.workspace

    def restore(self) -> str:
        """Fetches recorded pictures again that are gone or altered.

        Returns:
            What could not be had again and why, in a line; empty where all is there.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            changed = dict(zip(self.tars, pool.map(self._changed, self.tars), strict=True))
        reasons = []
        for tar, pictures in changed.items():
            if not pictures:
                continue
            logger.warning(
                "%s: %d pictures are not what was recorded, first %s %s; they are fetched again",
                *(tar.address, len(pictures), *pictures[0][1:]),
            )
            wanted = {picture.image_id for picture in pictures}
            errors = self.reader.some(tar, wanted).records["error"].to_pylist()
            reasons += [error for error in errors if error]
            if still := self._changed(tar):
                reasons.append(f"{still[0].path} {still[0].what}")
        if not reasons:
            return ""
        count = sum(map(len, changed.values()))
        return (
            f"of {count} pictures of {self.split} that are gone or altered, not all can be had "
            f"again: {reasons[0]}; rerun when that is mended"
        )

    def produce(
        self,
        writer: StageWriter,
        produce_rows: Callable[[StageWriter, Advance], list[TarCounts]] | None = None,
    ) -> None:
        """Writes the records of every tar, and which pictures are bad.

        Args:
            writer: of the stage.
            produce_rows: writes the records and counts them; None: those of all pictures.
        """
        sweep_parts(self.workspace, self.split, self.tars)
        with progress(f"images: {self.split} tars", len(self.tars)) as advance:
            shards = (produce_rows or self._produce_all)(writer, advance)
        sweep_parts(self.workspace, self.split, [])
        self._list_bad(writer, shards)

    def _produce_all(self, writer: StageWriter, advance: Advance) -> list[TarCounts]:
        done: dict[str, TarCounts] = {}
        for tar in self.tars:
            rows = self.kept_records(writer, tar, tar.shard)
            if rows is not None:
                done[tar.name] = counts_of(rows, self.split)
                if not writer.has(IMAGE_FILES[self.split], tar.shard):
                    writer.write(IMAGE_FILES[self.split], tar.shard, rows)
                advance(1)
        missing = [tar for tar in self.tars if tar.name not in done]
        self.check_room(missing)

        def record(tar: PublishedTar, rows: TarRows) -> None:
            self.write_beside(tar, rows)
            # Last, since it says that the tar is done.
            writer.write(IMAGE_FILES[self.split], tar.shard, rows.records)
            done[tar.name] = counts_of(rows.records, self.split)

        for _, rows in self.in_parallel(missing, self.reader.whole, record):
            advance(1, int("failed" in rows.records["status"].to_pylist()))
        return [done[tar.name] for tar in self.tars]

    def check_room(self, tars: Sequence[PublishedTar]) -> None:
        """Stops where tars that are going to be fetched whole would fill the disk."""
        keeps_all = self.wanted is None and not self.reader.rules.longest_side
        self.reader.check_room(tars, parallel=self.parallel, keeps_all=keeps_all)

    def in_parallel(
        self,
        tars: Sequence[PublishedTar],
        work: Callable[[PublishedTar], TarRows],
        record: Callable[[PublishedTar, TarRows], None],
    ) -> Iterator[tuple[PublishedTar, TarRows]]:
        """Works on several tars at once, and yields the rows of each as soon as it is done.

        A thread records what it has done before it goes on, so that a kill costs no tar that was
        extracted; one at a time does.
        """

        def do(tar: PublishedTar) -> TarRows:
            rows = work(tar)
            with self._recording:
                record(tar, rows)
            return rows

        return in_parallel(tars, do, self.parallel, self.reader.session.stopping)

    def _list_bad(self, writer: StageWriter, tars: list[TarCounts]) -> None:
        """Writes which pictures are bad, and stops the stage where they are too many."""
        bad_images = BAD_IMAGES[self.split]
        pictures, gone = sum(tar.pictures for tar in tars), sum(tar.gone for tar in tars)
        listed = pa.concat_tables([bad_images.schema.empty_table(), *(tar.bad for tar in tars)])
        writer.write(bad_images, "bad", listed)
        if len(listed):
            logger.warning(
                "images: %d of %d pictures of %s cannot be decoded and are left out, see %s",
                *(len(listed), pictures, self.split, self.workspace.path(bad_images.path)),
            )
        if len(listed) - gone > self._bad_allowed(pictures):
            self._refuse(writer, listed, pictures)

    def _bad_allowed(self, pictures: int) -> int:
        few = FEW_BAD if self.reader.rules.max_bad_share else 0
        return max(few, int(self.reader.rules.max_bad_share * pictures))

    def _refuse(self, writer: StageWriter, bad: pa.Table, pictures: int) -> None:
        """Makes the stage incomplete, so that nothing goes on from it."""
        first = bad.slice(0, 1).to_pylist()[0]
        self.too_many_bad = (
            f"{len(bad)} of {pictures} pictures of {self.split} cannot be decoded, more than "
            f"max_bad_share ({self.reader.rules.max_bad_share:g}) allows; "
            f"{self.workspace.path(BAD_IMAGES[self.split].path)} lists them, first "
            f"{first['image_id']} {first['reason']}; mend their tars or raise max_bad_share in "
            f"[images], then rerun"
        )
        row: dict[str, object] = {
            "image_id": "",
            "tar": "",
            "status": "failed",
            "error": self.too_many_bad,
        }
        writer.write(IMAGE_FILES[self.split], _TOO_MANY_BAD, records_table([row], self.split))

    def _changed(self, tar: PublishedTar) -> list[ChangedPicture]:
        """Returns what is not as recorded, of records of this very tar that can be trusted."""
        for name in shard_names(tar, self.wanted):
            shard = newest_shard(self.workspace, self.split, name)
            if shard is None:
                continue
            rows = None if self._is_damaged(name) else read_shard(shard)
            if rows is None or not are_right(rows, self._resized(tar), tar, self.reader.rules):
                return []  # they are made anew; the engine names what is damaged
            return changed_pictures(self.workspace.root, shard, chosen(rows, self.wanted))
        return []

    def _resized(self, tar: PublishedTar) -> pa.Table | None:
        return read_side(side_path(self.workspace, "resized", tar))

    def _is_damaged(self, shard: str) -> bool:
        done = self.workspace.manifest(f"images-{self.split}")
        name = f"{IMAGE_FILES[self.split].path}/{shard}.parquet"
        records = {name: done.records[name]} if done and name in done.records else {}
        return bool(self.workspace.damages(records, []))

    def kept_records(self, writer: StageWriter, tar: PublishedTar, shard: str) -> pa.Table | None:
        """Returns the records of this very tar from before, or None.

        The fingerprint of a shard covers all tars of the split. When only others have changed, the
        caller writes it again under the new one, which spares fetching a gigabyte.
        """
        rows = writer.earlier(IMAGE_FILES[self.split], shard)
        if rows is None:
            return None
        if shard != tar.shard:  # of some pictures, of which each counts by itself
            rows = rows.filter(pc.not_equal(rows["status"], "failed"))
        version = (rows.schema.metadata or {}).get(b"hgld.version", b"").decode()
        if version != str(writer.stage.version):
            return None
        return rows if are_right(rows, self._resized(tar), tar, self.reader.rules) else None

    def write_beside(self, tar: PublishedTar, rows: TarRows) -> None:
        """Writes what stands beside the records of a tar, before these say that it is done."""
        if rows.index is not None:
            write_side(side_path(self.workspace, "tar_index", tar), rows.index)
        resized = side_path(self.workspace, "resized", tar)
        if rows.resized.num_rows:
            write_side(resized, rows.resized)
        else:
            resized.unlink(missing_ok=True)


def shard_names(tar: PublishedTar, wanted: Collection[str] | None) -> tuple[str, ...]:
    """Returns the shards in which records of a tar may stand, the best first.

    Those of some of its pictures have a name of their own, so that they never pass for all.
    """
    return (tar.shard,) if wanted is None else (f"{tar.shard}-some", tar.shard)
