"""The raw archive: every answer a service gave, kept as it came, one file an answer.

Fetching and parsing are apart. A fetch appends here and does nothing else; the tables of the scrape
are built from what lies here, so they can be rebuilt offline, bit for bit, and a killed fetch asks
again for nothing that was answered. Error answers are never kept, and neither is what no table
could hold (NaN, half a surrogate pair).

A service is a folder below `raw/`, named for the question asked (`COMMONS_PAGES` and the others).
A refresh asks everything again: it is a generation of its own, with the same folders below
`raw/refresh-1/`, and then `raw/refresh-2/`. What earlier generations were answered stays.

Beside its answers a folder has `SHA256SUMS`, with a line for each of them, in the form that
`sha256sum -c` reads. A file that is altered, gone, added or under another's name does not agree
with it. Such a file is set aside as `NAME.damaged`, and its keys are asked for again; nothing is
deleted.

Lines are only ever appended to a list. So the digest of each list that a stage ended with, which
that stage keeps in a table, proves the list for good (`hgld.scrape.verify`).
"""

import gzip
import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hgld.engine.files import GONE, append_bytes, atomic_file
from hgld.engine.workspace import Workspace

logger = logging.getLogger(__name__)

COMMONS_PAGES = "raw/commons-pages"
COMMONS_WIKITEXT = "raw/commons-wikitext"
COMMONS_LOG = "raw/commons-log"
COMMONS_PARENTS = "raw/commons-parents"
WIKIDATA_ITEMS = "raw/wikidata-items"
WIKIDATA_CLASSES = "raw/wikidata-classes"
WIKIDATA_EVIDENCE = "raw/wikidata-evidence"

SUMS = "SHA256SUMS"
"""Name of the list of a folder's answers and their digests."""

_RAW = "raw"
_REFRESH = "refresh-"
_FOLDERS = {
    "scrape": (COMMONS_PAGES, COMMONS_WIKITEXT, COMMONS_LOG, WIKIDATA_ITEMS, WIKIDATA_CLASSES),
    "evidence": (WIKIDATA_EVIDENCE,),
    "parents": (COMMONS_PARENTS,),
}
"""Stage to the folders that it fills, in a generation."""
_SUM = re.compile(rb"([0-9a-f]{64})  ([0-9]+\.json\.gz)\n")


def newest_generation(workspace: Workspace) -> int:
    """Returns how often the archive was refreshed, counting a refresh that is not done."""
    folders = workspace.path(_RAW).glob(f"{_REFRESH}*")
    numbers = [folder.name.removeprefix(_REFRESH) for folder in folders]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def start_generation(workspace: Workspace, generation: int) -> None:
    """Makes a generation the newest."""
    workspace.path(f"{_RAW}/{_REFRESH}{generation}").mkdir(parents=True)


def generation_path(folder: str, generation: int) -> str:
    """Returns where a service's answers of a generation lie, relative to the workspace."""
    if generation == 0:
        return folder
    return f"{_RAW}/{_REFRESH}{generation}/{folder.removeprefix(f'{_RAW}/')}"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer of a service, with what was asked."""

    endpoint: str
    """Address of the service."""
    request: dict[str, Any]
    """What was asked, as sent."""
    keys: tuple[str, ...]
    """The page titles or Q-ids it answers for, all of them, whatever the answer says of each."""
    fetched_at: datetime
    """When the answer was whole, in UTC."""
    answer: Any
    """The answer as received: parsed JSON, not touched."""

    def packed(self) -> bytes:
        """Returns the answer as it is kept; equal answers give equal bytes.

        Raises:
            ValueError: it has what no archive and no table could give back as it is: a number that
                is none, half a surrogate pair, more than can be nested.
        """
        fields = {
            "endpoint": self.endpoint,
            "request": self.request,
            "keys": self.keys,
            "fetched_at": self.fetched_at.isoformat(timespec="milliseconds"),
            "answer": self.answer,
        }
        try:
            text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"it has {text[error.start]!r}, which is no character") from error
        return gzip.compress(data, mtime=0)  # the header carries no time


@dataclass(slots=True)
class RawArchive:
    """The answers of one service, in the order they came."""

    folder: Path
    """Where they lie, such as `workspace.path(COMMONS_PAGES)`; made when needed."""
    _next_number: int = field(default=-1, init=False)  # -1: not known yet

    def files(self) -> list[Path]:
        """Returns the files of the archive, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json.gz"))

    def load(self, take: Callable[[RawAnswer], object], *, mend: bool = False) -> dict[Path, str]:
        """Reads every answer, oldest first, and leaves out what is no answer that was kept.

        Args:
            take: is given each answer; raises a ValueError for one that it cannot read.
            mend: whether what is left out is set aside under a name that ends in `.damaged`, and
                named in the log.

        Returns:
            What is left out, and why, as in "raw/commons-pages/000003.json.gz *is gone*".
        """
        if damage := self.list_damage():
            logger.warning("%s %s", self.folder / SUMS, damage)
        sums, misfits, answered = self._sums(), dict[Path, str](), set[tuple[str, str]]()

        def take_new(answer: RawAnswer) -> None:
            keys = {(answer.endpoint, key) for key in answer.keys}
            if not answered.isdisjoint(keys):
                # No run asks again for what it has: somebody else put it here.
                raise ValueError("it answers what an earlier one answers")
            take(answer)
            answered.update(keys)

        for name in sorted({*sums, *(path.name for path in self.files())}):
            path = self.folder / name
            if what := _why_not(path, sums, take_new):
                misfits[path] = what
        for path, what in misfits.items() if mend else ():
            aside = set_aside(path).name
            logger.warning("%s %s; it is set aside as %s, and asked for again", path, what, aside)
        return misfits

    def list_damage(self) -> str:
        """Returns what of the list is not as it was written; empty where there is nothing."""
        if not self._list() or b"".join(self._lines()) == self._list():
            return ""
        return "has a line that was not written there, or is cut off; it does not count"

    def append(self, answer: RawAnswer) -> Path:
        """Keeps an answer, atomically, under the next number.

        Args:
            answer: what was asked and answered; never an error answer.

        Returns:
            The file written.

        Raises:
            InputError: the disk is full.
            ValueError: it cannot be kept (see `RawAnswer.packed`).
        """
        data = answer.packed()
        if self._next_number < 0:
            self._next_number = self._open()
        number, self._next_number = self._next_number, -1
        path = self.folder / f"{number:06d}.json.gz"
        with atomic_file(path) as temporary:
            temporary.write_bytes(data)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            # Before the file has its name: a program killed here leaves a line and, under the
            # temporary name, the file for it. After it, the file would be one that nobody listed.
            append_bytes(self.folder / SUMS, _line(path.name, data))
        self._next_number = number + 1
        return path

    def continues(self, digest: str) -> bool:
        """Says whether the list is one with this SHA-256, or one to which lines were added."""
        return _begins_with(self._lines(), digest)

    def list_again(self, digest: str) -> bool:
        """Writes a lost list again, where the files are those of the list with this SHA-256."""
        lines = [_line(path.name, path.read_bytes()) for path in self.files() if path.is_file()]
        if not _begins_with(lines, digest):
            return False
        self._write_list(lines)
        return True

    def _open(self) -> int:
        """Sees to a list that a line can be added to; returns the next number."""
        path = self.folder / SUMS
        if self.list_damage() or (path.exists() and not path.is_file()):
            # Such as a last line that a kill cut off.
            self._write_list(self._lines())
        names = {*self._sums(), *(path.name for path in self.files())}
        return max((int(name.split(".")[0]) + 1 for name in names), default=0)

    def _write_list(self, lines: Sequence[bytes]) -> None:
        path = self.folder / SUMS
        if path.exists() and not path.is_file():
            set_aside(path)
        with atomic_file(path) as temporary:
            temporary.write_bytes(b"".join(lines))

    def _list(self) -> bytes:
        path = self.folder / SUMS
        return path.read_bytes() if path.is_file() else b""

    def _lines(self) -> list[bytes]:
        return [line for line in self._list().splitlines(keepends=True) if _SUM.fullmatch(line)]

    def _sums(self) -> dict[str, str]:
        """Returns the digest of each file that is listed."""
        listed = filter(None, map(_SUM.fullmatch, self._lines()))
        return {line[2].decode(): line[1].decode() for line in listed}


def folders_of(workspace: Workspace, stage: str) -> Iterator[tuple[str, str]]:
    """Yields the folders that a stage fills, of every generation: its name, and where it lies."""
    for generation in range(newest_generation(workspace) + 1):
        yield from ((folder, generation_path(folder, generation)) for folder in _FOLDERS[stage])


def set_aside(path: Path) -> Path:
    """Renames a file or folder to a free name that ends in `.damaged`, and returns that.

    Where there is none, an empty file of that name says that it was missed.
    """
    names = (f"{path.name}.damaged{end}" for end in ("", *(f"-{n}" for n in range(2, 10_000))))
    aside = next(other for other in map(path.with_name, names) if not other.exists())
    if path.exists():
        path.rename(aside)
    else:
        aside.touch()
    return aside


def now() -> datetime:
    """Returns the time in UTC, to the millisecond that the archive keeps."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _line(name: str, data: bytes) -> bytes:
    return f"{_digest(data)}  {name}\n".encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _begins_with(lines: Sequence[bytes], digest: str) -> bool:
    """Says whether the first lines, however many, have this SHA-256."""
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(line)
        if hasher.hexdigest() == digest:
            return True
    return False


def _why_not(path: Path, sums: dict[str, str], take: Callable[[RawAnswer], object]) -> str:
    """Gives a file's answer to `take`; returns why that cannot be done, or an empty string."""
    if not path.exists() and not _complete(path, sums[path.name]):
        was_set_aside = any(path.parent.glob(f"{path.name}.damaged*"))
        return "" if was_set_aside else GONE
    what = ""
    try:
        if not path.is_file():
            what = "is no file"
        elif path.name not in sums:
            what = f"is not in {SUMS}"
        elif _digest(data := path.read_bytes()) != sums[path.name]:
            what = "has other bytes than were written"
        else:
            take(_unpacked(data))
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        what = f"is not an answer that can be read ({error})"
    return what


def _complete(path: Path, digest: str) -> bool:
    """Gives a file that was written and listed its name, where a program was killed before that."""
    for left in path.parent.glob(f".{path.name}*"):
        if left.is_file() and _digest(left.read_bytes()) == digest:
            left.replace(path)
            return True
    return False


def _unpacked(data: bytes) -> RawAnswer:
    """Returns the answer that a file has.

    Raises:
        ValueError: it is no whole answer.
    """
    try:
        fields = json.loads(gzip.decompress(data))
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(str(error)) from error
    match fields:
        case {
            "endpoint": str(endpoint),
            "request": dict(request),
            "keys": list(keys),
            "fetched_at": str(fetched_at),
            "answer": answer,
        } if all(isinstance(key, str) for key in keys):
            time = datetime.fromisoformat(fetched_at)
        case _:
            raise ValueError("it has no endpoint, request, keys, time and answer")
    if time.utcoffset() != timedelta(0):
        raise ValueError(f"its time must be in UTC, got {fetched_at}")
    return RawAnswer(endpoint, request, tuple(keys), time.astimezone(UTC), answer)
