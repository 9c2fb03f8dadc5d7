"""How names are spelt in a sheet: what is forgiven, and what is asked about."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from hgld.review.lettering import alike_key, plain_text

TOLD = 10
"""Wrong rows that an error names, and names that it asks about."""
_Word = TypeVar("_Word", bound=str)
_ERROR = re.compile(r"\s*(#[A-Z0-9/_\u00c0-\u00de]+[!?]?|Err:\d+)\s*")
_TRUTH = frozenset(
    {
        *("true", "false", "wahr", "falsch", "vrai", "faux", "verdadero", "falso", "vero"),
        *("verdadeiro", "waar", "onwaar", "prawda", "fałsz", "истина", "ложь"),
    }
)
_NUMBER = re.compile(r"\s*[+-]?\d[\d.,\s]*(e[+-]?\d+)?\s*", re.IGNORECASE)
_LONG = 9
"""Characters from which a name may be two typos away from another."""


def reads_alike(one: str, other: str) -> bool:
    """Says whether two texts are the same to a reader (`hgld.review.lettering.alike_key`)."""
    return one == other or alike_key(one) == alike_key(other)


class Spellings:
    """The names that super-categories have, and how a name in a sheet is read."""

    def __init__(self, in_use: Iterable[str], known: Iterable[str] = ()) -> None:
        """Takes the names.

        Args:
            in_use: of decisions in force; their spelling counts.
            known: of the taxonomy that proposals are made of; a name in use comes before them.
        """
        self._names: dict[str, list[str]] = {}
        for name in dict.fromkeys(in_use):
            self._names.setdefault(alike_key(name), []).append(name)
        for name in known:
            self._names.setdefault(alike_key(name), [name])

    def knows(self, name: str) -> bool:
        """Says whether a name is one of them, however it is written."""
        return alike_key(name) in self._names

    def read(self, name: str) -> str:
        """Returns how a name is spelt; a new one gets single spaces.

        Raises:
            ValueError: two names in use differ in no more than what is forgiven.
        """
        match self._names.get(alike_key(name), []):
            case []:
                return plain_text(name)
            case [spelt]:
                return spelt
            case several:
                raise ValueError(
                    f"{name!r} may be {' or '.join(map(repr, several))}, which differ too little "
                    f"for a sheet; rename one of them"
                )

    def check_new(self, names: Mapping[str, str], meant: Iterable[str], how: str) -> None:
        """Asks about new names that look like a typo.

        Args:
            names: as `read` gives them, to where each stands; of two new ones that are near each
                other the later one is asked about.
            meant: names that are meant.
            how: to correct one, in words.

        Raises:
            ValueError: there are some.
        """
        certain = Spellings(meant)
        asked = {
            name: near for name, near in self.questions(names).items() if not certain.knows(name)
        }
        if not asked:
            return
        words = [
            f"{name!r} ({names[name]}): did you mean {near!r}?" for name, near in asked.items()
        ]
        raise ValueError(
            f"{listed(words)}; nothing was applied: {how}, or say that a new name is meant: --new "
            f"{shlex.quote(next(iter(asked)))}"
        )

    def questions(self, names: Iterable[str]) -> dict[str, str]:
        """Returns the new names that look like a typo.

        Args:
            names: as `read` gives them; of two new ones that are near each other the later one is
                asked about.

        Returns:
            Name to the one it is near.
        """
        seen = {key: spelt[0] for key, spelt in self._names.items()}
        found = {}
        for name in names:
            key = alike_key(name)
            if key in seen:
                continue
            if (near := _nearest(key, seen)) is not None:
                found[name] = near
            else:
                seen[key] = name
        return found


def has_letter(text: str) -> bool:
    """Says whether a text has a letter of any script."""
    return any(map(str.isalpha, text))


def check_name(name: str) -> None:
    """Refuses what a spreadsheet made of a cell, and is the name of nothing.

    Raises:
        ValueError: an error, a truth value or a number, or no letter of any script in it.
    """
    what = ""
    if _ERROR.fullmatch(name):
        what = "an error of a spreadsheet"
    elif alike_key(name) in _TRUTH:
        what = "a truth value"
    elif _NUMBER.fullmatch(name) or not has_letter(name):
        what = "no name, which has a letter at least"
    if what:
        raise ValueError(
            f"hierarchical_label is {name!r}, {what}; type the name of the super-category, in a "
            f"column that is formatted as text"
        )


def one_of(text: str, words: Sequence[_Word]) -> _Word | None:
    """Returns the word that a text is, whatever its case, spaces and hyphens; None: it is none.

    Example:
        >>> one_of(" Human made", ("natural", "human-made"))
        'human-made'
    """
    letters = _letters(text)
    return next((word for word in words if _letters(word) == letters), None)


def typos(one: str, other: str, most: int) -> int:
    """Returns how many typos lead from a word to another; more than `most` is `most` + 1.

    A typo is a letter that is missing, too many, another one, or swapped with its neighbour:
    Damerau's distance, of optimal string alignments.

    Example:
        >>> typos("towwer", "tower", 2), typos("twoer", "tower", 2), typos("cave", "lake", 1)
        (1, 1, 2)
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, start=1):
        before, above, row = row, before, [place]
        for column, against in enumerate(other, start=1):
            step = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != against))
            if (
                place > 1
                and column > 1
                and letter == other[column - 2]
                and one[place - 2] == against
            ):
                step = min(step, above[column - 2] + 1)
            row.append(step)
        if min(row) > most and min(before) > most:
            return most + 1
    return min(row[-1], most + 1)


def listed(items: Sequence[str]) -> str:
    """Returns what an error says of several things: the first ones, and how many more."""
    more = f"; and {len(items) - TOLD} more" if len(items) > TOLD else ""
    return "; ".join(items[:TOLD]) + more


def _letters(text: str) -> str:
    return re.sub(r"[\s_-]+", "", plain_text(text)).casefold()


def _nearest(key: str, names: dict[str, str]) -> str | None:
    best: tuple[int, str] | None = None
    for other, spelt in names.items():
        most = 2 if max(len(key), len(other)) >= _LONG else 1
        distance = typos(key, other, most)
        if distance <= most and (best is None or distance < best[0]):
            best = distance, spelt
    return best and best[1]
