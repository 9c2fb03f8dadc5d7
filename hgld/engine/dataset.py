"""What a table of a build is: a folder of shards with a schema, and how rows are held to it."""

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
    """A level of the hierarchy of labels that the rows of a table carry."""

    column: str
    """Of the table: the label."""
    name: str
    """In the names of metrics, such as `map_at_100_landmark`."""
    title: str
    """As a reader sees it."""
    shared: str
    """What a reader is told of two pictures that share it."""


class ParquetLayout(NamedTuple):
    """How the rows of a table lie in its files, where readers elsewhere depend on it."""

    rows_per_group: int | None = None
    """Of a row group; None: as many as Arrow takes."""
    plain: tuple[str, ...] = ()
    """Columns whose values hardly repeat; a dictionary of them would save nothing."""
    sorted_by: tuple[str, ...] = ()
    """Columns whose order the rows keep, the first one first."""


DEFAULT_LAYOUT = ParquetLayout()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Parquet shards with one schema, written by one stage."""

    path: str
    """Relative to the workspace: the folder of its shards, or, where it shares one, the pattern of
    their names (`annotations/data/train-*.parquet`), or the name of its only file."""
    stage: str
    """Name of the stage that writes it."""
    schema: pa.Schema
    levels: tuple[Level, ...] = ()
    """Of its labels, two or more, the finest (the landmark) first; none where rows have no labels.
    They say how columns are read and are no part of the files."""
    layout: ParquetLayout = DEFAULT_LAYOUT

    def shard_path(self, shard: str) -> str:
        """Returns where a shard lies, relative to the workspace."""
        return shard_pattern(self.path).replace("*", shard)

    def own(self, names: Iterable[str]) -> list[str]:
        """Returns which of some files, by their paths relative to the workspace, are its shards."""
        pattern = shard_pattern(self.path)
        return [name for name in names if PurePosixPath(name).match(pattern)]


def shard_pattern(path: str) -> str:
    """Returns the pattern of the shards of a data set, from its path.

    Example:
        >>> shard_pattern("labels/classes"), shard_pattern("annotations/landmarks.parquet")
        ('labels/classes/*.parquet', 'annotations/landmarks.parquet')
    """
    return path if path.endswith(".parquet") else f"{path}/*.parquet"


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns `table` with exactly the columns, types and nullability of `schema`.

    Raises:
        ValueError: a column is missing or extra, cannot be cast, or has a null it must not have.
    """
    if set(table.column_names) != set(schema.names):
        difference = sorted(set(table.column_names) ^ set(schema.names))
        raise ValueError(f"columns must be {schema.names}; missing or extra: {difference}")
    return table.select(schema.names).cast(schema)


def write_shard(table: pa.Table, path: Path, layout: ParquetLayout = DEFAULT_LAYOUT) -> None:
    """Writes rows as parquet: zstd, with an index of the pages and a checksum of each.

    Args:
        table: the rows, sorted as the layout says.
        path: the file.
        layout: how they lie in it.
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
    """Returns the columns of a parquet file, those inside of lists and structs by their paths."""
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
        A table with those columns; an empty field is an empty string or, where the type is no
        string, null.

    Raises:
        InputError: no such file, no UTF-8, a missing column, a field of another type, a row with
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
        raise InputError(f"{path}: {unique} {value} stands in several rows; keep one")
    return table


def first_repeated(values: pa.ChunkedArray) -> str | None:
    """Returns the first value that is there more than once, as text; None where none is."""
    counts = pc.value_counts(values)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return str(repeated[0]) if len(repeated) else None


def read_stable(shard: Path | pa.BufferReader, schema: pa.Schema) -> pa.Table:
    """Reads a shard without its volatile columns, which two runs that saw the same differ in."""
    stable = [field.name for field in schema if b"volatile" not in (field.metadata or {})]
    return pq.read_table(shard, columns=stable, partitioning=None)


def rows_digest(table: pa.Table) -> str:
    """Returns the SHA-256 of a table's rows and columns, as hex, however they lie in memory."""
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
