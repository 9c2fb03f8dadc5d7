"""The raw archive: every answer of a service as received, one file per answer.

Fetching and parsing are separate. A fetch only appends here; the tables of the scrape are built
from these files, so they can be rebuilt offline, bit for bit, and a fetch that was killed does not
repeat what was answered. Error answers are never kept, nor is anything that no table could hold
(NaN, half a surrogate pair).

Each question has a folder below `raw/` (`COMMONS_PAGES` and so on). A refresh asks everything
again: it is a generation of its own, with the same folders below `raw/refresh-1/`, then
`raw/refresh-2/`. The answers of earlier generations stay.

Each folder has a `SHA256SUMS` with one line per answer, in the format that `sha256sum -c` reads. A
file that was altered, removed, added or renamed does not match it. Such a file is set aside as
`NAME.damaged`, and its keys are asked for again; nothing is deleted.

Lines are only ever appended to this list. A stage records the digest of each list when it ends, and
every later list is checked against that digest (`hgld.scrape.verify`).
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
COMMONS_FILES = "raw/commons-files"
WIKIDATA_ITEMS = "raw/wikidata-items"
WIKIDATA_CLASSES = "raw/wikidata-classes"
WIKIDATA_EVIDENCE = "raw/wikidata-evidence"
WIKIDATA_PLACES = "raw/wikidata-places"
WIKIDATA_MEDIA = "raw/wikidata-media"

SUMS = "SHA256SUMS"
"""Name of the list of a folder's answers and their digests."""

OF_LISTS = "lists"
"""In the place of a stage, of answers about the pictures of a bare list."""

_RAW = "raw"
_REFRESH = "refresh-"
_FOLDERS = {
    "scrape": (COMMONS_PAGES, COMMONS_WIKITEXT, COMMONS_LOG, WIKIDATA_ITEMS, WIKIDATA_CLASSES),
    "evidence": (WIKIDATA_EVIDENCE,),
    "facts": (WIKIDATA_PLACES,),
    "parents": (COMMONS_PARENTS,),
    OF_LISTS: (COMMONS_FILES, WIKIDATA_MEDIA),
}
"""The folders that each stage fills, in every generation."""
_SUM = re.compile(rb"([0-9a-f]{64})  ([0-9]+\.json\.gz)\n")


def newest_generation(workspace: Workspace) -> int:
    """Returns how often the archive was refreshed, including an unfinished refresh."""
    folders = workspace.path(_RAW).glob(f"{_REFRESH}*")
    numbers = [folder.name.removeprefix(_REFRESH) for folder in folders]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def start_generation(workspace: Workspace, generation: int) -> None:
    """Makes the folder of a generation, which becomes the newest."""
    workspace.path(f"{_RAW}/{_REFRESH}{generation}").mkdir(parents=True)


def generation_path(folder: str, generation: int) -> str:
    """Returns the folder of a question in a generation, relative to the workspace."""
    if generation == 0:
        return folder
    return f"{_RAW}/{_REFRESH}{generation}/{folder.removeprefix(f'{_RAW}/')}"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer of a service, with its request."""

    endpoint: str
    """Address of the service."""
    request: dict[str, Any]
    """As sent."""
    keys: tuple[str, ...]
    """All page titles or Q-ids that were asked for, whatever the answer says about each."""
    fetched_at: datetime
    """When the answer was complete, in UTC."""
    answer: Any
    """The parsed JSON, unchanged."""

    def packed(self) -> bytes:
        """Returns the bytes of the answer's file; equal answers give equal bytes.

        Raises:
            ValueError: the answer has something that does not survive a round trip: NaN, half a
                surrogate pair, or JSON that is nested too deeply.
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
            raise ValueError(f"it has {text[error.start]!r}, which is not a character") from error
        return gzip.compress(data, mtime=0)  # the header carries no time


@dataclass(slots=True)
class RawArchive:
    """The answers to one question, in the order they came."""

    folder: Path
    """Such as `workspace.path(COMMONS_PAGES)`; made when needed."""
    _next_number: int = field(default=-1, init=False)  # -1: not known yet

    def files(self) -> list[Path]:
        """Returns the files of the archive, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json.gz"))

    def load(self, take: Callable[[RawAnswer], object], *, mend: bool = False) -> dict[Path, str]:
        """Reads every answer, oldest first, and skips files that are damaged or unlisted.

        Args:
            take: called with each answer; raises a ValueError for one that it cannot read.
            mend: whether to rename skipped files to `NAME.damaged`, and to log them.

        Returns:
            The skipped files, each with the reason, such as "is gone".
        """
        if damage := self.list_damage():
            logger.warning("%s %s", self.folder / SUMS, damage)
        sums, misfits, answered = self._sums(), dict[Path, str](), set[tuple[str, str]]()

        def take_new(answer: RawAnswer) -> None:
            keys = {(answer.endpoint, key) for key in answer.keys}
            if not answered.isdisjoint(keys):
                # No run asks again for what it has, so this file came from elsewhere.
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
        """Returns what is wrong with the list; empty if it is as written."""
        if not self._list() or b"".join(self._lines()) == self._list():
            return ""
        return "has a foreign or cut-off line, which is ignored"

    def append(self, answer: RawAnswer) -> Path:
        """Writes an answer atomically, under the next number.

        Args:
            answer: never an error answer.

        Returns:
            The file written.

        Raises:
            InputError: the disk is full.
            ValueError: the answer cannot be kept (see `RawAnswer.packed`).
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
            # Before the rename: a program killed here leaves the line, and its file under the
            # temporary name. After the rename, a kill would leave a file that is not listed.
            append_bytes(self.folder / SUMS, _line(path.name, data))
        self._next_number = number + 1
        return path

    def continues(self, digest: str) -> bool:
        """Says whether the list has this SHA-256, or had it before lines were appended."""
        return _begins_with(self._lines(), digest)

    def list_again(self, digest: str) -> bool:
        """Rewrites a lost list if the files match the list with this SHA-256; says whether."""
        lines = [_line(path.name, path.read_bytes()) for path in self.files() if path.is_file()]
        if not _begins_with(lines, digest):
            return False
        self._write_list(lines)
        return True

    def _open(self) -> int:
        """Makes sure that a line can be appended to the list; returns the next number."""
        path = self.folder / SUMS
        if self.list_damage() or (path.exists() and not path.is_file()):
            # For example, a kill cut off the last line.
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
        """Returns the digest of each listed file, by file name."""
        listed = filter(None, map(_SUM.fullmatch, self._lines()))
        return {line[2].decode(): line[1].decode() for line in listed}


def folders_of(workspace: Workspace, stage: str) -> Iterator[tuple[str, str]]:
    """Yields each folder that a stage fills, in every generation, as (question, path)."""
    for generation in range(newest_generation(workspace) + 1):
        yield from ((folder, generation_path(folder, generation)) for folder in _FOLDERS[stage])


def set_aside(path: Path) -> Path:
    """Renames a file or folder to a free `NAME.damaged`, and returns the new path.

    If the path does not exist, an empty file of that name records that it was missing.
    """
    names = (f"{path.name}.damaged{end}" for end in ("", *(f"-{n}" for n in range(2, 10_000))))
    aside = next(other for other in map(path.with_name, names) if not other.exists())
    if path.exists():
        path.rename(aside)
    else:
        aside.touch()
    return aside


def now() -> datetime:
    """Returns the current time in UTC, in milliseconds as the archive keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _line(name: str, data: bytes) -> bytes:
    return f"{_digest(data)}  {name}\n".encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _begins_with(lines: Sequence[bytes], digest: str) -> bool:
    """Says whether some number of the first lines has this SHA-256."""
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(line)
        if hasher.hexdigest() == digest:
            return True
    return False


def _why_not(path: Path, sums: dict[str, str], take: Callable[[RawAnswer], object]) -> str:
    """Passes a file's answer to `take`; returns why that failed, or an empty string."""
    if not path.exists() and not _complete(path, sums[path.name]):
        was_set_aside = any(path.parent.glob(f"{path.name}.damaged*"))
        return "" if was_set_aside else GONE
    what = ""
    try:
        if not path.is_file():
            what = "is not a file"
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
    """Renames a file that was written and listed, if a kill came before the rename."""
    for left in path.parent.glob(f".{path.name}*"):
        if left.is_file() and _digest(left.read_bytes()) == digest:
            left.replace(path)
            return True
    return False


def _unpacked(data: bytes) -> RawAnswer:
    """Returns the answer in a file.

    Raises:
        ValueError: the file does not hold a complete answer.
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
