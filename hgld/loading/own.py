"""Load the user's own tables: images with a column for each level of their labels."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as pds

from hgld.errors import InputError
from hgld.loading import reading
from hgld.loading.labelled import LabelledSet, LabelledSplit
from hgld.loading.reading import RowSource, levels_of

TABLE_ENDINGS = (".parquet", ".csv")
_SPLIT = "split"


def own_set(
    tables: Mapping[str, object], where: str, levels: Sequence[str] | None, image: str
) -> LabelledSet:
    """Returns tables as splits that share the ids of labels.

    Args:
        tables: split to a parquet or CSV file, or to a table of Arrow, pandas or polars; `query` is
            renamed to `test`. A single table with the key "" is divided by its column `split`;
            without that column it is `train`.
        where: name of the source, for errors.
        levels: columns of the labels, finest first; None: those of a release.
        image: the column of the images.

    Raises:
        InputError: no table, or one that cannot be read or lacks a column.
        TypeError: not a table, or levels is a single text.
    """
    if not tables:
        raise InputError("source must have at least one table, got none")
    wanted = levels_of(levels)
    sources = {name: _source(one, name or where, wanted, image) for name, one in tables.items()}
    for name, source in sources.items():
        _require(source, name or where, wanted, image)

    @functools.cache
    def names_of(_: str, column: str) -> pa.Array:
        return reading.sorted_names([source.table([column])[column] for source in sources.values()])

    whole = sources.get("")
    parts: dict[object, tuple[RowSource, pc.Expression | None]]
    if whole is not None and _SPLIT in whole.schema.names:
        values = pc.unique(whole.table([_SPLIT])[_SPLIT]).to_pylist()
        parts = {value: (whole, pc.field(_SPLIT) == value) for value in values}
    else:
        parts = {name or "train": (source, None) for name, source in sources.items()}
    if None in parts:
        raise InputError(f"{where}: every row must have a {_SPLIT}, but some have none")
    if {"query", "test"} <= parts.keys():
        raise InputError(f"{where} has both test and query, which mean the same; use only query")
    splits = {}
    for value, (source, chosen) in parts.items():
        name = "test" if value == "query" else str(value)
        splits[name] = LabelledSplit(name, wanted, image, source, names_of, chosen=chosen)
    return LabelledSet(where, splits)


def _source(table: object, where: str, levels: Sequence[str], image: str) -> RowSource:
    if isinstance(table, str | Path):
        path = str(table)
        if path.endswith(".csv"):
            return _in_memory(_read_csv(path, [image, _SPLIT, *levels]), path)
        return reading.parquet_rows([path], lambda: [path])
    if hasattr(table, "__arrow_c_stream__"):
        return _in_memory(pa.table(table), where)
    kinds = "a parquet or CSV file, or one of Arrow, pandas or polars"
    raise TypeError(f"a table must be {kinds}, got {type(table).__name__}")


def _in_memory(table: pa.Table, where: str) -> RowSource:
    """Returns the rows of a table, with all text as plain strings, which all of Arrow accepts."""
    for place, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if reading.is_text(kind) and field.type != pa.string():
            # Arrow 26 cannot cast a categorical column of polars.
            texts = pa.chunked_array([table.column(place).to_pylist()], pa.string())
            table = table.set_column(place, field.name, texts)
    return RowSource([where], lambda: pds.dataset(table))


def _read_csv(path: str, texts: Sequence[str]) -> pa.Table:
    """Reads a CSV file; blanks are null.

    Args:
        path: the file.
        texts: columns to read as text: ids of images, and labels, so that 007 and 7 differ.
    """
    types = dict.fromkeys(texts, pa.string())
    kinds = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    lines = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        return pa_csv.read_csv(path, parse_options=lines, convert_options=kinds)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    except OSError as error:
        raise reading.unreadable(path, error) from error


def _require(source: RowSource, where: str, levels: Sequence[str], image: str) -> None:
    """Refuses a table that lacks a column, or has one twice."""
    there = source.schema.names
    if twice := [name for name in (image, *levels) if there.count(name) > 1]:
        raise InputError(f"{where} must have one column {twice[0]}, got {there.count(twice[0])}")
    if missing := [name for name in (image, *levels) if name not in there]:
        what = f"{where} has no column {', '.join(missing)}, only {', '.join(there)}"
        mend = f"name those for image ({image}) and levels ({', '.join(levels)})"
        like = 'hgld.load(..., image="picture", levels=("product", "category"))'
        raise InputError(f"{what}; {mend}: {like}")
