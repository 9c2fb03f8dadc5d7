"""Embeddings that any program made: read from files, checked, and put in the order of a split.

Parquet, a file or a folder of files: a column `image_id` and a column `embedding`, lists of
floating-point numbers, as `hgld index` writes them. Or a numpy array `NAME.npy`, (N, D), and beside
it `NAME.txt` with the image id of each row on a line of its own.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.engine.files import file_digest
from hgld.errors import InputError

logger = logging.getLogger(__name__)

# Of 512 dimensions 32 MB: what is read is copied to its place block by block.
_BLOCK = 16_384
# Of a length; float16 rounds the length of 2,048 dimensions by about 2e-4.
_TOLERANCE = 1e-2
_SHOWN = 3
_READING = (OSError, pa.ArrowException, ValueError)


def read_embeddings(path: Path, image_ids: Sequence[str], *, split: str) -> Tensor:
    """Reads the embeddings of images, whichever order they are in.

    Memory is that of what is returned and of a row group. The log says how many rows are of other
    images, and how many were not of unit length and are scaled to it.

    Args:
        path: a parquet file, a folder of them, or an `.npy` with its ids beside it.
        image_ids: N of them, unique.
        split: what the images are called in an error.

    Returns:
        (N, D) float32, unit norm, in the order of the ids.

    Raises:
        InputError: the file cannot be read or has other columns; an image is missing or has
            several rows; vectors differ in length, are zero, or are not finite.
    """
    wanted = pa.array(image_ids, pa.string())
    rows = np.zeros(len(wanted), np.int64)
    vectors: NDArray[np.float32] | None = None
    left_out, found = 0, ""
    try:
        for ids, block in _blocks(path):
            if vectors is None:
                vectors = np.zeros((len(wanted), block.shape[1]), np.float32)
            if block.shape[1] != vectors.shape[1]:
                raise InputError(
                    f"{path}: every embedding must have {vectors.shape[1]} numbers, as the first "
                    f"has, got {block.shape[1]} for image {ids[0]}"
                )
            places = pc.index_in(ids, value_set=wanted)
            known = places.is_valid().to_numpy(zero_copy_only=False)
            at = places.drop_null().to_numpy()
            np.add.at(rows, at, 1)
            vectors[at] = block[known]
            left_out += len(ids) - len(at)
            found = found or str(ids[0])
    except _READING as error:
        raise InputError(f"cannot read embeddings {path}: {error}") from error
    _require_one_each(path, wanted, rows, split, found)
    if vectors is None:  # and no image was asked for
        vectors = np.zeros((0, 1), np.float32)
    scaled = _scale(path, wanted, vectors)
    if left_out:
        logger.info("%s: %d rows are of other images than those of %s", path, left_out, split)
    if scaled:
        logger.warning(
            "%s: %d of %d embeddings were not of unit length, and are scaled to it: what is "
            "compared is the cosine",
            *(path, scaled, len(vectors)),
        )
    return torch.from_numpy(vectors)


def embeddings_digest(path: Path) -> str:
    """Returns the SHA-256, as hex, of what `read_embeddings` reads.

    Raises:
        InputError: there is no such file.
    """
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if path.suffix == ".npy":
        files.append(path.with_suffix(".txt"))
    try:
        digests = [file_digest(file) for file in files]
    except OSError as error:
        raise InputError(
            f"cannot read embeddings {error.filename}: {error.strerror}; of an .npy the image ids "
            f"are in a .txt beside it, one a line"
        ) from error
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _blocks(path: Path) -> Iterator[tuple[pa.StringArray, NDArray[np.floating[Any]]]]:
    """Yields image ids (n,) and their embeddings (n, D), as they are in the file."""
    return _array_blocks(path) if path.suffix == ".npy" else _parquet_blocks(path)


def _array_blocks(path: Path) -> Iterator[tuple[pa.StringArray, NDArray[np.floating[Any]]]]:
    names = path.with_suffix(".txt")
    try:
        lines = names.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise InputError(
            f"{path} needs the image ids of its rows in {names.name} beside it, one a line"
        ) from error
    ids = pa.array([line.strip() for line in lines], pa.string())
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):  # noqa: PLR2004 - (N, D)
        raise InputError(
            f"{path} must hold floating-point numbers (N, D), got {array.dtype} {array.shape}"
        )
    if len(ids) != len(array):
        raise InputError(
            f"{names} must have a line for each of the {len(array):,} rows of {path.name}, got "
            f"{len(ids):,}"
        )
    for start in range(0, len(array), _BLOCK):
        yield ids[start : start + _BLOCK], array[start : start + _BLOCK]


def _parquet_blocks(path: Path) -> Iterator[tuple[pa.StringArray, NDArray[np.floating[Any]]]]:
    source = pds.dataset(path, format="parquet", exclude_invalid_files=path.is_dir())
    kinds = {field.name: field.type for field in source.schema}
    missing = {"image_id", "embedding"} - kinds.keys()
    if missing or not kinds:
        raise InputError(
            f"{path} must have columns image_id and embedding, got "
            f"{', '.join(kinds) or 'no parquet file'}; rename yours, or write an .npy and its ids"
        )
    kind = kinds["embedding"]
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_fixed_size_list(kind)) or not pa.types.is_floating(
        kind.value_type
    ):
        raise InputError(
            f"{path}: embedding must be a list of floating-point numbers, got {kind}; convert it "
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
        if len(batch):
            yield batch["image_id"].cast(pa.string()), _matrix(path, batch)


def _matrix(path: Path, batch: pa.RecordBatch) -> NDArray[np.floating[Any]]:
    """Returns the embeddings of a batch as (n, D)."""
    column = batch["embedding"]
    widths = pc.list_value_length(column).to_numpy()
    other = np.flatnonzero(widths != widths[0])
    if len(other) or not widths[0]:
        row = int(other[0]) if len(other) else 0
        raise InputError(
            f"{path}: every embedding must have {widths[0] or 'at least 1'} numbers, as the first "
            f"has, got {widths[row]} for image {batch['image_id'][row]}"
        )
    numbers = column.flatten()
    if numbers.null_count:
        row = int(np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False))[0]) // widths[0]
        raise InputError(
            f"{path}: every embedding must be whole, and that of image {batch['image_id'][row]} "
            f"lacks a number"
        )
    matrix: NDArray[np.floating[Any]] = numbers.to_numpy().reshape(len(batch), -1)
    return matrix


def _require_one_each(
    path: Path, wanted: pa.StringArray, rows: NDArray[np.int64], split: str, found: str
) -> None:
    """Refuses files that lack an image, or have it twice.

    Raises:
        InputError: the text names the first ones.
    """
    missing, twice = (np.flatnonzero(where) for where in (rows == 0, rows > 1))
    if len(wanted) and len(missing) == len(wanted):
        has = f"its first id is {found!r}" if found else "it has no rows"
        raise InputError(
            f"{path} has none of the {len(wanted):,} images of {split}: {has}, where ids such as "
            f"{wanted[0].as_py()!r} are wanted; give the queries' file first and the index's second"
        )
    if len(missing):
        raise InputError(
            f"{path} lacks {len(missing):,} of the {len(wanted):,} images of {split}: "
            f"{_named(wanted, missing)}; embed these as well, or leave them out of the labels"
        )
    if len(twice):
        raise InputError(
            f"{path} must have one row for each image of {split}, and has several for "
            f"{len(twice):,}: {_named(wanted, twice)}; keep one of each"
        )


def _scale(path: Path, wanted: pa.StringArray, vectors: NDArray[np.float32]) -> int:
    """Scales vectors to unit length, in place, and returns how many were of another.

    Raises:
        InputError: one is zero, or not finite.
    """
    blocks = [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
    each = (np.linalg.norm(block.astype(np.float64), axis=1) for block in blocks)
    lengths = np.concatenate([np.empty(0), *each])
    for what, where in (("finite", ~np.isfinite(lengths)), ("other than zero", lengths == 0)):
        rows = np.flatnonzero(where)
        if len(rows):
            raise InputError(
                f"{path}: every embedding must be {what}, and {len(rows):,} of {len(lengths):,} "
                f"are not: {_named(wanted, rows)}; look for a failed image or a diverged model"
            )
    vectors /= lengths[:, None].astype(np.float32)
    return int((np.abs(lengths - 1) > _TOLERANCE).sum())


def _named(ids: pa.StringArray, rows: NDArray[np.int64]) -> str:
    names = ids.take(pa.array(rows[:_SHOWN])).to_pylist()
    return ", ".join(names) + (", ..." if len(rows) > _SHOWN else "")
