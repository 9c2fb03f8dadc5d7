"""Rows of official text files, read strictly: what is wrong is one error that names the line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.errors import InputError

Columns = Mapping[str, type[int] | type[str]]
"""Name to what its values are."""


def read_rows(path: Path, columns: Columns, *, has_header: bool = False) -> pa.Table:
    """Reads a text file of a row a line and a blank between two fields.

    Args:
        path: a UTF-8 file.
        columns: all of its columns, in their order.
        has_header: the first line names them.

    Returns:
        A row a line, int64 or string; lines with nothing on them are no rows.

    Raises:
        InputError: the file cannot be read or has no rows, a line has more or fewer fields, or a
            field is no whole number where one is due.
    """
    wanted = " ".join(columns)
    lines = [(place, line.split()) for place, line in enumerate(text_lines(path), 1)]
    lines = [(place, fields) for place, fields in lines if fields]
    if has_header and lines and lines[0][1] != list(columns):
        raise InputError(
            f"{path}: the first line must be {wanted!r}, got {' '.join(lines[0][1])!r}; fetch the "
            f"file again"
        )
    lines = lines[1:] if has_header else lines
    require_some(path, lines)
    for place, fields in lines:
        if len(fields) != len(columns):
            raise InputError(
                f"{path}:{place} must have {len(columns)} fields ({wanted}), got {len(fields)}: "
                f"{' '.join(fields)!r}; fetch the file again"
            )
    return pa.table(
        {
            name: _column(path, name, kind, [(place, fields[at]) for place, fields in lines])
            for at, (name, kind) in enumerate(columns.items())
        }
    )


def text_lines(path: Path) -> list[str]:
    """Returns the lines of a UTF-8 file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; put the official file there, or name the "
            f"folder that holds it"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be UTF-8 text ({error}); fetch the file again") from error


def require_some(path: Path, rows: Sequence[object]) -> None:
    """Refuses a file that has no rows.

    Raises:
        InputError: it has none.
    """
    if not rows:
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


def _column(
    path: Path, name: str, kind: type[int] | type[str], values: list[tuple[int, str]]
) -> pa.Array:
    if kind is str:
        return pa.array([value for _, value in values], pa.string())
    numbers = []
    for place, value in values:
        # Not `isdigit`, which takes digits that `int` does not read.
        if not (value.isascii() and value.isdecimal()):
            raise InputError(
                f"{path}:{place}: {name} must be a whole number, got {value!r}; fetch the file "
                f"again"
            )
        numbers.append(int(value))
    return pa.array(numbers, pa.int64())
