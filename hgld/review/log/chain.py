"""Lines of a log that cannot be changed unseen: each carries its number and a checksum.

The checksum, `chain`, is the SHA-256 of the file from its first byte up to the comma before
`"chain"`. A line that is changed, cut out, added or moved then shows at the next line; what is gone
from the end shows by the copy of the log (`hgld.review.log.decisions`).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_SEALED = re.compile(rb'(\{"number": (\d{1,15}), .*), "chain": "([0-9a-f]{64})"\}')


class Scan(NamedTuple):
    """What was found in the bytes of a log."""

    lines: tuple[bytes, ...]
    """The whole lines, without their line feeds."""
    tail: bytes
    """What a crash left of one more line; mostly nothing."""
    damaged_line: int
    """Number, from 1, of the first line that is not as it was written; 0: all are."""
    digests: tuple[str, ...]
    """SHA-256 of the log up to the end of each line, as hex; the first one is of no line."""

    @property
    def data(self) -> bytes:
        """The whole lines as they stand in a file."""
        return b"".join(line + b"\n" for line in self.lines)

    @property
    def intact(self) -> bytes:
        """The lines before the first damaged one."""
        kept = self.lines[: self.damaged_line - 1] if self.damaged_line else self.lines
        return b"".join(line + b"\n" for line in kept)


class Chain:
    """The end of a log, to which lines are added one by one."""

    def __init__(self, data: bytes = b"", count: int = 0) -> None:
        """Starts after the last line of a log.

        Args:
            data: all its bytes.
            count: its lines.
        """
        self._reached, self.count = hashlib.sha256(data), count

    def copy(self) -> "Chain":
        """Returns a second one that goes on from the same line."""
        copy = Chain()
        copy._reached, copy.count = self._reached.copy(), self.count
        return copy

    def digest(self) -> str:
        """Returns the SHA-256 of the log, as hex."""
        return self._reached.hexdigest()

    def extend(self, content: Mapping[str, object]) -> bytes:
        """Adds a line with this content; returns it, with its line feed."""
        text = json.dumps({"number": self.count + 1, **content}, ensure_ascii=False)[:-1].encode()
        line = text + f', "chain": "{self._after(text)}"}}'.encode()
        self.add(line)
        return line + b"\n"

    def follows(self, text: bytes) -> bool:
        """Says whether a line, without its line feed, is the one that comes next."""
        match = _SEALED.fullmatch(text)
        if match is None or int(match[2]) != self.count + 1:
            return False
        return match[3].decode() == self._after(match[1])

    def add(self, text: bytes) -> None:
        """Adds a line, without its line feed."""
        self._reached.update(text + b"\n")
        self.count += 1

    def _after(self, more: bytes) -> str:
        later = self._reached.copy()
        later.update(more)
        return later.hexdigest()


def scan(data: bytes) -> Scan:
    """Splits a log into its lines, and checks their numbers and chains.

    Args:
        data: all bytes of the file.
    """
    *lines, tail = data.split(b"\n")
    # A crash leaves less than a line. Where one is whole, only its line feed is missing, or was
    # changed into something else, which makes the line a damaged one.
    if _SEALED.match(tail):
        lines, tail = [*lines, tail], b""
    chain, damaged_line = Chain(), 0
    digests = [chain.digest()]
    for text in lines:
        if not damaged_line and not chain.follows(text):
            damaged_line = chain.count + 1
        chain.add(text)
        digests.append(chain.digest())
    return Scan(tuple(lines), tail, damaged_line, tuple(digests))


def sealed(data: bytes, contents: Iterable[Mapping[str, object]]) -> bytes:
    """Returns the lines that add contents to a log.

    Args:
        data: the log, its last line whole.
        contents: an object a line, without number and chain.
    """
    chain = Chain(data, data.count(b"\n"))
    return b"".join(map(chain.extend, contents))
