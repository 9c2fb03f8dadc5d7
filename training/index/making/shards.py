"""A shard of an index: a parquet file that knows of what it was made, and its own digest."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.engine.dataset import write_shard
from hgld.engine.files import atomic_file, writing
from hgld.errors import DamagedError
from hgld.pictures import DECODING

_VERSION = 1
"""Raised when the same picture becomes another embedding, so that no older shard is taken."""
_KEY, _RECIPE, _DIGEST = b"hgld.key", b"hgld.recipe", b"hgld.rows_digest"
_UNREADABLE = (OSError, pa.ArrowException, LookupError, TypeError, ValueError)

OK, BAD, FAILED = "ok", "bad", "failed"
"""What became of a picture: embedded; cannot be decoded; not to be had, and tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRecipe:
    """What decides the embedding of a picture, beside the picture."""

    model: str
    """Digest of its settings and weights."""
    image_size: int
    precision: str
    numbers: str
    dimensions: int

    def digest(self) -> str:
        """Returns its SHA-256 as hex."""
        values = [_VERSION, DECODING, self.model, self.image_size, self.precision, self.numbers]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def schema(self) -> pa.Schema:
        """Returns the columns of a shard."""
        number = pa.float16() if self.numbers == "float16" else pa.float32()
        return pa.schema(
            [
                # of GLDv2; of a folder the path
                pa.field("image_id", pa.string(), nullable=False),
                pa.field("path", pa.string()),  # relative to the folder, or to the build's
                pa.field("size_bytes", pa.int64()),
                # of a folder: when the file was changed, by which a later change is seen
                pa.field("modified_ns", pa.int64()),
                pa.field("sha256", pa.string()),  # of the file
                # ok | bad: it cannot be decoded | failed: it could not be read; the next run tries
                pa.field("status", pa.string(), nullable=False),
                pa.field("error", pa.string()),  # why, where it is not ok
                # unit norm; null unless ok
                pa.field("embedding", pa.list_(number, self.dimensions)),
            ]
        )


def shard_key(recipe: EmbeddingRecipe, rows: pa.Table) -> str:
    """Returns the SHA-256, as hex, of all that a shard's rows depend on.

    Args:
        recipe: how they are embedded.
        rows: of `LISTING_SCHEMA`.
    """
    return hashlib.sha256(f"{recipe.digest()} {_facts_digest(rows)}".encode()).hexdigest()


def index_shard_name(number: int, count: int) -> str:
    """Returns the file name of a shard.

    Example:
        >>> index_shard_name(0, 3)
        'embeddings-00000-of-00003.parquet'
    """
    return f"embeddings-{number:05d}-of-{count:05d}.parquet"


def write_index_shard(path: Path, key: str, recipe: EmbeddingRecipe, rows: pa.Table) -> None:
    """Writes a shard, whole or not at all.

    Args:
        path: the file.
        key: of what it was made.
        recipe: the same, without the pictures.
        rows: as its schema says.

    Raises:
        InputError: there is no room, or the file system refuses.
    """
    rows = rows.cast(recipe.schema())
    metadata = {
        _KEY: key.encode(),
        _RECIPE: recipe.digest().encode(),
        _DIGEST: _digest(rows).encode(),
    }
    with writing(path), atomic_file(path) as temporary:
        write_shard(rows.replace_schema_metadata(metadata), temporary)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShard:
    """A shard that is as it was written."""

    path: Path
    key: str
    recipe: str
    """Digest of the recipe."""
    rows: int
    ok: int
    bad: int

    @property
    def failed(self) -> int:
        """How many rows the next run tries again."""
        return self.rows - self.ok - self.bad


def check_index_shard(path: Path) -> IndexShard:
    """Reads a shard to its end, and says what it is.

    Raises:
        DamagedError: it is not as it was written.
    """
    try:
        rows = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        metadata = rows.schema.metadata
        if _digest(rows) != metadata[_DIGEST].decode():
            raise ValueError("it has other rows than were written")
        statuses = rows["status"].to_pylist()
        key, recipe = metadata[_KEY].decode(), metadata[_RECIPE].decode()
    except _UNREADABLE as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise DamagedError(f"{path} is damaged ({why})") from error
    counts = {"rows": len(rows), "ok": statuses.count(OK), "bad": statuses.count(BAD)}
    return IndexShard(path=path, key=key, recipe=recipe, **counts)


def _digest(rows: pa.Table) -> str:
    facts = _facts_digest(rows.drop_columns("embedding"))
    vectors = hashlib.sha256(np.ascontiguousarray(embeddings_of(rows)).data).hexdigest()
    return hashlib.sha256(f"{facts} {vectors}".encode()).hexdigest()


def _facts_digest(rows: pa.Table) -> str:
    """Returns a digest of texts and whole numbers, however they lie in memory."""
    values = [rows[name].to_pylist() for name in sorted(rows.column_names)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def embeddings_of(rows: pa.Table) -> NDArray[np.float32] | NDArray[np.float16]:
    """Returns the embeddings of the rows that are ok, (n, D), in their order."""
    column = rows.filter(pc.equal(rows["status"], OK))["embedding"].combine_chunks()
    width = column.type.list_size
    values: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(-1, width)


def embedding_column(
    vectors: NDArray[np.float32], is_there: NDArray[np.bool_], kind: pa.FixedSizeListType
) -> pa.Array:
    """Returns vectors as a column, null where there is none.

    Args:
        vectors: (n, D); where there is none, anything.
        is_there: (n,)
        kind: of the column.
    """
    number = np.float16 if kind.value_type == pa.float16() else np.float32
    flat = pa.array(vectors.astype(number, copy=False).reshape(-1), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind, mask=pa.array(~is_there))
