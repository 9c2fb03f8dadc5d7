"""Labels for a bare list of categories, learned from another list: `hgld fill --labelled FILE`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.files import atomic_file
from hgld.errors import InputError
from hgld.labels.fills.explaining import told_guesses
from hgld.labels.fills.guessing import Document, KnownLandmarks, guess
from hgld.labels.fills.lexicon import name_of_category, read_lexicon
from hgld.labels.scikit_learn import one_thread
from hgld.tables.csv_files import read_csv_list

FILLED_LIST = "fills.parquet"
"""The result, in the output folder."""

_SIDES = ("natural", "human-made")
_LABELLED = ("category", "hierarchical_label", "natural_or_human_made")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in _LABELLED),  # the best guess
        pa.field("confidence", pa.float32(), nullable=False),  # share of such guesses that is right
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # words; labelled: from the other list
    ]
)


class _Labelled(NamedTuple):
    """A list of categories with their labels."""

    label_of: dict[str, str]
    """Normalized name of a category to its label; empty: known to have none."""
    sides: dict[str, str]


def fill_list(labelled: Path, categories: Path, out: Path, precision: float) -> Path:
    """Guesses the super-category of each category of a list by its name.

    Args:
        labelled: a list (`read_csv_list`) with the columns category, hierarchical_label and
            natural_or_human_made; blank labels mean known to have none.
        categories: a list with the column category: URLs or titles, with or without `Category:`.
        out: the folder to write, created if missing.
        precision: share of the guesses above a method's threshold that must be right, 0 to 1.

    Returns:
        The file: one row per category, in order, with its best guess and confidence.

    Raises:
        InputError: a list cannot be read, a row is ambiguous (the text names it), or the folder
            cannot be created.
        MissingInputError: the extra `cluster` is not installed.
    """
    known = _read_labelled(labelled)
    asked = [(cells["category"], name) for _, name, cells in _rows(categories, ("category",))]
    if len(known.sides) < 2:  # noqa: PLR2004 - the fewest to choose from
        got = f"got {len(known.sides)}; add rows of others"
        raise InputError(f"{labelled} must have two or more super-categories, {got}")
    try:
        out.mkdir(parents=True, exist_ok=True)  # fails before minutes of work
    except OSError as error:
        raise InputError(f"cannot create the folder {out}: {error.strerror}") from error
    with one_thread("fill"):
        table = _guessed(known, asked, precision)
    path = out / FILLED_LIST
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary)
    return path


def _guessed(known: _Labelled, asked: Sequence[tuple[str, str]], precision: float) -> pa.Table:
    lexicon = read_lexicon()
    learned = KnownLandmarks(
        documents=[Document((name,)) for name in known.label_of],
        truth=list(known.label_of.values()),
        labels=sorted(known.sides),
    )
    documents = [Document((name,)) for _, name in asked]
    guesses = guess(learned, documents, {}, lexicon=lexicon, precision=precision)
    rows = []
    told = told_guesses(documents, learned, guesses, lexicon, precision, near={})
    for (category, name), row in zip(asked, told, strict=True):
        if label := known.label_of.get(name, ""):
            row |= {"confidence": 1.0, "evidence": "labelled in the list", "method": "labelled"}
        label = label or row["best_guess"]
        rows.append((category, label, known.sides[label], *(row[key] for key in _SCHEMA.names[3:])))
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), _SCHEMA)


def _read_labelled(path: Path) -> _Labelled:
    label_of, sides, place_of = dict[str, str](), dict[str, str](), dict[str, str]()
    for where, name, cells in _rows(path, _LABELLED):
        label, side = cells["hierarchical_label"], cells["natural_or_human_made"]
        if not (label.strip() or side.strip()):
            label = side = ""
        elif not label.strip() or side not in _SIDES:
            both = "a hierarchical_label with natural or human-made, or neither"
            raise InputError(f"{where} must have {both}, got {label!r} and {side!r}")
        if label_of.setdefault(name, label) != label:
            other = f"{label_of[name]!r} ({place_of[name]} says so)"
            raise InputError(
                f"{where} must give {name} {other}, got {label!r}; keep one of the two"
            )
        place_of.setdefault(name, where)
        if label and sides.setdefault(label, side) != side:
            other = f"{sides[label]} for {label!r}, like an earlier row"
            raise InputError(f"{where} must have {other}, got {side}; change one of the two")
    return _Labelled(label_of, sides)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yields the place, the name of the category and the cells of each row."""
    for row, cells in read_csv_list(path, columns):
        where = f"{path} row {row}"
        name = name_of_category(cells["category"])
        if not name:
            raise InputError(f"{where} must have a category, got {cells['category'] or 'none'}")
        yield where, name, cells
