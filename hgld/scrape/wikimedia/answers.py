"""The facts that answers give, and checks of each part of an answer.

Each part is checked when it is read; a malformed one is refused, and the rows that needed the
answer fail. So nothing gets into the archive that no table could hold, or that could be misread.
"""

import abc
import pickle
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from hgld.errors import InputError
from hgld.scrape.archive import RawAnswer

T = TypeVar("T")

_MOST_NEAR = 2_000
"""Facts in memory: the countries and regions that most landmarks lie in are among them."""

MAX_INT64 = (1 << 63) - 1
"""The largest number that a column of a table can hold."""

# Never in a title or label: MediaWiki replaces most of them, and refuses tabs and line ends.
_CONTROLS = frozenset(map(chr, range(0x20)))


class Facts(Mapping[str, T]):
    """The facts from the answers to one question, by key; what no answer covers is not in it.

    They are in a temporary file, and the last used in memory too: those of 203,094 landmarks and
    their places take 0.4 GB.
    """

    def __init__(self) -> None:
        """Starts without facts."""
        self._file = sqlite3.connect("")  # on disk, without a name; it ends with the process
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("CREATE TABLE facts (key TEXT PRIMARY KEY, fact BLOB) WITHOUT ROWID")
        self._near: dict[str, T] = {}
        self.failed: dict[str, str] = {}
        """Key to the reason why it is unknown."""

    def __getitem__(self, key: str) -> T:
        """Returns the fact of a key."""
        if key not in self._near:
            row = self._file.execute("SELECT fact FROM facts WHERE key = ?", (key,)).fetchone()
            if row is None:
                raise KeyError(key)
            if len(self._near) >= _MOST_NEAR:
                self._near.clear()
            self._near[key] = pickle.loads(row[0])  # noqa: S301 - from `update`
        return self._near[key]

    def __iter__(self) -> Iterator[str]:
        """Yields the keys."""
        return (key for (key,) in self._file.execute("SELECT key FROM facts"))

    def __len__(self) -> int:
        """Returns how many keys are known."""
        return sum(1 for _ in self)

    def update(self, found: Mapping[str, T]) -> None:
        """Adds facts.

        Raises:
            InputError: the disk is full.
        """
        rows = ((key, pickle.dumps(fact, pickle.HIGHEST_PROTOCOL)) for key, fact in found.items())
        try:
            self._file.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise InputError(f"cannot write a temporary file: {error}; make room") from error
        self._near.clear()

    @abc.abstractmethod
    def doubt(self, answer: RawAnswer) -> str:
        """Returns why to ask again instead of using an answer, or an empty string."""

    @abc.abstractmethod
    def add(self, answer: RawAnswer) -> None:
        """Adds the facts of an answer.

        Raises:
            ValueError: a part of it is malformed; nothing was added.
        """


def fields_of(part: object, name: str) -> Mapping[str, Any]:
    """Returns a part that is a JSON object; PHP writes an empty one as an empty list.

    Args:
        part: a value in the answer.
        name: its name in an error.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(part, dict):
        return part
    if part == []:
        return {}
    raise _odd(name, "an object", part)


def entries_of(part: object, name: str) -> list[Mapping[str, Any]]:
    """Returns a part that is a list of JSON objects.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(part, list):
        raise _odd(name, "a list", part)
    return [fields_of(one, f"an entry of {name}") for one in part]


def text_of(part: object, name: str) -> str:
    """Returns a part that is text and can be encoded as UTF-8.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(part, str):
        raise _odd(name, "text", part)
    try:
        part.encode()
    except UnicodeEncodeError as error:
        raise _odd(name, "text in Unicode", part) from error
    return part


def line_of(part: object, name: str) -> str:
    """Returns a part that is a title, a label or an id: text without control characters.

    All other Unicode characters are kept unchanged.

    Raises:
        ValueError: it is something else.
    """
    text = text_of(part, name)
    if not _CONTROLS.isdisjoint(text):
        raise _odd(name, "one line of text", part)
    return text


def number_of(part: object, name: str) -> int:
    """Returns a part that is a whole number from 0, such as a revision's.

    Raises:
        ValueError: it is something else, or larger than a table can hold.
    """
    # `type(...) is`: to Python, True is a number.
    if type(part) is int and 0 <= part <= MAX_INT64:
        return part
    raise _odd(name, f"a whole number from 0 to {MAX_INT64}", part)


def flag_of(part: object, name: str) -> bool:
    """Returns a part that is true, false or missing.

    Raises:
        ValueError: it is something else.
    """
    if part is None or isinstance(part, bool):
        return bool(part)
    raise _odd(name, "true or false", part)


def _odd(name: str, kind: str, got: object) -> ValueError:
    # `ascii`: the error goes to a table and a log, which cannot hold half a surrogate pair. Large
    # numbers apart: they may have more digits than Python converts.
    if isinstance(got, int) and abs(got) > MAX_INT64:
        shown = f"one of {got.bit_length()} bits"
    else:
        shown = ascii(got)[:60]
    return ValueError(f"{name} must be {kind}, got {shown}")
