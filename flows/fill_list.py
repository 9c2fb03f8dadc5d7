"""Labels for a bare list of categories, learned from another list: `hgld fill --labelled FILE`."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.files import atomic_file
from hgld.errors import InputError
from hgld.flows.label_list import csv_errors
from hgld.labels.fills.explaining import told_guesses
from hgld.labels.fills.guessing import Document, KnownLandmarks, guess
from hgld.labels.fills.lexicon import name_of_category, read_lexicon
from hgld.labels.fills.stage import FillConfig
from hgld.labels.scikit_learn import one_thread

FILLED_LIST = "fills.parquet"
"""The file that is made, in the folder of the list."""

_SIDES = ("natural", "human-made")
_DELIMITERS = (",", ";", "\t")
_LABELLED = ("category", "hierarchical_label", "natural_or_human_made")
_SCHEMA = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),  # as the list has it
        pa.field("hierarchical_label", pa.string(), nullable=False),  # the guess, however sure
        pa.field("natural_or_human_made", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),  # how often such a guess is right
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # words; labelled: the other list has it
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """A list of categories with their labels."""

    label_of: dict[str, str]
    """Name of a category, however written, to its label; empty: it is known to have none."""
    sides: dict[str, str]


def fill_list(labelled: Path, categories: Path, out: Path, config: FillConfig) -> Path:
    """Guesses the super-category of each category of a list by its name.

    Args:
        labelled: a CSV file with the columns category, hierarchical_label and
            natural_or_human_made; blank: known to have none. A comma, semicolon or tab is between
            cells.
        categories: a CSV file with the column category: URLs or titles, with `Category:` or
            without.
        out: the folder to write; it is made.
        config: the settings; pictures do not count here.

    Returns:
        The file: a row for each category, in order, its guess and how often such a guess is right.

    Raises:
        InputError: a file cannot be read, or a row is not clear, which the text names; or the
            folder cannot be made.
        MissingInputError: the extra `cluster` is not installed.
    """
    known = _read_labelled(labelled)
    asked = [cells["category"] for _, cells in _csv_rows(categories, ("category",))]
    if len(known.sides) < 2:  # noqa: PLR2004 - the fewest that one can choose from
        raise InputError(
            f"{labelled} must have two super-categories or more to choose from, got "
            f"{len(known.sides)}; add rows of others"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)  # before minutes of work, not after
    except OSError as error:
        raise InputError(f"{out} must be a folder that can be made: {error.strerror}") from error
    with one_thread("fill"):
        table = _guessed(known, asked, config.precision)
    path = out / FILLED_LIST
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary)
    return path


def _guessed(known: _Labelled, asked: Sequence[str], precision: float) -> pa.Table:
    lexicon = read_lexicon()
    learned = KnownLandmarks(
        documents=[Document((name,)) for name in known.label_of],
        truth=list(known.label_of.values()),
        labels=sorted(known.sides),
    )
    documents = [Document((name_of_category(each),)) for each in asked]
    guesses = guess(learned, documents, {}, lexicon=lexicon, precision=precision)
    told = told_guesses(documents, learned, guesses, lexicon, precision)
    rows = []
    for category, each in zip(asked, told, strict=True):
        label, given = known.label_of.get(name_of_category(category), ""), each
        if label:
            given = {"confidence": 1.0, "evidence": "labelled in the list", "method": "labelled"}
        label = label or each["best_guess"]
        rows.append(
            {"category": category, "hierarchical_label": label}
            | {"natural_or_human_made": known.sides[label]}
            | {name: given[name] for name in ("confidence", "evidence", "method")}
        )
    return pa.Table.from_pylist(rows, _SCHEMA)


def _read_labelled(path: Path) -> _Labelled:
    label_of: dict[str, str] = {}
    sides: dict[str, str] = {}
    row_of: dict[str, int] = {}
    for number, cells in _csv_rows(path, _LABELLED):
        category, label, side = (cells[name] for name in _LABELLED)
        if bool(label.strip()) != bool(side.strip()) or (label.strip() and side not in _SIDES):
            raise InputError(
                f"{path} row {number} must have a hierarchical_label with natural or human-made, "
                f"or neither, got {label!r} and {side!r}; mend it"
            )
        label = label if label.strip() else ""
        name = name_of_category(category)
        if label_of.setdefault(name, label) != label:
            raise InputError(
                f"{path} row {number} must give {name} the label that row {row_of[name]} does, "
                f"{label_of[name]!r}, got {label!r}; keep one of the two"
            )
        row_of.setdefault(name, number)
        if label and sides.setdefault(label, side) != side:
            raise InputError(
                f"{path} row {number} must have {sides[label]} for {label!r}, as an earlier row "
                f"does, got {side}; change one of the two"
            )
    return _Labelled(label_of=label_of, sides=sides)


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a CSV file, each with its number as a spreadsheet shows it."""
    with csv_errors(path), path.open(encoding="utf-8-sig", newline="") as file:
        between = _delimiter(file.readline(), columns)
        file.seek(0)
        reader = csv.DictReader(file, delimiter=between, strict=True)
        header = list(reader.fieldnames or ())
        if wrong := [name for name in columns if header.count(name) != 1]:
            raise InputError(
                f"{path} row 1 must have the column {wrong[0]} once, got "
                f"{', '.join(header) or 'an empty file'}"
            )
        number = 1
        try:
            for number, row in enumerate(reader, 2):
                # A spreadsheet leaves empty ones at the end.
                if any(isinstance(cell, str) and cell.strip() for cell in row.values()):
                    _check_row(path, number, row, columns)
                    yield number, row
        except csv.Error as error:
            raise csv.Error(f"row {number + 1}: {error}; is its quote closed?") from error
        if number == 1:
            raise InputError(f"{path} must have a row below row 1, got none; add a category")


def _check_row(
    path: Path, number: int, row: Mapping[str | None, str | None], columns: Sequence[str]
) -> None:
    if None in row or None in row.values():
        raise InputError(
            f"{path} row {number} must have as many cells as the first row; put a text with a "
            f"comma between quotes"
        )
    if any("\n" in (row[name] or "") for name in columns):
        raise InputError(f"{path} row {number} has a cell that goes on in the next line; close it")
    if not name_of_category(row["category"] or ""):
        raise InputError(
            f"{path} row {number} must have a category, got {row['category'] or 'none'}"
        )


def _delimiter(first_line: str, columns: Sequence[str]) -> str:
    """Returns what stands between the cells of a file; a spreadsheet may have put semicolons."""
    for each in _DELIMITERS:
        if {*columns}.issubset(next(csv.reader([first_line], delimiter=each), [])):
            return each
    return _DELIMITERS[0]
