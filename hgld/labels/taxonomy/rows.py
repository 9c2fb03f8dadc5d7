"""The five tables of a taxonomy, as CSV that a person can edit, and what must hold in them.

The tables lie beside this module; a folder with files of the same names and columns takes their
place as a whole, so that each line of the shipped ones can be changed, dropped or added to.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from hgld.errors import InputError
from hgld.labels.taxonomy.phrase import fold

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


class _Lines:
    """The rows of one file, with what to say where one cannot be used."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot read the taxonomy's {path}: {error}; a folder of one's own holds "
                f"all five tables: copy the shipped ones and edit them"
            ) from error
        reader = csv.reader(lines)
        header = next(reader, [])
        if header != columns:
            raise InputError(
                f"{path} must begin with the line {','.join(columns)}, got {','.join(header)}"
            )
        self._rows = [(reader.line_num, row) for row in reader]
        self._columns = columns

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        for number, row in self._rows:
            if len(row) != len(self._columns):
                raise self.error(number, f"{len(self._columns)} fields, got {len(row)}")
            yield number, dict(zip(self._columns, row, strict=True))

    def error(self, number: int, must_have: str) -> InputError:
        return InputError(f"{self.path}, line {number}, must have {must_have}; edit that line")


_Check = Callable[[dict[str, str]], str | None]


def _one_of(column: str, values: tuple[str, ...]) -> _Check:
    return lambda row: (
        None
        if row[column] in values
        else f"a {column} that is one of {', '.join(values)}, got {row[column]!r}"
    )


def _qid(column: str) -> _Check:
    return lambda row: (
        None
        if re.fullmatch(r"Q[1-9]\d*", row[column])
        else f"a {column} such as Q16970, got {row[column]!r}"
    )


def _text(*columns: str) -> _Check:
    return lambda row: next(
        (f"a text in {column}, got {row[column]!r}" for column in columns if not fold(row[column])),
        None,
    )


def _known(labels: frozenset[str]) -> _Check:
    """Checks that the label is one of the super-categories, where the row accepts at all."""

    def check(row: dict[str, str]) -> str | None:
        label = row["hierarchical_label"]
        if row.get("action", "accept") != "accept":
            return f"no hierarchical_label, as it is not accepted, got {label!r}" if label else None
        if label in labels:
            return None
        return f"a hierarchical_label of supercategories.csv, to the letter, got {label!r}"

    return check


def _read(
    folder: Path,
    kind: type,
    name: str,
    checks: list[_Check],
    key: Callable[[dict[str, str]], object],
) -> Iterator[dict[str, str]]:
    """Yields the rows of a table, each checked; no two have the same key."""
    lines = _Lines(folder / name, [field.name for field in fields(kind)])
    first: dict[object, int] = {}
    for number, row in lines:
        for check in checks:
            if wrong := check(row):
                raise lines.error(number, wrong)
        earlier = first.setdefault(key(row), number)
        if earlier != number:
            raise lines.error(number, f"what no other line has, got the same as line {earlier}")
        yield row


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
    supercategories = tuple(
        SuperCategory(**row)
        for row in _read(
            *(folder, SuperCategory, "supercategories.csv"),
            [_text("hierarchical_label", "description"), sides],
            lambda row: row["hierarchical_label"],
        )
    )
    known = _known(frozenset(each.hierarchical_label for each in supercategories))
    action = _one_of("action", get_args(Action))
    aliases = tuple(
        Alias(**row)
        for row in _read(
            *(folder, Alias, "aliases.csv"),
            [_text("language", "alias"), known],
            lambda row: (row["language"], fold(row["alias"])),
        )
    )
    classes = tuple(
        ClassRow(**row)  # type: ignore[arg-type]
        for row in _read(
            *(folder, ClassRow, "classes.csv"),
            [_qid("class_qid"), action, known],
            lambda row: row["class_qid"],
        )
    )
    cut_points = tuple(
        CutPoint(**row)  # type: ignore[arg-type]
        for row in _read(
            *(folder, CutPoint, "cut_points.csv"),
            [_qid("superclass_qid"), action, known, _text("reason")],
            lambda row: row["superclass_qid"],
        )
    )
    unspecific = tuple(
        UnspecificPhrase(**row)  # type: ignore[arg-type]
        for row in _read(
            *(folder, UnspecificPhrase, "unspecific.csv"),
            [
                _text("phrase", "reason"),
                _one_of("match", get_args(PhraseMatch)),
                _one_of("action", get_args(PhraseAction)),
            ],
            lambda row: (row["match"], fold(row["phrase"])),
        )
    )
    return TaxonomyTables(
        supercategories=supercategories,
        aliases=aliases,
        classes=classes,
        cut_points=cut_points,
        unspecific=unspecific,
    )
