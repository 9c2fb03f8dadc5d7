"""The five tables of a taxonomy, as CSV that a person can edit, and their checks.

A folder with files of the same names and columns replaces the shipped tables as a whole, so that
every line can be changed, removed or added.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from hgld.errors import InputError
from hgld.labels.taxonomy.phrase import fold
from hgld.tables.csv_files import read_csv_list

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

SHIPPED = Path(__file__).parent / "shipped"
"""The folder of the shipped tables."""

Action = Literal["accept", "ignore", "ask"]
"""Propose a super-category; leave the class out, because it does not describe a look; or ask a
person."""

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
    """A line of `classes.csv`: the action for one Wikidata class, with a label if accepted."""

    class_qid: str
    class_label: str
    action: Action
    hierarchical_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPoint:
    """A line of `cut_points.csv`: where a walk up the superclasses ends.

    `accept` ends it with a super-category. `ignore` and `ask` end it without one: so many classes
    lie below an `entity` or a `temple` that this says nothing about a class.
    """

    superclass_qid: str
    superclass_label: str
    action: Action
    hierarchical_label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnspecificPhrase:
    """A line of `unspecific.csv`: words that do not say what a thing looks like.

    `exact` matches the whole label, `head` its last words, `start` its first, `contains` any. For a
    `transparent` head (building, complex, group of) the modifier decides.
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

_SIDES = ("natural", "human-made")
_TEXTS = frozenset({"description", "language", "alias", "reason", "phrase"})


def _problem(row: Row, kind: type, known: Collection[str]) -> str:
    """Returns what a line must have but lacks; empty if it is valid.

    Args:
        row: of a table.
        kind: the class of its lines.
        known: the super-categories that a line may name.
    """
    actions = get_args(PhraseAction if kind is UnspecificPhrase else Action)
    one_of = {"natural_or_human_made": _SIDES, "match": get_args(PhraseMatch), "action": actions}
    for column, text in row.items():
        if column in one_of and text not in one_of[column]:
            return f"a {column} that is one of {', '.join(one_of[column])}, got {text!r}"
        if column.endswith("_qid") and not re.fullmatch(r"Q[1-9]\d*", text):
            return f"a {column} such as Q16970, got {text!r}"
        if column in _TEXTS and not fold(text):
            return f"a text in {column}, got {text!r}"
    return _label_problem(row, kind, known)


def _label_problem(row: Row, kind: type, known: Collection[str]) -> str:
    label = row.get("hierarchical_label", "")
    if kind is SuperCategory:
        return "" if fold(label) else f"a text in hierarchical_label, got {label!r}"
    if row.get("action", "accept") != "accept":
        return f"no hierarchical_label, because it is not accepted, got {label!r}" if label else ""
    if label not in known:
        return f"a hierarchical_label of supercategories.csv, to the letter, got {label!r}"
    return ""


def _read(
    path: Path, kind: type[T], key: Collection[str], known: Collection[str] = ()
) -> tuple[T, ...]:
    """Reads a table; its rows are checked, and no two have the same in all columns of the key."""
    if not path.is_file():
        raise InputError(
            f"{path} is missing: the folder of a taxonomy must have all five tables; copy the "
            f"shipped ones and edit them"
        )
    columns = [field.name for field in fields(kind)]
    first: dict[object, int] = {}
    found = []
    for number, cells in read_csv_list(path, columns, fewest=0):
        row = {name: cells[name] for name in columns}
        problem = _problem(row, kind, known)
        own = tuple(fold(row[name]) if name in {"alias", "phrase"} else row[name] for name in key)
        if not problem and (earlier := first.setdefault(own, number)) != number:
            problem = f"what no other row has, got the same as row {earlier}"
        if problem:
            raise InputError(f"{path} row {number} must have {problem}; edit that row")
        found.append(kind(**row))
    return tuple(found)


def read_csv_rows(path: Path) -> list[Row]:
    """Reads a CSV table that was distilled, or chosen by hand for that."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_one_meaning(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the texts with only one super-category, and that super-category."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for text, label in pairs:
        meanings[text].add(label)
    return {text: labels.pop() for text, labels in meanings.items() if len(labels) == 1}


def load_taxonomy_tables(folder: Path | None = None) -> TaxonomyTables:
    """Reads the tables of a taxonomy and checks them.

    Args:
        folder: of a user's own taxonomy, with all five files; None takes the shipped one.

    Raises:
        InputError: a file, line or field is invalid; the message says what it must be.

    Example:
        >>> tables = load_taxonomy_tables()
        >>> len(tables.supercategories), tables.supercategories[0].hierarchical_label
        (78, 'agricultural land')
    """
    folder = folder or SHIPPED
    supercategories = _read(folder / "supercategories.csv", SuperCategory, ["hierarchical_label"])
    known = {each.hierarchical_label for each in supercategories}
    return TaxonomyTables(
        supercategories=supercategories,
        aliases=_read(folder / "aliases.csv", Alias, ["language", "alias"], known),
        classes=_read(folder / "classes.csv", ClassRow, ["class_qid"], known),
        cut_points=_read(folder / "cut_points.csv", CutPoint, ["superclass_qid"], known),
        unspecific=_read(folder / "unspecific.csv", UnspecificPhrase, ["match", "phrase"]),
    )
