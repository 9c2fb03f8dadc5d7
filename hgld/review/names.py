"""Names of super-categories: normalize spellings, match equal ones, and flag likely typos."""

import functools
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from hgld.review.log.events import label_key
from hgld.tables.csv_files import runs

_Word = TypeVar("_Word", bound=str)

TOLD = 10
"""How many wrong rows or names an error lists."""
_LONG = 9
"""Names of at least this many characters may differ by two typos; shorter ones by one."""

# What a spreadsheet turns typed quotes and hyphens into.
_TYPED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)
_JOINERS = "\u200c\u200d"
_ARABIC = "\u0600"
"""Scripts written with joiners start at this character; Latin comes before it."""
# Invisible characters outside Unicode's format category: a joiner, fillers, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f]")
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# What a spreadsheet turns other text into: an error, a boolean, a number, a date, and the
# replacement for letters that it could not save.
_MADE = re.compile(
    r"#[a-z0-9/_\u00df-\u00fe]+[!?]?|err:\d+|true|false|wahr|falsch|vrai|faux"
    r"|[+-]?\d[\d.,]*e[+-]?\d+"
    r"|\d{1,4}[-./ ]+[^\W\d]{3,4}\.?([-./ ]+\d{1,4})?|[^\W\d]{3,4}\.?[-./ ]+\d{1,4}"
    r"|.*[?\ufffd].*"
)


def turns_text(text: str) -> bool:
    """Says whether a text has bidirectional controls, which make it read differently."""
    return not _TURNS.isdisjoint(text)


@functools.lru_cache(maxsize=4096)
def clean_name(text: str) -> str:
    r"""Returns a name in NFC, with single spaces and without invisible characters.

    Joiners stay between letters of scripts that need them, such as Persian.

    Example:
        >>> clean_name(" tow\u200ber  house "), len(clean_name("\u0928\u094d\u200d\u0928"))
        ('tower house', 4)
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii():
        return " ".join(text.split())
    kept = (
        one
        for place, one in enumerate(text)
        if (_joins(text, place) if one in _JOINERS else not _is_unseen(one))
    )
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def plain_text(text: str) -> str:
    """Returns `clean_name` of a text, with plain ASCII quotes and hyphens.

    Example:
        >>> plain_text(" St.\u00a0John\u2019s  chapel ")
        "St. John's chapel"
    """
    return clean_name(text).translate(_TYPED)


@functools.lru_cache(maxsize=4096)
def alike_key(text: str) -> str:
    """Returns a key that is equal for names that look the same to a reader.

    Such names differ only in case, spaces, quotes, hyphens, composition of accents, and invisible
    characters.

    Example:
        >>> alike_key("Drive\u2011in") == alike_key("drive-in")
        True
    """
    return label_key(plain_text(text))


def has_letter(text: str) -> bool:
    """Says whether a text has a letter, in any script."""
    return any(map(str.isalpha, text))


def one_of(text: str, words: Sequence[_Word]) -> _Word | None:
    """Returns the word that a text equals, ignoring case, spaces and hyphens, or None.

    Example:
        >>> one_of(" Human made", ("natural", "human-made"))
        'human-made'
    """
    letters = _letters(text)
    return next((word for word in words if _letters(word) == letters), None)


class Spellings:
    """The known names of super-categories, by which the names in a sheet are read."""

    def __init__(self, in_use: Iterable[str], known: Iterable[str] = ()) -> None:
        """Collects the names.

        Args:
            in_use: names in the decisions in force; their spelling takes precedence.
            known: names of the taxonomy behind the proposals.
        """
        self._names: dict[str, str] = {}
        for name in (*in_use, *known):
            self._names.setdefault(alike_key(name), name)

    def knows(self, name: str) -> bool:
        """Says whether a name is known, in any spelling that `alike_key` accepts."""
        return alike_key(name) in self._names

    def read(self, name: str) -> str:
        """Returns the known spelling of a name, or `plain_text` of a new one."""
        return self._names.get(alike_key(name)) or plain_text(name)

    def check_new(self, names: Mapping[str, str], meant: Iterable[str]) -> None:
        """Questions new names that look like a typo, or like a cell that a spreadsheet changed.

        Args:
            names: results of `read`, each with its rows; of two similar new names the later one is
                questioned.
            meant: names that the reviewer confirmed.

        Raises:
            ValueError: there are such names.
        """
        certain = Spellings(meant)
        asked = {
            name: "did a spreadsheet change this cell?"
            for name in names
            if not self.knows(name) and (runs(name) or _MADE.fullmatch(name.casefold()))
        }
        asked |= {name: f"did you mean {near!r}?" for name, near in self.questions(names).items()}
        words = {
            name: f"{name!r} ({names[name]}): {question}"
            for name, question in asked.items()
            if not certain.knows(name)
        }
        if words:
            raise ValueError(
                f"{listed([*words.values()])}; nothing was applied: correct the cells, or confirm "
                f"a new name: --new={shlex.quote(next(iter(words)))}"
            )

    def questions(self, names: Iterable[str]) -> dict[str, str]:
        """Returns the new names that look like a typo.

        Args:
            names: results of `read`; of two similar new names the later one is returned.

        Returns:
            Each such name, with the name that it resembles.
        """
        seen = dict(self._names)
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


def typos(one: str, other: str, most: int) -> int:
    """Counts the typos between two words, up to `most` + 1.

    A typo is a letter that is missing, added, replaced, or swapped with its neighbour: the optimal
    string alignment variant of the Damerau-Levenshtein distance.

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
            pair = one[max(place - 2, 0) : place]
            if len(pair) > 1 and pair[::-1] == other[max(column - 2, 0) : column]:
                step = min(step, above[column - 2] + 1)
            row.append(step)
        if min(row) > most and min(before) > most:
            return most + 1
    return min(row[-1], most + 1)


def listed(items: Sequence[str]) -> str:
    """Joins items for an error: the first few, and how many more there are."""
    more = f"; and {len(items) - TOLD} more" if len(items) > TOLD else ""
    return "; ".join(items[:TOLD]) + more


def _is_unseen(one: str) -> bool:
    is_format = unicodedata.category(one) in {"Cf", "Cc"} and not one.isspace()
    return is_format or _BLANK.match(one) is not None


def _joins(text: str, place: int) -> bool:
    return all(one >= _ARABIC for one in (text[place - 1 : place], text[place + 1 : place + 2]))


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
