"""The landmarks to scrape, from a user's CSV file; a line that is not clear is refused."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from hgld.errors import InputError
from hgld.tables import LANDMARKS

_SPLITS = ("train", "index")
_MOST_ID = (1 << 63) - 1


def read_categories(path: Path) -> pa.Table:
    """Reads the landmarks to scrape from a CSV file.

    Args:
        path: a UTF-8 file with the columns landmark_id and category, and perhaps split ("train"
            where there is none); others are left out.

    Returns:
        The rows of LANDMARKS' schema, in the order of the file.

    Raises:
        InputError: the file cannot be read, a column is missing or there twice, there is no row,
            or a row is not clear: the text names the line.
    """
    rows, line_of = [], dict[tuple[str, int], int]()
    for line, cells in _rows(path):
        where = f"{path} line {line}"
        number = cells["landmark_id"].strip()
        if not (number.isascii() and number.isdecimal() and int(number) <= _MOST_ID):
            raise InputError(f"{where} must have a landmark_id, 0 or more, got {number!r:.60}")
        landmark_id, split = int(number), cells.get("split", "train")
        if split not in _SPLITS:
            raise InputError(f"{where}: split must be one of {', '.join(_SPLITS)}, got {split!r}")
        before = line_of.setdefault((split, landmark_id), line)
        if before != line:
            raise InputError(
                f"{where} has landmark_id {landmark_id} of {split}, as line {before} has; keep one"
            )
        rows.append({"split": split, "landmark_id": landmark_id, "category": cells["category"]})
    if not rows:
        raise InputError(f"{path} has no landmark; put one on each line after the first")
    return pa.Table.from_pylist(rows, schema=LANDMARKS.schema)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the cells of each row by their columns, with the line it stands on."""
    lines = _lines(path)
    _, header = next(lines, (1, list[str]()))
    for column in ("landmark_id", "category", "split"):
        count = header.count(column)
        if count > 1 or (count == 0 and column != "split"):
            raise InputError(f"{path} line 1 must name the column {column} once, got {count} of it")
    for line, cells in lines:
        if len(cells) != len(header):
            raise InputError(
                f"{path} line {line} must have {len(header)} cells as line 1 has, got {len(cells)}"
            )
        yield line, dict(zip(header, cells, strict=True))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields each line that is not empty: its number and its cells."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for number, cells in enumerate(reader, 1):
                if reader.line_num > number:
                    raise InputError(
                        f"{path} line {number} goes on in the next one; close its quote"
                    )
                if cells:
                    yield number, cells
    except csv.Error as error:
        raise InputError(f"{path} line {number + 1} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}") from error
