"""The tables of a build: folders of shards with a schema, and conforming rows to it."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from hgld.errors import InputError


class Level(NamedTuple):
    """One level of the hierarchy of labels in the rows of a table."""

    column: str
    """The column with the label."""
    name: str
    """Used in the names of metrics, such as `map_at_100_landmark`."""
    title: str
    """Shown to readers."""
    shared: str
    """Shown to readers for two pictures that share the label."""


class ParquetLayout(NamedTuple):
    """The layout of a table's files, for readers that depend on it."""

    rows_per_group: int | None = None
    """Rows per row group; None: Arrow's default."""
    plain: tuple[str, ...] = ()
    """Columns without a dictionary, because their values hardly repeat."""
    sorted_by: tuple[str, ...] = ()
    """Columns that the rows are sorted by, the most significant first."""


DEFAULT_LAYOUT = ParquetLayout()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Parquet shards with one schema, written by one stage."""

    path: str
    """Relative to the workspace: the folder of its shards; the pattern of their names in a shared
    folder (`annotations/data/train-*.parquet`); or the name of its only file."""
    stage: str
    """Name of the stage that writes it."""
    schema: pa.Schema
    levels: tuple[Level, ...] = ()
    """Levels of its labels, two or more, the finest (the landmark) first; empty without labels.
    They describe columns and are not stored in the files."""
    layout: ParquetLayout = DEFAULT_LAYOUT

    def shard_path(self, shard: str) -> str:
        """Returns the path of a shard, relative to the workspace."""
        return shard_pattern(self.path).replace("*", shard)

    def own(self, names: Iterable[str]) -> list[str]:
        """Returns those of some paths, relative to the workspace, that are its shards."""
        pattern = shard_pattern(self.path)
        return [name for name in names if PurePosixPath(name).match(pattern)]


def shard_pattern(path: str) -> str:
    """Returns the glob pattern of a data set's shards, from its path.

    Example:
        >>> shard_pattern("labels/classes"), shard_pattern("annotations/landmarks.parquet")
        ('labels/classes/*.parquet', 'annotations/landmarks.parquet')
    """
    return path if path.endswith(".parquet") else f"{path}/*.parquet"


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns `table` with exactly the columns, types and nullability of `schema`.

    Raises:
        ValueError: a column is missing or extra, cannot be cast, or has a forbidden null.
    """
    if set(table.column_names) != set(schema.names):
        difference = sorted(set(table.column_names) ^ set(schema.names))
        raise ValueError(f"columns must be {schema.names}; missing or extra: {difference}")
    return table.select(schema.names).cast(schema)


def write_shard(table: pa.Table, path: Path, layout: ParquetLayout = DEFAULT_LAYOUT) -> None:
    """Writes rows as parquet: zstd, with a page index and page checksums.

    Args:
        table: the rows, sorted as the layout says.
        path: the file.
        layout: of the file.
    """
    order = [(name, "ascending") for name in layout.sorted_by]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=3,
        row_group_size=layout.rows_per_group,
        use_dictionary=[name for name in _leaves(table.schema) if name not in layout.plain],
        sorting_columns=pq.SortingColumn.from_ordering(table.schema, order) or None,
        write_page_index=True,
        write_page_checksum=True,
    )


def _leaves(schema: pa.Schema) -> list[str]:
    """Returns the leaf columns of a parquet file; those in lists and structs as paths."""
    sink = pa.BufferOutputStream()
    pq.write_metadata(schema, sink)
    columns = pq.read_metadata(pa.BufferReader(sink.getvalue())).schema
    return [columns.column(place).path for place in range(len(columns))]


def read_csv(
    path: Path, columns: Mapping[str, pa.DataType], *, unique: str | None = None
) -> pa.Table:
    """Reads the named columns of a UTF-8 CSV file.

    Args:
        path: the file; a byte order mark and extra columns are accepted.
        columns: name to type of the columns to read, in the order wanted.
        unique: a column whose values must not repeat.

    Returns:
        A table with those columns; an empty field is an empty string, or null if the type is not a
        string.

    Raises:
        InputError: no such file, not UTF-8, a missing column, a field of another type, a row with
            too few or too many fields, or a repeated value.
    """
    try:
        table = pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(columns), column_types=dict(columns), strings_can_be_null=False
            ),
        )
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (KeyError, pa.ArrowInvalid) as error:
        needed = ", ".join(columns)
        raise InputError(f"{path} cannot be read as CSV with columns {needed}: {error}") from error
    if unique is not None and (value := first_repeated(table[unique])) is not None:
        raise InputError(f"{path}: {unique} {value} is in several rows; keep one")
    return table


def first_repeated(values: pa.ChunkedArray) -> str | None:
    """Returns the first repeated value as text, or None."""
    counts = pc.value_counts(values)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return str(repeated[0]) if len(repeated) else None


def read_stable(shard: Path | pa.BufferReader, schema: pa.Schema) -> pa.Table:
    """Reads a shard without its volatile columns, which differ between otherwise equal runs."""
    stable = [field.name for field in schema if b"volatile" not in (field.metadata or {})]
    return pq.read_table(shard, columns=stable, partitioning=None)


def rows_digest(table: pa.Table) -> str:
    """Returns the SHA-256 of a table's rows and columns, as hex, whatever its chunks."""
    table = table.replace_schema_metadata()
    hasher = hashlib.sha256()
    with pa.ipc.new_stream(_Hashing(hasher), table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hasher.hexdigest()


class _Hashing(io.RawIOBase):
    """A file that only feeds a hash."""

    def __init__(self, hasher: "hashlib._Hash") -> None:
        self._hasher = hasher

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any bytes
        self._hasher.update(data)
        return len(data)
