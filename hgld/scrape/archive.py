"""The raw archive: every answer a service gave, kept as it came, one file an answer.

Fetching and parsing are apart. A fetch appends here and nothing else; the tables of the scrape are
built from what lies here alone, so they can be rebuilt offline, bit for bit, and a killed fetch
asks again for nothing that was answered. Error answers are never kept.

A service is a folder below `raw/`, named for the question asked (`COMMONS_PAGES` and the others);
what was found in dump files is kept alike (`hgld.scrape.dumps.read`).
A refresh asks everything again: it is a generation of its own, with the same folders below
`raw/refresh-1/`, and then `raw/refresh-2/`. What earlier generations were answered stays.

`hgld.scrape.wikimedia` says which answers its parsers read.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hgld.engine.files import atomic_file
from hgld.engine.workspace import Workspace
from hgld.errors import InputError

COMMONS_PAGES = "raw/commons-pages"
COMMONS_WIKITEXT = "raw/commons-wikitext"
COMMONS_LOG = "raw/commons-log"
WIKIDATA_ITEMS = "raw/wikidata-items"
WIKIDATA_CLASSES = "raw/wikidata-classes"
DUMP_PAGES = "raw/dump-pages"
DUMP_ENTITIES = "raw/dump-entities"


_RAW = "raw"
_REFRESH = "refresh-"


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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(slots=True)
class RawArchive:
    """The answers of one service, in the order they came."""

    folder: Path
    """Where they lie, such as `workspace.path(COMMONS_PAGES)`; made when needed."""
    _next_number: int = field(default=-1, init=False)  # -1: not known yet

    def files(self) -> list[Path]:
        """Returns the files of the archive, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json.gz"))

    def answers(self) -> Iterator[RawAnswer]:
        """Reads every answer, oldest first.

        Raises:
            InputError: a file that is no whole answer.
        """
        for path in self.files():
            yield _read(path)

    def append(self, answer: RawAnswer) -> Path:
        """Keeps an answer, atomically, under the next number.

        The bytes depend on the answer alone: the gzip header carries no time.

        Args:
            answer: what was asked and answered; never an error answer.

        Returns:
            The file written.

        Raises:
            InputError: the disk is full.
        """
        if self._next_number < 0:
            files = self.files()
            self._next_number = int(files[-1].name.split(".")[0]) + 1 if files else 0
        path = self.folder / f"{self._next_number:06d}.json.gz"
        fields = {
            "endpoint": answer.endpoint,
            "request": answer.request,
            "keys": answer.keys,
            "fetched_at": answer.fetched_at.isoformat(timespec="milliseconds"),
            "answer": answer.answer,
        }
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        # A lone surrogate can stand in JSON and cannot in UTF-8: it is kept as it came.
        data = gzip.compress(text.encode("utf-8", errors="surrogatepass"), mtime=0)
        with atomic_file(path) as temporary:
            temporary.write_bytes(data)
        self._next_number += 1
        return path


def now() -> datetime:
    """Returns the time in UTC, to the millisecond that the archive keeps."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _read(path: Path) -> RawAnswer:
    try:
        fields = json.loads(gzip.decompress(path.read_bytes()).decode("utf-8", "surrogatepass"))
        fields["keys"] = tuple(fields["keys"])
        fields["fetched_at"] = datetime.fromisoformat(fields["fetched_at"])
        return RawAnswer(**fields)
    except (EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path} is not a whole answer ({error}); delete it and rerun to fetch it again"
        ) from error
