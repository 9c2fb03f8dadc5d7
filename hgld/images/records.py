"""The rows that come of a tar: what became of each picture, where it lay, how it became smaller."""

import dataclasses
import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.dataset import conform, rows_digest
from hgld.engine.files import atomic_file
from hgld.engine.workspace import Damage, Workspace
from hgld.images.bringing.fetch import PublishedTar
from hgld.images.extract import NOT_WANTED, Extracted, PictureRules
from hgld.tables import BAD_IMAGES, IMAGE_FILES, RESIZED_SCHEMA, TAR_INDEX_SCHEMA

logger = logging.getLogger(__name__)

_DIGEST = b"hgld.rows"
"""Key in a side table's metadata of the digest of its rows."""
_SIDE_TABLES = {"tar_index": TAR_INDEX_SCHEMA, "resized": RESIZED_SCHEMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class TarRows:
    """What is recorded of one tar, or of the pictures of it that are wanted."""

    records: pa.Table
    resized: pa.Table
    index: pa.Table | None
    """None where the tar was not read to its end."""


def rows_of(
    tar: PublishedTar,
    images: Sequence[Extracted],
    rules: PictureRules,
    tar_sha256: str = "",
    places: Sequence[str] = (),
) -> TarRows:
    """Makes rows of what was extracted of a tar.

    Args:
        tar: where it came from.
        images: its members, in their order.
        rules: as what they were taken.
        tar_sha256: of the whole tar; empty where that was not read to its end.
        places: where each came from, where that is not the tar.
    """
    taken = [image for image in images if image.status != NOT_WANTED]
    return TarRows(
        records=records_table(
            [
                {"tar": place, "tar_md5": tar.md5, **dataclasses.asdict(image)}
                for place, image in zip(places or [tar.name] * len(taken), taken, strict=True)
            ],
            tar.split,
        ),
        resized=pa.Table.from_pylist(
            [
                {
                    **dataclasses.asdict(image),
                    "longest_side": rules.longest_side,
                    "quality": rules.quality,
                }
                for image in taken
                if rules.longest_side and image.status == "ok"
            ],
            RESIZED_SCHEMA,
        ),
        index=_index_of(tar, images, tar_sha256) if tar_sha256 else None,
    )


def _index_of(tar: PublishedTar, images: Sequence[Extracted], tar_sha256: str) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "image_id": image.image_id,
                "tar": tar.name,
                "offset": image.offset,
                "size": image.member_size,
                "sha256": image.member_sha256,
                "tar_md5": tar.md5,
                "tar_sha256": tar_sha256,
            }
            for image in images
            if image.member_sha256
        ],
        TAR_INDEX_SCHEMA,
    )


def side_path(workspace: Workspace, table: str, tar: PublishedTar) -> Path:
    """Returns where the rows of a tar lie in a table beside the records.

    Args:
        workspace: the build.
        table: `tar_index` or `resized`.
        tar: the tar.
    """
    return workspace.path(f"images/{table}/{tar.split}/{tar.shard}.parquet")


def write_side(path: Path, table: pa.Table) -> None:
    """Writes rows of a side table, with a digest by which a damage is known."""
    table = conform(table, _SIDE_TABLES[path.parent.parent.name])
    signed = table.replace_schema_metadata({_DIGEST: _signature(path, table)})
    with atomic_file(path) as temporary:
        pq.write_table(signed, temporary, compression="zstd", compression_level=3)


def read_side(path: Path) -> pa.Table | None:
    """Returns rows of a side table; None where there are none, or they are not what was written."""
    if not path.exists():
        return None
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError, ValueError) as error:
        logger.warning("%s is damaged: %s", path, next(iter(str(error).splitlines()), ""))
        return None
    names = _SIDE_TABLES[path.parent.parent.name].names
    written = (table.schema.metadata or {}).get(_DIGEST)
    if table.schema.names == names and written == _signature(path, table):
        return table.replace_schema_metadata()
    logger.warning("%s is not what was written, and is not used", path)
    return None


def _signature(path: Path, table: pa.Table) -> bytes:
    """Returns a digest of rows and of their place, so that two files cannot change places."""
    place = "/".join(path.parts[-3:])
    return hashlib.sha256(f"{place} {rows_digest(table)}".encode()).hexdigest().encode()


def side_damages(workspace: Workspace, split: str) -> list[Damage]:
    """Returns the side tables of a split that are not what was written; changes nothing."""
    return [
        Damage(path.relative_to(workspace.root).as_posix(), "is not what was written")
        for table in _SIDE_TABLES
        for path in sorted(workspace.path(f"images/{table}/{split}").glob("*.parquet"))
        if read_side(path) is None
    ]


def records_table(rows: Sequence[dict[str, object]], split: str) -> pa.Table:
    """Returns rows of IMAGE_FILES."""
    return pa.Table.from_pylist(list(rows), IMAGE_FILES[split].schema)


def tars_not_done(workspace: Workspace, split: str) -> list[str]:
    """Returns each tar of a split that has failed rows, with the first reason of it."""
    reasons: dict[str, str] = {}
    for shard in workspace.shards(IMAGE_FILES[split]):
        rows = pq.read_table(shard, columns=["tar", "status", "error"], partitioning=None)
        for row in rows.filter(pc.equal(rows["status"], "failed")).to_pylist():
            reasons.setdefault(row["tar"], row["error"])
    return [
        f"{tar if '://' in tar else f'{split}/{tar}'} ({reason})"
        for tar, reason in reasons.items()
        if tar
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TarCounts:
    """What is kept in memory of the records of a tar, of which there are millions in all."""

    pictures: int
    """Those that were looked at."""
    gone: int
    """Of those that are in `bad`."""
    bad: pa.Table
    """Rows of BAD_IMAGES."""


def counts_of(records: pa.Table, split: str) -> TarCounts:
    """Counts what became of the pictures of a tar."""
    statuses, schema = records["status"], BAD_IMAGES[split].schema
    is_none = pc.is_in(statuses, pa.array(["bad", "gone"]))
    bad = records.filter(is_none).select(["image_id", "tar", "error"])
    return TarCounts(
        pictures=pc.sum(pc.not_equal(statuses, "failed")).as_py() or 0,
        gone=pc.sum(pc.equal(statuses, "gone")).as_py() or 0,
        bad=bad.rename_columns(schema.names).cast(schema),
    )


def chosen(table: pa.Table, ids: Collection[str] | None) -> pa.Table:
    """Returns the rows of some pictures; of all where None is given."""
    if ids is None:
        return table
    return table.filter(pc.is_in(table["image_id"], pa.array(list(ids), pa.string())))


def are_right(
    rows: pa.Table, resized: pa.Table | None, tar: PublishedTar, rules: PictureRules
) -> bool:
    """Says whether records are of this very tar, whole, and what the rules would make now.

    Args:
        rows: records of one tar, of any version.
        resized: what is recorded beside them of RESIZED, if anything.
        tar: as it is published now.
        rules: as what its pictures are wanted now.
    """
    if rows.schema.names != IMAGE_FILES[tar.split].schema.names:
        return False
    statuses, md5s = (set(rows[name].unique().to_pylist()) for name in ("status", "tar_md5"))
    if not (statuses <= {"ok", "bad", "gone"} and md5s <= {tar.md5}):
        return False
    return _has_sizes(rows, resized, rules) and _has_pixels(rows, resized, rules)


def _has_sizes(rows: pa.Table, resized: pa.Table | None, rules: PictureRules) -> bool:
    """Says whether pictures were made as small as they are wanted now."""
    if resized is None or not resized.num_rows:
        return not rules.longest_side or "ok" not in rows["status"].to_pylist()
    if not rules.longest_side:
        return False
    ok = rows.filter(pc.equal(rows["status"], "ok"))
    known = set(zip(*(resized[name].to_pylist() for name in ("image_id", "sha256")), strict=True))
    made = {tuple(row.values()) for row in resized.select(["longest_side", "quality"]).to_pylist()}
    return made == {(rules.longest_side, rules.quality)} and known >= set(
        zip(*(ok[name].to_pylist() for name in ("image_id", "sha256")), strict=True)
    )


def _has_pixels(rows: pa.Table, resized: pa.Table | None, rules: PictureRules) -> bool:
    """Says whether those alone are bad for their size that `max_pixels` would refuse now."""
    if resized is not None and resized.num_rows:
        most = pc.max(resized["source_pixels"]).as_py()
        rows = rows.filter(pc.equal(rows["status"], "bad"))
        if most > rules.max_pixels:
            return False
    known = rows.filter(pc.is_valid(rows["pixels"]))
    is_small = pc.less_equal(known["pixels"], rules.max_pixels)
    agrees = pc.equal(is_small, pc.equal(known["status"], "ok"))
    return bool(pc.all(agrees, min_count=0).as_py())
