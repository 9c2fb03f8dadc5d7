"""The records of some pictures of a split.

What is recorded already is kept; what an index says where to find is fetched by itself; only for
what is left are whole tars read, one after the other, until all is found. Whichever way a picture
came, its row is the same, and so is the order: by id.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.progress import Advance
from hgld.engine.stage import StageWriter
from hgld.http.transfer import StoppedError
from hgld.images.bringing.fetch import PublishedTar
from hgld.images.rows import (
    TarCounts,
    TarRows,
    chosen,
    counts_of,
    read_side,
    records_table,
    side_path,
)
from hgld.images.split import SplitPictures, shard_names
from hgld.tables import IMAGE_FILES, RESIZED_SCHEMA

_NOT_FOUND = "not_found"
"""Shard of the pictures that no tar has."""


@dataclass(slots=True)
class SubsetRows:
    """A run for some pictures: what is there of each tar, and what is still to be found."""

    pictures: SplitPictures
    wanted: frozenset[str]
    _records: dict[str, pa.Table] = field(default_factory=dict, init=False)
    """By tar."""
    _known: set[str] = field(default_factory=set, init=False)
    """Tars of which every picture is known."""
    _failed: list[pa.Table] = field(default_factory=list, init=False)
    """Rows of whole tars that could not be had."""

    def produce(self, writer: StageWriter, advance: Advance) -> list[TarCounts]:
        """Writes the records of every tar that has a wanted picture, and counts them."""
        located = {}
        for tar in self.pictures.tars:
            self._keep(writer, tar)
            places = self.pictures.reader.places
            if places.knows_all_of(tar):
                self._known.add(tar.name)
            if missing := places.of(tar, self._left()).keys():
                located[tar] = missing
            else:
                advance(1)
        some = self.pictures.in_parallel(
            list(located),
            lambda tar: self.pictures.reader.some(tar, located[tar]),
            lambda tar, rows: self._add(writer, tar, rows),
        )
        for _ in some:
            advance(1)
        self._search(writer)
        split = self.pictures.split
        return [
            counts_of(rows, split) for rows in (*self._records.values(), *self._not_found(writer))
        ]

    def _search(self, writer: StageWriter) -> None:
        """Reads whole tars until nothing is left to be found."""
        tars = [tar for tar in self.pictures.tars if tar.name not in self._known]
        if not self._left():
            return
        self.pictures.check_room(tars)
        left = set(self._left())

        def search(tar: PublishedTar) -> TarRows:
            if not left:
                raise StoppedError("all is found")
            return self.pictures.reader.whole(tar, self.wanted)

        def record(tar: PublishedTar, rows: TarRows) -> None:
            self._add(writer, tar, rows)
            left.difference_update(rows.records["image_id"].to_pylist())

        for _ in self.pictures.in_parallel(tars, search, record):
            if not left:
                break

    def _left(self) -> frozenset[str]:
        return self.wanted.difference(
            *(rows["image_id"].to_pylist() for rows in self._records.values())
        )

    def _keep(self, writer: StageWriter, tar: PublishedTar) -> None:
        """Takes over what an earlier run has recorded of a tar, of all or some of its pictures."""
        for shard in reversed(shard_names(tar, self.wanted)):
            rows = self.pictures.kept_records(writer, tar, shard)
            if rows is None:
                continue
            if shard == tar.shard:
                self._known.add(tar.name)
            self._records[tar.name] = chosen(rows, self.wanted).replace_schema_metadata()
            self._write(writer, tar)
            return

    def _add(self, writer: StageWriter, tar: PublishedTar, rows: TarRows) -> None:
        """Adds what was fetched of a tar to what is recorded of it."""
        is_of_tar = pc.equal(rows.records["image_id"], "")
        self._failed.append(rows.records.filter(is_of_tar))
        new = rows.records.filter(pc.invert(is_of_tar))
        before = self._records.get(tar.name, new.slice(0, 0))
        before = before.filter(pc.invert(pc.is_in(before["image_id"], new["image_id"])))
        resized = read_side(side_path(self.pictures.workspace, "resized", tar))
        kept = chosen(resized or RESIZED_SCHEMA.empty_table(), before["image_id"].to_pylist())
        self._records[tar.name] = pa.concat_tables([before, new])
        merged = TarRows(
            records=new, resized=pa.concat_tables([kept, rows.resized]), index=rows.index
        )
        self.pictures.write_beside(tar, merged)
        self._write(writer, tar)

    def _write(self, writer: StageWriter, tar: PublishedTar) -> None:
        if (rows := self._records[tar.name]).num_rows:
            shard, _ = shard_names(tar, self.wanted)
            self._records[tar.name] = rows = rows.sort_by("image_id")
            writer.write(IMAGE_FILES[tar.split], shard, rows)

    def _not_found(self, writer: StageWriter) -> Iterable[pa.Table]:
        """Writes a failed row for each picture that no tar has, and each tar that is lacking."""
        left = sorted(self._left())
        if not left:
            return []
        split = self.pictures.split
        failed = pa.concat_tables([IMAGE_FILES[split].schema.empty_table(), *self._failed])
        why = (
            f"it was not found, and {len(failed)} tars of {split} could not be read; rerun"
            if len(failed)
            else self.pictures.reader.not_found(split, len(self.pictures.tars))
        )
        rows: list[dict[str, object]] = [
            {"image_id": image_id, "tar": "", "status": "failed", "error": why} for image_id in left
        ]
        table = pa.concat_tables([records_table(rows, split), failed])
        writer.write(IMAGE_FILES[split], _NOT_FOUND, table)
        return [table]
