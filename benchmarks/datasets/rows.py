"""Rows of official text files, read strictly: what is wrong is one error that names the file."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from hgld.errors import InputError


def read_rows(
    path: Path, columns: Mapping[str, pa.DataType], *, has_header: bool = False
) -> pa.Table:
    """Reads a text file of a row a line and a blank between two fields.

    Args:
        path: a UTF-8 file.
        columns: all of its columns, in their order.
        has_header: the first line names them.

    Raises:
        InputError: the file cannot be read, has other columns or no rows, or a field is not of its
            column's type.
    """
    try:
        rows = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(column_names=None if has_header else list(columns)),
            parse_options=pacsv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pacsv.ConvertOptions(column_types=columns, null_values=[]),
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{path} must be the official file, with {' '.join(columns)} on a line, and reading it "
            f"gives: {error}; fetch it again, or name the folder that holds it"
        ) from error
    if rows.column_names != list(columns):
        raise InputError(
            f"{path}: the first line must be {' '.join(columns)!r}, got "
            f"{' '.join(rows.column_names)!r}; fetch the file again"
        )
    require_some(path, rows)
    return rows


def require_some(path: Path, rows: Sequence[object]) -> None:
    """Refuses a file that has no rows.

    Raises:
        InputError: it has none.
    """
    if not len(rows):
        raise InputError(f"{path} must list images, and is empty; fetch the file again")


def require_once(path: Path, what: str, values: Iterable[object]) -> None:
    """Refuses values of which one is there twice.

    Args:
        path: the file that has them.
        what: one of them, such as `image`.
        values: all of them.

    Raises:
        InputError: the first that is, and how often.
    """
    value, count = next(iter(Counter(values).most_common(1)), ("", 0))
    if count > 1:
        raise InputError(f"{path}: {what} {value} is listed {count} times; keep one")


def require_tree(path: Path, rows: pa.Table, finer: str, coarser: str) -> None:
    """Refuses labels of which one lies in two of the coarser level.

    Args:
        path: where they are from, as the error names it.
        rows: with both columns.
        finer: a column.
        coarser: another, which has to follow from it.

    Raises:
        InputError: the first label that lies in two.
    """
    pairs = rows.group_by([finer, coarser]).aggregate([]).sort_by([(finer, "ascending")])
    counts = pc.value_counts(pairs[finer])
    split = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(split):
        label = split[0]["values"]
        parents = pairs.filter(pc.equal(pairs[finer], label))[coarser].to_pylist()
        raise InputError(
            f"{path}: each {finer} must lie in one {coarser}, and {label} lies in "
            f"{' and '.join(map(str, sorted(parents)))}; correct one of its rows"
        )
