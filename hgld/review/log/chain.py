"""Lines of a log that cannot be changed unseen: each carries its number and a checksum.

The checksum, `chain`, is the SHA-256 of the file from its first byte up to the comma before
`"chain"`. A line that is changed, cut out, added or moved then shows at the next line; what is gone
from the end shows by a copy (`hgld.review.log.guard`). Lines of an earlier version of this program
have neither number nor chain, and the first line that has covers them too.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

_SEALED = re.compile(rb'(\{"number": (\d{1,15}), .*), "chain": "([0-9a-f]{64})"\}')

# Ends what a crash left of a line, when the log is mended. JSON cannot end so: a line that cannot
# be read and has no such end was damaged by something else.
_TORN = b" #torn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was found in the bytes of a log."""

    data: bytes
    """Its whole lines, each with its line feed."""
    tail: bytes
    """What a crash left of one more line; mostly nothing."""
    missing: bytes
    """What the file needs so that it ends with a line; mostly nothing."""
    lines: tuple[tuple[int, bytes], ...]
    """Number, from 1, and text of each whole line that holds something."""
    damaged_line: int
    """Number of the first line that is not as it was written; 0 where there is none."""
    is_sealed: bool
    """Whether a line has a chain."""

    @property
    def count(self) -> int:
        """The number of whole lines."""
        return self.data.count(b"\n")

    @property
    def mended(self) -> bytes:
        """The log once it has what is missing."""
        return self.data + self.tail + self.missing if self.tail else self.data

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return len(self.mended) - len(self.missing)

    def digests(self) -> list[str]:
        """Returns the SHA-256 of the log up to the end of each line, as hex; line 0 is nothing."""
        reached = hashlib.sha256()
        digests = [reached.hexdigest()]
        for text in self.data.split(b"\n")[:-1]:
            reached.update(text + b"\n")
            digests.append(reached.hexdigest())
        return digests

    def grew_from(self, digest: str) -> bool:
        """Says whether all bytes of the log once had this SHA-256, and it only grew since."""
        reached = hashlib.sha256()
        for text in [*self.data.split(b"\n")[:-1], self.tail]:
            # As it was before a crash's leftovers were mended, or the line feed was.
            for state in (b"", text.removesuffix(_TORN), text):
                if _after(reached, state) == digest:
                    return True
            reached.update(text + b"\n")
        return False


def scan(data: bytes) -> Scan:
    """Reads the lines of a log and checks their numbers and chains.

    Args:
        data: all bytes of the file.
    """
    *texts, tail = data.split(b"\n")
    # A crash leaves less than a line: where one is whole, only its line feed is missing, or was
    # changed into something else, which makes the line a damaged one.
    if _is_json(tail) or _SEALED.match(tail):
        texts, tail = [*texts, tail], b""
    lines: list[tuple[int, bytes]] = []
    damaged_line, is_sealed, reached = 0, False, hashlib.sha256()
    for number, text in enumerate(texts, start=1):
        match = _SEALED.fullmatch(text)
        # Either will do, since the other may be what is damaged; no text in JSON has such quotes.
        is_sealed = is_sealed or text.startswith(b'{"number": ') or b', "chain": "' in text
        if not is_torn(text) and (is_sealed or text.strip()):
            lines.append((number, text))
            is_whole = _continues(match, number, reached) if is_sealed else _is_json(text)
            if not (is_whole or damaged_line):
                damaged_line = number
        reached.update(text + b"\n")
    whole = b"".join(text + b"\n" for text in texts)
    return Scan(
        data=whole,
        tail=tail,
        missing=_TORN + b"\n" if tail else whole[len(data) :],
        lines=tuple(lines),
        damaged_line=damaged_line,
        is_sealed=is_sealed,
    )


def is_torn(text: bytes) -> bool:
    """Says whether a line, without its line feed, is what a crash left of one, and mended."""
    return text.endswith(_TORN)


class Chain:
    """The end of a log, to which lines are added one by one."""

    def __init__(self, reached: "hashlib._Hash", count: int) -> None:
        """Goes on from a log.

        Args:
            reached: SHA-256 of all its bytes so far; it is taken over.
            count: its whole lines.
        """
        self._reached, self.count = reached, count

    def copy(self) -> "Chain":
        """Returns one that goes on from the same line."""
        return Chain(self._reached.copy(), self.count)

    def seal(self, content: Mapping[str, object]) -> bytes:
        """Returns the line that would come next, with its line feed; it is not added yet."""
        text = json.dumps({"number": self.count + 1, **content}, ensure_ascii=False)[:-1].encode()
        return text + f', "chain": "{_after(self._reached, text)}"}}\n'.encode()

    def follows(self, text: bytes) -> bool:
        """Says whether a line, without its line feed, is the one that comes next."""
        return _continues(_SEALED.fullmatch(text), self.count + 1, self._reached)

    def add(self, text: bytes) -> None:
        """Adds a line, without its line feed."""
        self._reached.update(text + b"\n")
        self.count += 1


def sealed(data: bytes, contents: Iterable[Mapping[str, object]]) -> bytes:
    """Returns the lines that add contents to a log.

    Args:
        data: the log, its last line whole.
        contents: an object a line, without number and chain.
    """
    chain, lines = Chain(hashlib.sha256(data), data.count(b"\n")), []
    for content in contents:
        lines.append(chain.seal(content))
        chain.add(lines[-1][:-1])
    return b"".join(lines)


def first_difference(one: bytes, other: bytes) -> int:
    """Returns the number of the first line in which two different logs differ."""
    lines = zip_longest(one.split(b"\n"), other.split(b"\n"))
    return next(number for number, (a, b) in enumerate(lines, start=1) if a != b)


def _continues(match: re.Match[bytes] | None, number: int, reached: "hashlib._Hash") -> bool:
    """Says whether a line with a chain is the one that was written at its place."""
    if match is None:
        return False
    return int(match[2]) == number and match[3].decode() == _after(reached, match[1])


def _after(reached: "hashlib._Hash", more: bytes) -> str:
    later = reached.copy()
    later.update(more)
    return later.hexdigest()


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):  # JSON and UTF-8 errors alike, and [[[[... without end
        return False
    return True
