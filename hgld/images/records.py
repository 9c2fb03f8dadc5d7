"""Records of pictures, and checks of the pictures on the disk against them."""

import dataclasses
import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.files import file_damage
from hgld.engine.ray_pool import actors_of_ray
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import PictureError
from hgld.images.tars import Extracted
from hgld.pictures import MODIFIED, compare_files, measure_picture
from hgld.tables import IMAGE_FILES

logger = logging.getLogger(__name__)

_THREADS = 8  # which mostly wait for the disk
_NAMED = 5
_COMPARED = ("image_id", "path", "status", "size_bytes", "sha256")


def records_table(
    split: str, images: Iterable[tuple[str, Extracted]], md5: str | None = None
) -> pa.Table:
    """Returns rows of IMAGE_FILES.

    Args:
        split: the split of the pictures.
        images: each with its origin: the name of its tar, or its URL.
        md5: the MD5 of the tar.
    """
    rows = [{"tar": place, "tar_md5": md5, **dataclasses.asdict(image)} for place, image in images]
    return pa.Table.from_pylist(rows, IMAGE_FILES[split].schema)


def read_shard(shard: Path) -> pa.Table | None:
    """Returns the records of a tar, of any version; None if they cannot be read."""
    try:
        return pq.read_table(shard, partitioning=None)
    except (pa.ArrowException, OSError, ValueError) as error:
        logger.warning("%s is damaged: %s", shard, next(iter(str(error).splitlines()), ""))
        return None


def chosen(table: pa.Table, ids: Collection[str] | None) -> pa.Table:
    """Returns the rows of some pictures; None: of all."""
    if ids is None:
        return table
    return table.filter(pc.is_in(table["image_id"], pa.array(list(ids), pa.string())))


def are_right(rows: pa.Table, split: str, md5: str | None) -> bool:
    """Says whether records are complete, in the current schema, and of the tar with this MD5."""
    if rows.schema.names != IMAGE_FILES[split].schema.names:
        return False
    statuses, md5s = (set(rows[name].unique().to_pylist()) for name in ("status", "tar_md5"))
    return statuses <= {"ok", "bad", "gone"} and md5s <= {md5}


def what_failed(workspace: Workspace, split: str) -> str:
    """Returns which tars or URLs of a split have failed rows, and the first reason.

    Returns:
        One line, such as `train/images_001.tar, train/images_002.tar and 496 more (...)`; empty if
        there are none.
    """
    reasons: dict[str, str] = {}
    for shard in workspace.shards(IMAGE_FILES[split]):
        rows = pq.read_table(shard, columns=["tar", "status", "error"], partitioning=None)
        for row in rows.filter(pc.equal(rows["status"], "failed")).to_pylist():
            if row["tar"]:
                name = row["tar"] if "://" in row["tar"] else f"{split}/{row['tar']}"
                reasons.setdefault(name, row["error"])
    if not reasons:
        return ""
    more = f" and {len(reasons) - _NAMED:,} more" if len(reasons) > _NAMED else ""
    return f"{', '.join([*reasons][:_NAMED])}{more} ({next(iter(reasons.values()))})"


class ChangedPicture(NamedTuple):
    """A picture that does not match its record."""

    image_id: str
    path: str
    """Relative to the workspace."""
    what: str
    """What is wrong, as a predicate: "is gone"."""


def changed_pictures(root: Path, shard: Path, records: pa.Table) -> list[ChangedPicture]:
    """Returns the pictures of a tar that are gone or do not match their records.

    A picture of the right size is read only if it was modified after its shard. If all such
    pictures are right, for example in a copy of the build, the shard's time is updated, so that the
    next check is fast again.

    Args:
        root: the workspace.
        shard: the file of the records.
        records: its content.
    """
    looked = time.time_ns()
    changed, modified = _changed(root, records, since_ns=shard.stat().st_mtime_ns)
    if modified and not changed:
        os.utime(shard, ns=(looked, looked))
    return changed


def damaged_pictures(
    workspace: Workspace, split: str, *, deep: bool = False, actors: int = 0
) -> Iterator[Damage]:
    """Compares the pictures of a split with their records; writes nothing.

    Args:
        workspace: the build.
        split: `train`, `index` or `test`.
        deep: whether to read and decode every picture, or only those modified since.
        actors: how many actors of Ray do so; 0: this process does.

    Yields:
        Pictures that are gone, altered, or (deep) cannot be decoded.
    """

    def tables() -> Iterator[pa.Table]:
        for shard in workspace.shards(IMAGE_FILES[split]):
            records = read_shard(shard)
            if records is None or records.schema.names != IMAGE_FILES[split].schema.names:
                continue  # the check of the tables reports it
            since_ns = -1 if deep else shard.stat().st_mtime_ns
            since = pa.repeat(since_ns, len(records))
            yield records.select(_COMPARED).append_column("since_ns", since)

    made_from = (workspace.root.absolute(), deep)
    check = (
        actors_of_ray(actors, _PictureCheck, *made_from, takes_gpu=False)
        if actors
        else partial(map, _PictureCheck(*made_from))
    )
    for checked in check(tables()):
        wrong = checked.filter(pc.not_equal(checked["what"], ""))
        yield from (Damage(**row) for row in wrong.to_pylist())


class _PictureCheck:
    """Compares pictures with their records; actors of Ray can be of this class."""

    def __init__(self, root: Path, deep: bool) -> None:
        self._root, self._is_deep = root, deep

    def __call__(self, records: pa.Table) -> pa.Table:
        """Returns the path of each picture, and what is wrong; empty: nothing."""
        since_ns = records["since_ns"][0].as_py() if len(records) else 0
        changed, _ = _changed(self._root, records, since_ns=since_ns, is_deep=self._is_deep)
        what = {one.path: one.what for one in changed}
        found = [what.get(path, "") for path in records["path"].to_pylist()]
        return pa.table({"path": records["path"], "what": pa.array(found, pa.string())})


def _changed(
    root: Path, records: pa.Table, *, since_ns: int, is_deep: bool = False
) -> tuple[list[ChangedPicture], int]:
    """Returns the changed pictures, and how many files had to be read."""
    rows = records.filter(pc.equal(records["status"], "ok"))
    ids, paths, sizes, digests = (
        rows[name].to_pylist() for name in ("image_id", "path", "size_bytes", "sha256")
    )
    places = [f"{root}/{path}" for path in paths]
    found = dict(compare_files(places, sizes, since_ns))
    modified = [position for position, what in found.items() if what == MODIFIED]

    def look(position: int) -> str:
        return _what_is_wrong(Path(places[position]), digests[position], is_deep)

    with ThreadPoolExecutor(_THREADS) as pool:
        found.update(zip(modified, pool.map(look, modified), strict=True))
    changed = [ChangedPicture(ids[n], paths[n], what) for n, what in sorted(found.items()) if what]
    return changed, len(modified)


def _what_is_wrong(path: Path, sha256: str, is_deep: bool) -> str:
    what = file_damage(path, None, sha256)
    if is_deep and not what:
        try:
            measure_picture(path.read_bytes())
        except PictureError as error:
            return str(error)
    return what
