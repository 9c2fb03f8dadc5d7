"""The raw archive: every answer a service gave, kept as it came, one file an answer.

Fetching and parsing are apart. A fetch appends here and nothing else; the tables of the scrape are
built from what lies here alone, so they can be rebuilt offline, bit for bit, and a killed fetch
asks again for nothing that was answered. Error answers are never kept.

A service is a folder below `raw/`, named for the question asked (`COMMONS_PAGES` and the others).
`hgld.commons` and `hgld.wikidata` say which answers their parsers read.
"""

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hgld.errors import AnswerError, FetchError, InputError
from hgld.workspace import atomic_file

logger = logging.getLogger(__name__)

COMMONS_PAGES = "raw/commons-pages"
COMMONS_WIKITEXT = "raw/commons-wikitext"
WIKIDATA_ITEMS = "raw/wikidata-items"
WIKIDATA_CLASSES = "raw/wikidata-classes"

_MOST_FAILURES_IN_A_ROW = 12
"""Halving 500 keys down to a bad one fails 10 times in a row; more means the service is down."""


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
            FetchError: the disk does not take it.
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
        try:
            with atomic_file(path) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise FetchError(
                f"cannot keep an answer in {self.folder}: {error.strerror}; make room and rerun, "
                f"what was fetched before is kept"
            ) from error
        self._next_number += 1
        return path


def fill(
    archive: RawArchive,
    keys: Sequence[str],
    batch_size: int,
    ask: Callable[[Sequence[str]], RawAnswer],
    use: Callable[[RawAnswer], None],
) -> dict[str, str]:
    """Asks for keys in batches and archives each answer before it is used.

    A batch that is too much for the service, or that holds a key it refuses, is halved until the
    trouble is one key's own. A batch that fails for another reason is left, and the next is tried;
    a service that fails again and again is not asked any more.

    Args:
        archive: where answers go.
        keys: what no archived answer covers.
        batch_size: the most keys a request.
        ask: fetches the answer for some keys.
        use: takes each answer, already archived.

    Returns:
        Key to reason, for the keys that got no answer.

    Raises:
        FetchError: the service cannot be reached; what was answered is kept.
    """
    todo = [keys[start : start + batch_size] for start in range(0, len(keys), batch_size)]
    todo.reverse()
    failed: dict[str, str] = {}
    failures = 0
    while todo:
        batch = todo.pop()
        try:
            answer = ask(batch)
        except AnswerError as error:
            failures += 1
            if failures >= _MOST_FAILURES_IN_A_ROW:
                logger.warning("%d requests failed in a row; not asking any more", failures)
                failed.update(_reasons([batch, *todo], f"not asked again after: {error}"))
                break
            if error.smaller_may_do and len(batch) > 1:
                half = len(batch) // 2
                todo += [batch[half:], batch[:half]]
            else:
                failed.update(_reasons([batch], str(error)))
            continue
        failures = 0
        archive.append(answer)
        use(answer)
    return failed


def now() -> datetime:
    """Returns the time in UTC, to the millisecond that the archive keeps."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _reasons(batches: Iterable[Sequence[str]], reason: str) -> dict[str, str]:
    return {key: reason for batch in batches for key in batch}


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
