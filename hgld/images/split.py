"""The pictures of one split: found as they were recorded, or fetched, and recorded."""

import logging
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.progress import Advance, progress
from hgld.engine.stage import StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.http.download import Source
from hgld.http.transfer import StoppedError
from hgld.images.at_rest import (
    ChangedPicture,
    changed_pictures,
    newest_shard,
    read_shard,
    renewed_records,
)
from hgld.images.extract import Extracted, PictureRules, extract_images
from hgld.images.fetch import PublishedTar, brought_tar, sweep_parts
from hgld.images.plan import RoomRule, check_room, check_room_for_all, in_parallel
from hgld.images.rows import (
    TarRows,
    are_right,
    bad_rows,
    read_side,
    records_table,
    rows_of,
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


@dataclass(slots=True)
class SplitPictures:
    """A run of the stage of one split: what is there, what is fetched, and how it is recorded."""

    workspace: Workspace
    source: Source
    split: str
    tars: list[PublishedTar]
    rules: PictureRules
    parallel: int = 1
    """So many tars are fetched at once."""
    too_many_bad: str = ""
    """Why the stage stops; empty where it does not."""

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
            extracted = list(self._extract(tar, [], wanted))
            reasons += [row.error for row in extracted if row.error]
            if still := self._changed(tar):
                reasons.append(f"{still[0].path} {still[0].what}")
        if not reasons:
            return ""
        count = sum(map(len, changed.values()))
        return (
            f"of {count} pictures of {self.split} that are gone or altered, not all can be had "
            f"again: {reasons[0]}; rerun when that is mended"
        )

    def produce(self, writer: StageWriter) -> None:
        """Writes the records of every tar, and which pictures are bad."""
        done: dict[str, pa.Table] = {}
        sweep_parts(self.workspace, self.split, self.tars)
        with progress(f"images: {self.split} tars", len(self.tars)) as advance:
            for tar in self.tars:
                rows = self._kept_records(writer, tar)
                if rows is not None:
                    done[tar.name] = rows
                    advance(1)
            missing = [tar for tar in self.tars if tar.name not in done]
            done |= self._fetch_all(writer, missing, advance)
        sweep_parts(self.workspace, self.split, [])
        self._list_bad(writer, [done[tar.name] for tar in self.tars])

    def _fetch_all(
        self, writer: StageWriter, tars: list[PublishedTar], advance: Advance
    ) -> dict[str, pa.Table]:
        """Fetches tars, several at once, and writes the rows of each as soon as it is done."""
        rule = RoomRule(parallel=self.parallel, keeps_all=not self.rules.longest_side)
        check_room_for_all(self.source, self.workspace, tars, rule)
        done = {}
        stopping = self.source.session.stopping
        for tar, rows in in_parallel(tars, self._fetched, self.parallel, stopping):
            self._write_beside(tar, rows)
            # Last, since it says that the tar is done.
            writer.write(IMAGE_FILES[self.split], tar.shard, rows.records)
            done[tar.name] = rows.records
            failed = rows.records.filter(pc.equal(rows.records["status"], "failed"))
            advance(1, int(failed.num_rows > 0))
        return done

    def _list_bad(self, writer: StageWriter, shards: list[pa.Table]) -> None:
        """Writes which pictures are bad, and stops the stage where they are too many."""
        bad_images = BAD_IMAGES[self.split]
        pictures = sum(
            pc.sum(pc.not_equal(rows["status"], "failed")).as_py() or 0 for rows in shards
        )
        bad = (bad_rows(rows, self.split) for rows in shards)
        listed = pa.concat_tables([bad_images.schema.empty_table(), *bad])
        writer.write(bad_images, "bad", listed)
        if len(listed):
            logger.warning(
                "images: %d of %d pictures of %s cannot be decoded and are left out, see %s",
                *(len(listed), pictures, self.split, self.workspace.path(bad_images.path)),
            )
        if len(listed) > self._bad_allowed(pictures):
            self._refuse(writer, listed, pictures)

    def _bad_allowed(self, pictures: int) -> int:
        few = FEW_BAD if self.rules.max_bad_share else 0
        return max(few, int(self.rules.max_bad_share * pictures))

    def _refuse(self, writer: StageWriter, bad: pa.Table, pictures: int) -> None:
        """Makes the stage incomplete, so that nothing goes on from it."""
        first = bad.slice(0, 1).to_pylist()[0]
        self.too_many_bad = (
            f"{len(bad)} of {pictures} pictures of {self.split} cannot be decoded, more than "
            f"max_bad_share ({self.rules.max_bad_share:g}) allows; "
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
        shard = newest_shard(self.workspace, self.split, tar.shard)
        if shard is None or self._is_damaged(tar):
            return []  # the engine names it, and has it made again
        rows = read_shard(shard)
        if rows is None or rows.schema.names != IMAGE_FILES[self.split].schema.names:
            return []
        if not are_right(rows, self._resized(tar), tar, self.rules):
            return []  # they are made anew
        return changed_pictures(self.workspace.root, shard, rows)

    def _resized(self, tar: PublishedTar) -> pa.Table | None:
        return read_side(side_path(self.workspace, "resized", tar))

    def _is_damaged(self, tar: PublishedTar) -> bool:
        done = self.workspace.manifest(f"images-{self.split}")
        name = f"{IMAGE_FILES[self.split].path}/{tar.shard}.parquet"
        records = {name: done.records[name]} if done and name in done.records else {}
        return bool(self.workspace.damages(records, []))

    def _kept_records(self, writer: StageWriter, tar: PublishedTar) -> pa.Table | None:
        """Returns the records of this very tar from before, counted as written, or None.

        The fingerprint of a shard covers all tars of the split. When only others have changed, the
        shard is written again under the new one, which spares fetching a gigabyte.
        """
        rows = writer.earlier(IMAGE_FILES[self.split], tar.shard)
        if rows is None:
            return None
        version = (rows.schema.metadata or {}).get(b"hgld.version", b"").decode()
        if version == "1" and set(rows["status"].unique().to_pylist()) == {"ok"}:
            rows = renewed_records(self.workspace.root, rows, self.split)
        elif version != str(writer.stage.version):
            return None
        if rows is None or not are_right(rows, self._resized(tar), tar, self.rules):
            return None
        if not writer.has(IMAGE_FILES[self.split], tar.shard):
            writer.write(IMAGE_FILES[self.split], tar.shard, rows)
        return rows

    def _write_beside(self, tar: PublishedTar, rows: TarRows) -> None:
        if rows.index is not None:
            write_side(side_path(self.workspace, "tar_index", tar), rows.index)
        resized = side_path(self.workspace, "resized", tar)
        if rows.resized.num_rows:
            write_side(resized, rows.resized)
        else:
            resized.unlink(missing_ok=True)

    def _fetched(self, tar: PublishedTar) -> TarRows:
        whole: list[str] = []
        images = []
        for image in self._extract(tar, whole):
            images.append(image)
            if self.source.session.stopping.is_set():
                raise StoppedError(f"{tar.address}: stopped after {len(images)} pictures")
        rows = rows_of(tar, images, self.rules, *whole)
        errors = [image.error for image in images if image.status == "failed"]
        if errors:
            logger.warning("%s: %d failed, first: %s", tar.address, len(errors), errors[0])
        return rows

    def _extract(
        self, tar: PublishedTar, whole: list[str], wanted: set[str] | None = None
    ) -> Iterator[Extracted]:
        """Fetches, checks and extracts a tar, or some of its pictures.

        Args:
            tar: the tar.
            whole: gets the SHA-256 of the tar once all of it was read.
            wanted: the ids of the pictures; None: all.
        """
        check_room(self.source, self.workspace, tar)
        address = self.source.address(tar.address)
        root = self.workspace.root
        try:
            with brought_tar(self.source, self.workspace, tar) as brought:
                yield from extract_images(brought.path, tar.split, root, self.rules, wanted)
                whole.append(brought.sha256)
        except FetchError as error:
            yield Extracted(status="failed", error=str(error))
        except tarfile.TarError as error:
            yield Extracted(
                status="failed",
                error=f"{address} must be a whole, uncompressed tar, got the right MD5 but "
                f"'{error}'; tell its publisher, or lower {tar.split}_tars (--tars) below it",
            )
