"""A log with a hash chain: every line has a number and a checksum, so that changes are noticed.

The checksum, `chain`, is the SHA-256 of the file from its first byte up to the comma before
`"chain"`. It reveals any line that is changed, removed, inserted or moved. Lines missing at the end
are found by comparison with the copy of the log (`hgld.review.log.decisions`).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

_SEALED = re.compile(rb'(\{"number": (\d{1,15}), .*), "chain": "([0-9a-f]{64})"\}')


class Scan(NamedTuple):
    """The lines of a log, checked."""

    lines: tuple[bytes, ...]
    """The complete lines, without line feeds."""
    tail: bytes
    """An incomplete last line that a crash left; usually empty."""
    damaged_line: int
    """Number of the first line that fails its check, from 1; 0 if all pass."""
    digests: tuple[str, ...]
    """Hex SHA-256 of the log up to the end of line i, at index i; index 0 is the empty log."""

    @property
    def data(self) -> bytes:
        """The complete lines, with line feeds."""
        return b"".join(line + b"\n" for line in self.lines)

    @property
    def intact(self) -> bytes:
        """The lines before the first damaged one."""
        kept = self.lines[: self.damaged_line - 1] if self.damaged_line else self.lines
        return b"".join(line + b"\n" for line in kept)


class Chain:
    """The end of a log, where lines are added one by one."""

    def __init__(self, data: bytes = b"", count: int = 0) -> None:
        """Starts after the last line of a log.

        Args:
            data: all bytes of the log.
            count: the number of its lines.
        """
        self._reached, self.count = hashlib.sha256(data), count

    def copy(self) -> "Chain":
        """Returns an independent chain at the same line."""
        copy = Chain()
        copy._reached, copy.count = self._reached.copy(), self.count
        return copy

    def digest(self) -> str:
        """Returns the SHA-256 of the log, as hex."""
        return self._reached.hexdigest()

    def extend(self, content: Mapping[str, object]) -> bytes:
        """Adds a line with this content, and returns it with its line feed."""
        text = json.dumps({"number": self.count + 1, **content}, ensure_ascii=False)[:-1].encode()
        line = text + f', "chain": "{self._after(text)}"}}'.encode()
        self.add(line)
        return line + b"\n"

    def follows(self, text: bytes) -> bool:
        """Says whether a line, given without its line feed, has the next number and checksum."""
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
    """Splits a log into lines, and checks their numbers and checksums.

    Args:
        data: all bytes of the file.
    """
    *lines, tail = data.split(b"\n")
    # A crash leaves an incomplete line. If the line is complete, only its line feed is missing, or
    # was changed to something else: then the line counts as damaged.
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
