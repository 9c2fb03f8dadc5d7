"""Pictures read in place from the tars that `hgld images --shards` packs (WebDataset's layout).

They are read in any order, each by one read of its bytes, so that samplers and resuming know no
difference to files. What lies where is read from the headers of the tars.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.files import FileRecord
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.pictures import PictureFile

_BLOCK = 512
# After a picture come the header of its labels, the labels and the header of the next picture.
_AHEAD = 4 * _BLOCK
_READERS = 8  # of disks that answer several at once faster than one


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPicture(PictureFile):
    """A picture in a tar of a build, which is read if it still is what was recorded."""

    offset: int
    """Of its bytes, from the start of the tar, whose place is `path`."""

    def __str__(self) -> str:
        """Returns where it lies."""
        return f"{self.path} at byte {self.offset:,}"

    def read(self) -> bytes:
        """Returns the bytes, which are those that were recorded and, by that, can be decoded.

        Raises:
            DamagedError: the tar is gone, or has other bytes there.
            InputError: it cannot be read.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                content = os.pread(file.fileno(), self.size_bytes, self.offset)
        except FileNotFoundError as error:
            raise DamagedError(f"{self.path} is gone; {self.mend}") from error
        except OSError as error:
            raise InputError(
                f"cannot read {self.path}: {error.strerror}; mend that and rerun"
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DamagedError(f"{self} has other bytes than were recorded; {self.mend}")
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPictures:
    """Where pictures lie in tars."""

    tars: tuple[Path, ...]
    tar: NDArray[np.int32]
    """(N,), the place of each picture's tar among these."""
    offset: NDArray[np.int64]
    """(N,), of its bytes, from the start of the tar."""
    mend: str
    """What to do where they are not as they were recorded, for an error's text."""

    def picture(self, index: int, size_bytes: int, sha256: str) -> ShardPicture:
        """Returns one as it was recorded."""
        return ShardPicture(
            path=self.tars[self.tar[index]],
            offset=int(self.offset[index]),
            size_bytes=size_bytes,
            sha256=sha256,
            mend=self.mend,
        )

    def part(self, start: int, stop: int) -> "PackedPictures":
        """Returns those of a range of positions."""
        return PackedPictures(
            tars=self.tars,
            tar=self.tar[start:stop],
            offset=self.offset[start:stop],
            mend=self.mend,
        )


def find_packed(
    workspace: Workspace, split: str, image_ids: pa.StringArray, sizes: pa.Int64Array
) -> PackedPictures:
    """Looks up where pictures lie in the tars of a split.

    Args:
        workspace: a build whose pictures `hgld images --shards` has packed.
        split: `train`, `index` or `test`.
        image_ids: (N,), the pictures.
        sizes: (N,), of each, in bytes.

    Raises:
        MissingInputError: there are no tars.
        DamagedError: they are not as they were recorded.
        InputError: they lack pictures, or have others, that were fetched since.
    """
    mend = f"run {workspace.command(f'images --split {split} --shards')}"
    manifest = workspace.manifest(f"shards-{split}")
    if manifest is None:
        raise MissingInputError(
            f"{workspace.path('images/shards')} has no shards of {split}; {mend}, or read files"
        )
    _require_sizes(workspace, manifest.records, mend)
    tars = tuple(workspace.path(name) for name in manifest.records)
    places = _scan(tars, split, mend)
    at = pc.index_in(image_ids, value_set=places["image_id"])
    found = places.take(at)
    other = pc.fill_null(pc.not_equal(found["size_bytes"], sizes), fill_value=True)
    if count := pc.sum(other).as_py():
        first = image_ids[pc.index(other, True).as_py()]
        raise InputError(
            f"the shards must hold all {len(image_ids)} images of {split} that are trained on, got "
            f"{count} that are not there or were fetched anew since, first {first}; {mend}"
        )
    return PackedPictures(
        tars=tars,
        tar=found["tar"].to_numpy(),
        offset=found["offset"].to_numpy(),
        mend=f"{mend}, which packs it again",
    )


def _require_sizes(
    workspace: Workspace, records: Mapping[str, FileRecord | None], mend: str
) -> None:
    for name, record in records.items():
        path = workspace.path(name)
        if not path.exists():
            raise DamagedError(f"{path} is gone; {mend}, which packs it again")
        size = path.stat().st_size
        if record is not None and size != record.size:
            raise DamagedError(
                f"{path} has {size:,} bytes, not the {record.size:,} that were written; {mend}, "
                f"which packs it again"
            )


def _scan(tars: Sequence[Path], split: str, mend: str) -> pa.Table:
    """Reads the headers of tars: `image_id`, `tar`, `offset` and `size_bytes` of each picture."""
    with (
        progress(f"train: shards of {split}", len(tars)) as advance,
        ThreadPoolExecutor(_READERS) as pool,
    ):
        tables = []
        for number, members in enumerate(pool.map(lambda path: _members(path, mend), tars)):
            ids, offsets, sizes = members
            columns = {
                "image_id": pa.array(ids, pa.string()),
                "tar": pa.array(np.full(len(ids), number, dtype=np.int32)),
                "offset": pa.array(offsets, pa.int64()),
                "size_bytes": pa.array(sizes, pa.int64()),
            }
            tables.append(pa.table(columns))
            advance(1)
    empty = {"image_id": pa.string(), "tar": pa.int32(), "offset": pa.int64()}
    schema = pa.schema({**empty, "size_bytes": pa.int64()})
    return pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()


def _members(path: Path, mend: str) -> tuple[list[str], list[int], list[int]]:
    """Returns ids, offsets and sizes of the pictures in a tar.

    Raises:
        DamagedError: it is none as `hgld images --shards` writes it.
    """
    ids, offsets, sizes = [], [], []
    try:
        for name, offset, size in _headers(path):
            if name.endswith(".jpg"):
                ids.append(name.removesuffix(".jpg"))
                offsets.append(offset)
                sizes.append(size)
    except (OSError, ValueError) as error:
        raise DamagedError(
            f"{path} cannot be read as a tar of pictures ({error}); {mend}, which packs it again"
        ) from error
    return ids, offsets, sizes


def _headers(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yields name, offset and size of each member, by plain headers alone, as our tars have them.

    `tarfile` takes ten times as long, which is minutes for the two million members of all.
    """
    with path.open("rb", buffering=0) as file:
        block, start, position = b"", 0, 0
        while True:
            if not start <= position <= start + len(block) - _BLOCK:
                start, block = position, os.pread(file.fileno(), _AHEAD, position)
            header = block[position - start : position - start + _BLOCK]
            if header == bytes(_BLOCK):
                return
            if len(header) < _BLOCK or header[156:157] != b"0" or header[257:262] != b"ustar":
                raise ValueError(f"no plain header at byte {position:,}")
            size = int(header[124:136].rstrip(b"\0 "), 8)
            position += _BLOCK
            yield header[:100].rstrip(b"\0").decode("ascii"), position, size
            position += -(-size // _BLOCK) * _BLOCK
