"""What answers make known, and what an answer must be made of.

Each part is looked at as it is read, and odd ones are refused. An answer that is refused fails the
rows that asked for it. What could be archived and then stand in no table, or be read as something
else, does not get past here.
"""

import abc
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from hgld.scrape.archive import RawAnswer

T = TypeVar("T")

MAX_INT64 = (1 << 63) - 1
"""The largest number that a column of a table can hold."""

# No title and no label has one: MediaWiki replaces most of them, and refuses tabs and line ends.
_CONTROLS = frozenset(map(chr, range(0x20)))


class Facts(abc.ABC, Generic[T]):
    """What the answers to one question make known, by key."""

    def __init__(self) -> None:
        """Knows nothing."""
        self._known: dict[str, T] = {}
        self.failed: dict[str, str] = {}
        """Key to why it could not be learned, in words."""

    def __contains__(self, key: str) -> bool:
        """Says whether an answer covers the key."""
        return key in self._known

    def __getitem__(self, key: str) -> T:
        """Returns what is known of a key that an answer covers; the last one counts."""
        return self._known[key]

    def update(self, known: Mapping[str, T]) -> None:
        """Takes what is known by key."""
        self._known.update(known)

    @abc.abstractmethod
    def doubt(self, answer: RawAnswer) -> str:
        """Returns why an answer is to be asked for once more, or an empty string."""

    @abc.abstractmethod
    def add(self, answer: RawAnswer) -> None:
        """Takes what an answer says.

        Raises:
            ValueError: a part of it is odd; nothing of it is taken.
        """


def fields_of(part: object, name: str) -> Mapping[str, Any]:
    """Returns a part that is a JSON object; PHP writes an empty one as an empty list.

    Args:
        part: what stands in the answer.
        name: how an error names it.

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
    """Returns a part that is text, any text that UTF-8 can write.

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

    Everything else that Unicode has is kept as it is, however odd.

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
    """Returns a part that is true or false, or is not there.

    Raises:
        ValueError: it is something else.
    """
    if part is None or isinstance(part, bool):
        return bool(part)
    raise _odd(name, "true or false", part)


def _odd(name: str, kind: str, got: object) -> ValueError:
    # `ascii`: the error reaches a table and a log, and half a surrogate pair could not. Not of the
    # whole of it: a number may have more digits than Python writes down.
    if isinstance(got, int) and abs(got) > MAX_INT64:
        shown = f"one of {got.bit_length()} bits"
    else:
        shown = ascii(got)[:60]
    return ValueError(f"{name} must be {kind}, got {shown}")
