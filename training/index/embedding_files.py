"""Embeddings that any program made: read from files, checked, and put in the order of a split.

Parquet, a file or a folder of files: a column `image_id` and a column `embedding`, lists of
floating-point numbers, as `hgld index` writes them. Or a numpy array `NAME.npy`, (N, D), and beside
it `NAME.txt` with the image id of each row on a line of its own. Parquet may be at an object store
(`s3://bucket/embeddings`); each reading fetches it anew.
"""

import hashlib
import logging
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
from numpy.typing import NDArray

from hgld.engine.files import file_digest
from hgld.engine.logins import redacted
from hgld.engine.store import Store, address_of, open_store
from hgld.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

# Of 512 dimensions 32 MB: what is read is copied to its place block by block.
_BLOCK = 16_384
_IN_CACHE = 2048  # of 512 dimensions 4 MB
# Of a length; float16 rounds the length of 2,048 dimensions by about 2e-4.
_TOLERANCE = 1e-2
_SHOWN = 3
# An .npy of no bytes is an EOFError.
_UNREADABLE = (OSError, EOFError, pa.ArrowException, ValueError)

IdsAndVectors = tuple[pa.StringArray, NDArray[np.floating[Any]]]
"""Image ids (n,) and their embeddings (n, D), as they are in a file."""


def read_embeddings(
    path: Path, image_ids: Sequence[str], *, split: str, other_ids: Sequence[str] = ()
) -> "Tensor":
    """Reads the embeddings of images, whichever order they are in.

    Memory is that of what is returned and of a row group. The log says how many rows are of other
    images, how many were not of unit length and are scaled to it, and whether all are the same.

    Args:
        path: a parquet file, a folder of them, or an `.npy` with its ids beside it.
        image_ids: N of them, unique.
        split: what the images are called in an error.
        other_ids: ids of the other side, index or queries, for an error where files are swapped.

    Returns:
        (N, D) float32, unit norm, in the order of the ids.

    Raises:
        InputError: the file cannot be read or has other columns; an image is missing or has
            several rows; vectors differ in length, are zero, or are not finite.
    """
    import torch  # late: a fingerprint needs only the digest

    where = _shown(path)
    wanted = pa.array(image_ids, pa.string())
    rows = np.zeros(len(wanted), np.int64)
    vectors: NDArray[np.float32] | None = None
    others, scaled, first_id = 0, 0, ""
    for ids, block in embedding_blocks(path):
        if vectors is None:
            vectors, first_id = np.zeros((len(wanted), block.shape[1]), np.float32), str(ids[0])
        places = pc.index_in(ids, value_set=wanted)
        is_wanted, at = places.is_valid(), places.drop_null().to_numpy()
        np.add.at(rows, at, 1)
        some = block[is_wanted.to_numpy(zero_copy_only=False)]
        vectors[at], lengths = unit_vectors(some, ids.filter(is_wanted), where)
        scaled += int((np.abs(lengths - 1) > _TOLERANCE).sum())
        others += len(ids) - len(at)
    if vectors is None or (len(wanted) and not rows.any()):
        which = "an image of the other side" if first_id in set(other_ids) else "no such image"
        begins = f"it begins with {first_id!r}, {which}" if first_id else "it has no rows"
        raise InputError(
            f"{where} has none of the {len(image_ids):,} images of {split}, such as "
            f"{image_ids[0]!r}: {begins}; write ids as the labels have them, without folder or "
            f"ending, and the queries' file first"
        )
    _require(rows > 0, wanted, f"{where} must have a row for each image of {split}, and lacks")
    _require(rows < 2, wanted, f"{where} must have one row an image, and has several for")  # noqa: PLR2004
    if others:
        logger.info("%s: %s rows are of no image of %s", where, f"{others:,}", split)
    if scaled:
        logger.warning(
            "%s: %s of %s embeddings were not of unit length, and are scaled to it: what is "
            "compared is the cosine",
            *(where, f"{scaled:,}", f"{len(vectors):,}"),
        )
    if len(vectors) > 1 and not np.ptp(vectors, axis=0).any():
        logger.warning("%s: all embeddings are the same; every ranking is that of image ids", where)
    return torch.from_numpy(vectors)


def embedding_blocks(path: Path) -> Iterator[IdsAndVectors]:
    """Yields what a file or folder holds, some thousand rows at a time, and holds no more.

    Raises:
        InputError: it cannot be read or has other columns, or vectors differ in length.
    """
    width, where, is_here = None, _shown(path), not address_of(path)
    is_array = path.suffix == ".npy" and is_here
    try:
        for ids, block in _array_blocks(path) if is_array else _parquet_blocks(path):
            width = block.shape[1] if width is None else width
            if not block.shape[1] or block.shape[1] != width:
                raise InputError(
                    f"{where}: every embedding must have {width or 'some'} numbers, as the first "
                    f"has, got {block.shape[1]} for image {ids[0]}; write what the model gives"
                )
            yield ids, block
    except _UNREADABLE as error:
        mend = (
            "write them once more, with pyarrow.parquet.write_table, or numpy.save and ids in a "
            ".txt of UTF-8, one a line"
        )
        mend = mend if is_here else "check the address and your credentials, then rerun"
        raise InputError(
            f"cannot read embeddings {where}: {str(error).rstrip('.')}; {mend}"
        ) from error


def unit_vectors(
    block: NDArray[np.floating[Any]], ids: pa.StringArray, source: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scales embeddings to unit length.

    Args:
        block: (n, D)
        ids: (n,) of the images.
        source: where they are from, for an error.

    Returns:
        (n, D) float32, and (n,) float32 the lengths that they had.

    Raises:
        InputError: one is zero, or not finite.
    """
    import torch

    vectors, lengths = torch.empty(block.shape), torch.empty(len(block))
    for start in range(0, len(block), _IN_CACHE):
        rows = slice(start, start + _IN_CACHE)
        native = block[rows].astype(block.dtype.newbyteorder("="))  # all that torch takes
        vectors[rows] = torch.from_numpy(native)
        torch.linalg.vector_norm(vectors[rows], dim=1, out=lengths[rows])
        vectors[rows] /= lengths[rows, None]
    what = f"{source}: every embedding must be finite and other than zero, and is not for"
    _require((lengths.isfinite() & (lengths > 0)).numpy(), ids, what)
    return vectors.numpy(), lengths.numpy()


def embeddings_digest(path: Path) -> str:
    """Returns the SHA-256, as hex, of what `read_embeddings` reads.

    Raises:
        InputError: there is no such file.
        FetchError: an object store has none, or cannot be reached.
    """
    if store := _store_of(path):
        names = sorted(PurePosixPath(name) for name in store.sizes() if name.endswith(".parquet"))
        return _digest_of([store.digest(str(name)) for name in names] or [store.digest("")])
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if path.suffix == ".npy":
        files.append(path.with_suffix(".txt"))
    try:
        digests = [file_digest(file) for file in files]
    except OSError as error:
        raise InputError(
            f"cannot read {error.filename}: {error.strerror}; name a file that is there; the "
            f"image ids of an .npy are in a .txt beside it, one a line"
        ) from error
    return _digest_of(digests)


def embedding_dataset(path: Path) -> pds.Dataset:
    """Opens a parquet file or a folder of them, on the disk or at an object store.

    Raises:
        InputError: the address of the store is not understood, or of an `.npy`.
        OSError: there is no such file.
    """
    store = _store_of(path)
    is_folder = path.is_dir() if store is None else bool(store.sizes())
    place, files = (str(path), None) if store is None else (store.root, store.files)
    return pds.dataset(place, filesystem=files, format="parquet", exclude_invalid_files=is_folder)


def _store_of(path: Path) -> Store | None:
    """Returns the object store that a path is an address of, or None."""
    if not (address := address_of(path)):
        return None
    store = open_store(address)
    if store.root.endswith(".npy"):
        raise InputError(
            f"{store.base} must be parquet, because an .npy is mapped from the disk; fetch it and "
            f"its ids to a folder"
        )
    return store


def _shown(path: Path) -> str:
    """Returns a path for messages; an address without its query."""
    return redacted(address_of(path)).partition("?")[0] or str(path)


def _digest_of(digests: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _array(path: Path) -> NDArray[np.floating[Any]]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):  # noqa: PLR2004 - (N, D)
        raise InputError(
            f"{path} must hold floating-point numbers (N, D), got {array.dtype} {array.shape}; "
            f"convert it, such as with .astype('float32'), a row an image"
        )
    return array  # type: ignore[no-any-return]


def _array_blocks(path: Path) -> Iterator[IdsAndVectors]:
    names = path.with_suffix(".txt")
    # Some editors put a mark before the first id, and empty lines after the last.
    with names.open(encoding="utf-8-sig") as lines:
        count = max((number for number, line in enumerate(lines, 1) if line.strip()), default=0)
    rows = len(_array(path))
    if count != rows:
        raise InputError(
            f"{names} must have a line for each of the {rows:,} rows of {path.name}, got "
            f"{count:,}; write the id of each row, in their order and without a heading, or "
            f"turn an array that has a column an id"
        )
    with names.open(encoding="utf-8-sig") as lines:
        for start in range(0, rows, _BLOCK):
            # Mapped anew, since what was read of a map stays in memory with it.
            block = _array(path)[start : start + _BLOCK]
            ids = [line.strip() for line in islice(lines, len(block))]
            yield pa.array(ids, pa.string()), block


def _parquet_blocks(path: Path) -> Iterator[IdsAndVectors]:
    source, where = embedding_dataset(path), _shown(path)
    kinds = {field.name: field.type for field in source.schema}
    if not {"image_id", "embedding"} <= kinds.keys():
        raise InputError(
            f"{where} must have columns image_id and embedding, got "
            f"{', '.join(kinds) or 'no parquet file'}; rename yours, or write an .npy and its ids"
        )
    kind = kinds["embedding"]
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_fixed_size_list(kind)) or not pa.types.is_floating(
        kind.value_type
    ):
        raise InputError(
            f"{where}: embedding must be a list of floating-point numbers, got {kind}; convert it "
            f"before it is written"
        )
    # A picture that could not be embedded has a row and no embedding, as `hgld index` leaves it.
    there = pc.field("embedding").is_valid()
    for batch in source.to_batches(
        columns=["image_id", "embedding"],
        filter=there,
        batch_size=_BLOCK,
        # As it is by default, 762,000 rows of 512 numbers peak at 4.4 GB, and so at 2.8.
        batch_readahead=1,
        fragment_readahead=1,
        fragment_scan_options=pds.ParquetFragmentScanOptions(pre_buffer=False),
    ):
        if not len(batch):
            continue
        ids, column = batch["image_id"].cast(pa.string()), batch["embedding"]
        widths = pc.list_value_length(column).to_numpy()
        what = f"{where}: every embedding must have {widths[0]} numbers, as the first has, unlike"
        _require(widths == widths[0], ids, what)
        # What is no number is refused as not finite.
        numbers = column.flatten().fill_null(math.nan).to_numpy()
        yield ids, numbers.reshape(len(batch), int(widths[0]))


def _require(is_right: NDArray[np.bool_], ids: pa.StringArray, what: str) -> None:
    """Refuses images that are not right.

    Raises:
        InputError: how many these are, and which are the first.
    """
    rows = np.flatnonzero(~is_right)
    if len(rows):
        names = ", ".join(map(str, ids.take(pa.array(rows[:_SHOWN])).to_pylist()))
        names += ", ..." if len(rows) > _SHOWN else ""
        raise InputError(
            f"{what} {len(rows):,} of {len(ids):,} images: {names}; embed each image once, and "
            f"look for failed ones or a diverged model"
        )
