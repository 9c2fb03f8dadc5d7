"""Any table of one's own: images with a column for each level of their labels."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as pds

from hgld.errors import InputError
from hgld.loading.labelled import LabelledSet, LabelledSplit
from hgld.loading.naming import RELEASE_LEVELS, OwnNames, is_text, level_names
from hgld.loading.reading import RowSource, parquet_rows, unreadable
from hgld.loading.release import shard_split

SPLIT_COLUMN = "split"
_ALONE = "train"


def own_set(
    tables: Mapping[str, object], where: str, levels: Sequence[str] | None, image: str
) -> LabelledSet:
    """Returns tables as splits, whose labels share their ids.

    Args:
        tables: split to a parquet or CSV file, or to anything that Arrow takes for a table (of
            Arrow, pandas, polars); `query` is called `test`. One alone under the name "" is
            divided by its column `split`; without such a column it is `train`.
        where: what was loaded, as errors name it.
        levels: columns of the labels, finest first; None: those of a release.
        image: the column of the images.

    Raises:
        InputError: a table cannot be read, or lacks a column.
        TypeError: it is no table, or levels are one text.
    """
    wanted = RELEASE_LEVELS if levels is None else level_names(levels)
    if {"query", "test"} <= tables.keys():
        raise InputError(f"{where} must have one table of queries, got query and test, which is it")
    sources = {name: _source(one, name or where, wanted, image) for name, one in tables.items()}
    for name, source in sources.items():
        _require(source, name or where, wanted, image, are_named=levels is not None)

    def columns(column: str) -> list[pa.ChunkedArray]:
        return [source.table([column])[column] for source in sources.values()]

    names = OwnNames(columns)
    make = partial(LabelledSplit, levels=wanted, image_column=image, names_of=names.of)
    if "" in sources and SPLIT_COLUMN in sources[""].schema.names:
        splits = _divided(sources[""], where, make)
    else:
        alone = shard_split(f"data/{Path(where).name}") or _ALONE
        called = {"query": "test", "": alone}
        splits = {
            called.get(name, name): make(name=called.get(name, name), source=source)
            for name, source in sources.items()
        }
    return LabelledSet(where=where, splits=splits)


def _divided(
    source: RowSource, where: str, make: Callable[..., LabelledSplit]
) -> dict[str, LabelledSplit]:
    """Returns the splits that a column of a table says."""
    values = pc.unique(source.table([SPLIT_COLUMN])[SPLIT_COLUMN]).to_pylist()
    if None in values:
        raise InputError(f"{where}: every row must have a {SPLIT_COLUMN}, and some have none")
    if {"query", "test"} <= set(values):
        raise InputError(
            f"{where}: queries must have one {SPLIT_COLUMN}, got query and test, which is it; "
            f"call all of them query"
        )
    splits = {}
    for value in values:
        name = "test" if value == "query" else str(value)
        splits[name] = make(name=name, source=source, chosen=pc.field(SPLIT_COLUMN) == value)
    return splits


def _source(table: object, where: str, levels: Sequence[str], image: str) -> RowSource:
    match table:
        case str() | Path():
            path = Path(table)
            if path.suffix == ".csv":
                return _in_memory(_read_csv(path, levels, image), str(path))
            return parquet_rows([str(path)], lambda: [str(path)])
        case pa.Table():
            return _in_memory(table, where)
        case _ if hasattr(table, "__arrow_c_stream__"):
            return _in_memory(pa.table(table), where)
        case _:
            raise TypeError(
                f"a table must be a parquet or CSV file, or one of Arrow, pandas or polars, got "
                f"{type(table).__name__}"
            )


def _in_memory(table: pa.Table, where: str) -> RowSource:
    """Returns a table's rows; its texts as plain ones, which every function of Arrow takes."""
    for place, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if is_text(kind) and kind != pa.string():
            table = table.set_column(place, field.name, _plain_texts(table.column(place)))
    return RowSource(files=[where], opener=lambda: pds.dataset(table))


def _plain_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowNotImplementedError:  # an Arrow that cannot cast views, as polars has them
        return pa.chunked_array([column.to_pylist()], pa.string())


def _read_csv(path: Path, levels: Sequence[str], image: str) -> pa.Table:
    """Reads a CSV file; ids of images are texts, whatever they look like, and blanks are null."""
    texts = {image: pa.string(), SPLIT_COLUMN: pa.string()}
    try:
        table = _typed(path, texts)
        guessed = [
            name for name in levels if name in table.column_names and not is_text(table[name].type)
        ]
        plain = _typed(path, texts | dict.fromkeys(guessed, pa.string())) if guessed else table
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    except OSError as error:
        raise unreadable(str(path), error) from error
    for place, name in enumerate(plain.column_names):
        if name in guessed and _is_written_so(table[name], plain[name]):
            plain = plain.set_column(place, name, table[name])
    return plain


def _is_written_so(values: pa.ChunkedArray, texts: pa.ChunkedArray) -> bool:
    """Says whether texts are whole numbers, which have an order, and nothing else.

    What looks like a date or a decimal is the name of a label all the same, and so are numbers that
    are not written as such: 007 and 7 are two labels.
    """
    if not pa.types.is_integer(values.type):
        return False
    return bool(values.cast(pa.string()).equals(texts))


def _typed(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    return pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(types), strings_can_be_null=True, null_values=[""]
        ),
    )


def _require(
    source: RowSource, where: str, levels: Sequence[str], image: str, *, are_named: bool
) -> None:
    """Refuses a table that lacks a column."""
    there = source.schema.names
    if twice := [name for name in (image, *levels) if there.count(name) > 1]:
        raise InputError(f"{where} must have one column {twice[0]}, got {there.count(twice[0])}")
    missing = [name for name in (image, *levels) if name not in there]
    if not missing:
        return
    how = "" if are_named else '; say which are: hgld.load(..., levels=("product", "category"))'
    raise InputError(
        f"{where} must have a column for the image ({image}) and for each level "
        f"({', '.join(levels)}), and lacks {', '.join(missing)} of {', '.join(there)}{how}, and "
        f'image="..." where that of the images is called otherwise'
    )
