"""The five tables of a taxonomy, as CSV that a person can edit, and what must hold in them.

The tables lie beside this module; a folder with files of the same names and columns takes their
place as a whole, so that each line of the shipped ones can be changed, dropped or added to.
"""

import csv
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeVar, get_args

from hgld.errors import InputError
from hgld.labels.taxonomy.phrase import fold

T = TypeVar("T")

SHIPPED = Path(__file__).parent / "shipped"
"""The folder of the tables that ship."""

Action = Literal["accept", "ignore", "ask"]
"""A super-category is proposed; or to leave the class out, as it says nothing of looks; or a person
has to look."""

PhraseAction = Literal["ignore", "ask", "transparent"]
PhraseMatch = Literal["exact", "head", "start", "contains"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperCategory:
    """A line of `supercategories.csv`: one of the names that classes are assigned to."""

    hierarchical_label: str
    natural_or_human_made: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A line of `aliases.csv`: a noun that names things of a super-category in one language."""

    hierarchical_label: str
    language: str
    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """A line of `classes.csv`: what is known of one Wikidata class; no label unless accepted."""

    class_qid: str
    class_label: str
    action: Action
    hierarchical_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPoint:
    """A line of `cut_points.csv`: where a walk up the tree of subclasses ends, and with what.

    `accept` ends it with a super-category. `ignore` and `ask` end it with nothing: so much lies
    below an `entity` or a `temple` that to be below it says nothing of a class.
    """

    superclass_qid: str
    superclass_label: str
    action: Action
    hierarchical_label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnspecificPhrase:
    """A line of `unspecific.csv`: words that do not say what a thing looks like.

    `exact` is the whole label, `head` its last words, `start` its first, `contains` any. A
    `transparent` head (building, complex, group of) leaves the word to its modifier.
    """

    phrase: str
    match: PhraseMatch
    action: PhraseAction
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyTables:
    """All five tables, checked against each other, in the order of their files."""

    supercategories: tuple[SuperCategory, ...]
    aliases: tuple[Alias, ...]
    classes: tuple[ClassRow, ...]
    cut_points: tuple[CutPoint, ...]
    unspecific: tuple[UnspecificPhrase, ...]


Row = dict[str, str]
_Check = Callable[[Row], str]
"""What a row must have; empty where it has it."""


def _one_of(column: str, values: Collection[str]) -> _Check:
    return lambda row: (
        ""
        if row[column] in values
        else f"a {column} that is one of {', '.join(values)}, got {row[column]!r}"
    )


def _qid(column: str) -> _Check:
    return lambda row: (
        ""
        if re.fullmatch(r"Q[1-9]\d*", row[column])
        else f"a {column} such as Q16970, got {row[column]!r}"
    )


def _text(*columns: str) -> _Check:
    return lambda row: next(
        (f"a text in {column}, got {row[column]!r}" for column in columns if not fold(row[column])),
        "",
    )


def _known(labels: Collection[str]) -> _Check:
    """Checks that the label is one of the super-categories, where the row accepts at all."""

    def check(row: Row) -> str:
        label = row["hierarchical_label"]
        if row.get("action", "accept") != "accept":
            return f"no hierarchical_label, as it is not accepted, got {label!r}" if label else ""
        if label in labels:
            return ""
        return f"a hierarchical_label of supercategories.csv, to the letter, got {label!r}"

    return check


def _read(
    path: Path, kind: Callable[..., T], checks: Sequence[_Check], key: Callable[[Row], object]
) -> tuple[T, ...]:
    """Reads a table; its rows are checked, and no two have the same key."""
    columns = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the taxonomy's {path}: {error}; a folder of one's own holds all five "
            f"tables: copy the shipped ones and edit them"
        ) from error
    if reader.fieldnames != columns:
        raise InputError(
            f"{path} must begin with the line {','.join(columns)}, got "
            f"{','.join(reader.fieldnames or ())}"
        )
    first: dict[object, int] = {}
    found = []
    for row in reader:
        problem = f"{len(columns)} fields" if None in row or None in row.values() else ""
        problem = problem or next(filter(None, (check(row) for check in checks)), "")
        if not problem and (earlier := first.setdefault(key(row), reader.line_num)) != (
            reader.line_num
        ):
            problem = f"what no other line has, got the same as line {earlier}"
        if problem:
            raise InputError(f"{path}, line {reader.line_num}, must have {problem}; edit that line")
        found.append(kind(**row))
    return tuple(found)


def load_taxonomy_tables(folder: Path | None = None) -> TaxonomyTables:
    """Reads the tables of a taxonomy and checks them.

    Args:
        folder: of a user's own, with all five files; the shipped tables without it.

    Raises:
        InputError: a file, line or field that cannot be used, and what must hold.

    Example:
        >>> tables = load_taxonomy_tables()
        >>> len(tables.supercategories), tables.supercategories[0].hierarchical_label
        (78, 'agricultural land')
    """
    folder = folder or SHIPPED
    sides = _one_of("natural_or_human_made", ("natural", "human-made"))
    supercategories = _read(
        folder / "supercategories.csv",
        SuperCategory,
        [_text("hierarchical_label", "description"), sides],
        key=lambda row: row["hierarchical_label"],
    )
    known = _known({each.hierarchical_label for each in supercategories})
    action = _one_of("action", get_args(Action))
    match = _one_of("match", get_args(PhraseMatch))
    return TaxonomyTables(
        supercategories=supercategories,
        aliases=_read(
            folder / "aliases.csv",
            Alias,
            [_text("language", "alias"), known],
            key=lambda row: (row["language"], fold(row["alias"])),
        ),
        classes=_read(
            folder / "classes.csv",
            ClassRow,
            [_qid("class_qid"), action, known],
            key=lambda row: row["class_qid"],
        ),
        cut_points=_read(
            folder / "cut_points.csv",
            CutPoint,
            [_qid("superclass_qid"), action, known, _text("reason")],
            key=lambda row: row["superclass_qid"],
        ),
        unspecific=_read(
            folder / "unspecific.csv",
            UnspecificPhrase,
            [_text("phrase", "reason"), match, _one_of("action", get_args(PhraseAction))],
            key=lambda row: (row["match"], fold(row["phrase"])),
        ),
    )
