"""Whether the pictures on the disk are those that were recorded."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.files import file_digest
from hgld.engine.placing import newest
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import PictureError
from hgld.pictures import IS_GONE, MODIFIED, MOST_PIXELS, compare_files, count_pixels
from hgld.tables import IMAGE_FILES

logger = logging.getLogger(__name__)

ALTERED = "has other bytes than were recorded"
_THREADS = 8  # of them most wait for the disk


class ChangedPicture(NamedTuple):
    """A picture that is not what was recorded."""

    image_id: str
    path: str
    """Relative to the workspace."""
    what: str
    """As in "images/test/0/0/1/0010000000000001.jpg *is gone*"."""


def newest_shard(workspace: Workspace, split: str, name: str) -> Path | None:
    """Returns the latest records of a tar, those of a run that has not ended yet before others."""
    return newest(workspace.path(IMAGE_FILES[split].shard_path(name)))


def read_shard(shard: Path) -> pa.Table | None:
    """Returns the records of a tar, whatever their version; None where they cannot be read."""
    try:
        return pq.read_table(shard, partitioning=None)
    except (pa.ArrowException, OSError, ValueError) as error:
        logger.warning("%s is damaged: %s", shard, next(iter(str(error).splitlines()), ""))
        return None


def changed_pictures(root: Path, shard: Path, records: pa.Table) -> list[ChangedPicture]:
    """Returns the pictures of a tar that are gone or are not what was recorded.

    A picture of the right size is read only where it was modified after its shard. Where such
    pictures are right all the same, as after a copy of the build, the shard is marked as looked at,
    so that the next look is quick again.

    Args:
        root: the workspace.
        shard: the file of the records.
        records: what is in it.
    """
    looked = time.time_ns()
    changed, modified = _changed(root, records, since_ns=shard.stat().st_mtime_ns)
    if modified and not changed:
        os.utime(shard, ns=(looked, looked))
    return changed


def damaged_pictures(workspace: Workspace, split: str, *, deep: bool = False) -> Iterator[Damage]:
    """Compares the pictures of a split with what was recorded of them; writes nothing.

    Args:
        workspace: the build.
        split: `train`, `index` or `test`.
        deep: reads and decodes every picture; else those alone that were modified since.

    Yields:
        What is gone, altered, or (deep) cannot be decoded.
    """
    for shard in workspace.shards(IMAGE_FILES[split]):
        records = read_shard(shard)
        if records is None or records.schema.names != IMAGE_FILES[split].schema.names:
            continue  # the comparison of the tables names it
        since_ns = -1 if deep else shard.stat().st_mtime_ns
        changed, _ = _changed(workspace.root, records, since_ns=since_ns, is_deep=deep)
        yield from (Damage(picture.path, picture.what) for picture in changed)


def _changed(
    root: Path, records: pa.Table, *, since_ns: int, is_deep: bool = False
) -> tuple[list[ChangedPicture], int]:
    """Returns what is not as it was, and how many files had to be read to know."""
    rows = records.filter(pc.equal(records["status"], "ok"))
    ids, paths, sizes, digests = (
        rows[name].to_pylist() for name in ("image_id", "path", "size_bytes", "sha256")
    )
    places = [f"{root}/{path}" for path in paths]
    found = dict(compare_files(places, sizes, since_ns))
    modified = [position for position, what in found.items() if what == MODIFIED]
    with ThreadPoolExecutor(_THREADS) as pool:
        wrong = pool.map(
            lambda position: _what_is_wrong(Path(places[position]), digests[position], is_deep),
            modified,
        )
        found.update(zip(modified, wrong, strict=True))
    changed = [ChangedPicture(ids[n], paths[n], what) for n, what in sorted(found.items()) if what]
    return changed, len(modified)


def _what_is_wrong(path: Path, sha256: str, is_deep: bool) -> str:
    try:
        if not is_deep:
            return "" if file_digest(path) == sha256 else ALTERED
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            return ALTERED
        count_pixels(content, max_pixels=MOST_PIXELS)
    except FileNotFoundError:
        return IS_GONE
    except PictureError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""
