"""Downloads one file: resumes after a break, and never mixes two versions.

The file is requested without compression, and a compressed one is refused. The server
(Content-Length) and the policy limit its size, and the policy its speed
(`HttpPolicy.slowest_bytes_per_s`).

A broken download is resumed if the server identifies the version of the file by a strong ETag:
`If-Range` makes it send the rest of that version, or the whole of another one. The last bytes
received are requested again, and must be the same. From a server that answers anything else, or
does not support ranges, the whole file is requested again.

The version is kept beside the partial file (`NAME.json`), so that another process can resume it: a
kill costs `_OVERLAP_BYTES` and the bytes in transit. After a power cut the part may hold anything,
so a caller that keeps parts must know the digest of the file.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from hgld.engine.files import write_text
from hgld.errors import FetchError, HgldError, NotFoundError
from hgld.http.bodies import announced_bytes
from hgld.http.connections import deadline
from hgld.http.patience import Patience
from hgld.http.redirects import PoliteSession
from hgld.http.session import failure

# 403 too: S3 sends it for a missing key in a bucket that may not be listed.
_NOT_FOUND = (403, 404, 410)
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 1024
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")

PLAIN = {"Accept-Encoding": "identity"}
"""Headers of a request for an uncompressed file."""


class StoppedError(HgldError):
    """A download was told to stop (`PoliteSession.stopping`); its part is kept."""


class _RefusedError(FetchError):
    """A file that cannot be used; a retry does not help."""


class _BrokenError(Exception):
    """An attempt that failed to get the whole file; the next may succeed."""


def download(session: PoliteSession, url: str, destination: Path) -> None:
    """Streams a file to `destination`, and resumes the part that an earlier call left there.

    If the connection breaks too often, the part stays there. The caller renames the complete file,
    and finally calls `discard_part`.

    Args:
        session: its policy limits the download.
        url: of the file.
        destination: path to write to.

    Raises:
        NotFoundError: the server has no such file (403, 404, 410).
        FetchError: no answer, another error status, a file that is too large or compressed, or a
            connection that is too slow or breaks too often.
        OSError: `destination` cannot be written.
        StoppedError: it was told to stop.
    """
    transfer = _Transfer(session, url, _notes_of(destination))
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        noted = json.loads(transfer.notes.read_text(encoding="utf-8"))
        if noted["url"] == url:
            transfer.total, transfer.etag = noted["total"], noted["etag"]
    try:
        with destination.open("r+b" if destination.exists() else "w+b") as file:
            transfer.run(file)
    except requests.RequestException as error:
        raise failure(url, error) from error
    except (NotFoundError, _RefusedError):
        discard_part(destination)
        raise


def discard_part(destination: Path) -> None:
    """Removes the partial file of a download and its notes."""
    destination.unlink(missing_ok=True)
    discard_notes(destination)


def discard_notes(destination: Path) -> None:
    """Removes the notes of a complete file."""
    _notes_of(destination).unlink(missing_ok=True)


def check_status(url: str, answer: requests.Response) -> None:
    """Refuses an answer that is not the whole file.

    Raises:
        NotFoundError: the server has no such file.
        FetchError: any other status than 200.
    """
    status = answer.status_code
    if status in _NOT_FOUND:
        raise NotFoundError(f"{url} does not exist ({status}); check the address")
    if status != HTTPStatus.OK:
        raise _RefusedError(f"{url} answered {status} {answer.reason}; check the address and rerun")


def _notes_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.json")


@dataclass(slots=True)
class _Transfer:
    """The state of one download."""

    session: PoliteSession
    url: str
    notes: Path
    """The file with the version."""
    total: int | None = None
    """Size in bytes, if known."""
    etag: str = ""
    """A strong ETag; empty if there is none, so that no part can be requested."""
    received: int = 0
    """Bytes received, over all attempts."""
    spent_s: float = 0.0
    """Seconds spent waiting for them."""

    def run(self, file: BinaryIO) -> None:
        """Fetches the file, or the rest of it, in as many attempts as the policy allows.

        Raises:
            FetchError: it cannot be fetched, or the connection broke too often.
            requests.RequestException: there was no answer.
        """
        patience = Patience(self.session.policy, self.url)
        while True:
            start = max(0, file.seek(0, os.SEEK_END) - _OVERLAP_BYTES) if self.etag else 0
            part = {"Range": f"bytes={start}-", "If-Range": self.etag} if start else {}
            try:
                with self.session.get(self.url, headers=PLAIN | part, stream=True) as answer:
                    return self._receive(answer, file, start)
            except _BrokenError as error:
                if not patience.fault(str(error)):
                    what = f"cannot fetch {self.url}: {error}"
                    raise FetchError(f"{what}; check the address and rerun") from error

    def _receive(self, answer: requests.Response, file: BinaryIO, start: int) -> None:
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity"}:
            raise self._refused(f"it has encoding {encoding!r:.40}, which was not asked for")
        partial = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        if start and answer.status_code in partial:
            end: int | None = self._end_of_part(answer, start)
        else:
            check_status(self.url, answer)
            etag = answer.headers.get("ETag", "")
            self.etag = etag if etag.startswith('"') else ""
            start, end = 0, announced_bytes(answer.headers)
            self.total = end
            file.truncate(0)
            # After truncating, so that no byte belongs to the wrong version.
            noted = {"url": self.url, "total": self.total, "etag": self.etag}
            write_text(self.notes, json.dumps(noted))
        most_bytes = self.session.policy.download_bytes
        if (self.total or 0) > most_bytes:
            what = f"it has {self.total:,} bytes, more than {most_bytes:,} (download_bytes)"
            raise self._refused(what)
        self._write(answer, file, start, most_bytes if end is None else end)
        if self.total is not None and file.tell() < self.total:
            raise _BrokenError(f"only {file.tell():,} of {self.total:,} bytes came")

    def _end_of_part(self, answer: requests.Response, start: int) -> int:
        """Checks that an answer is the requested part, and returns its end in the file."""
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        first, last, total = (int(number) for number in match.groups()) if match else (0, 0, 0)
        is_same = (
            answer.status_code == HTTPStatus.PARTIAL_CONTENT
            and first == start <= last < total == (self.total or total)
            and answer.headers.get("ETag", self.etag) == self.etag
        )
        if not is_same:
            self.etag = ""
            raise _BrokenError("the server sent another part than requested")
        self.total = total
        return last + 1

    def _write(self, answer: requests.Response, file: BinaryIO, start: int, end: int) -> None:
        """Writes the answer from `start` to `end`; it must match the bytes already there."""
        file.seek(start)
        again = file.read()
        file.seek(start)
        for chunk in self._chunks(answer):
            if not chunk.startswith(again[: len(chunk)]):
                self.etag = ""
                raise _BrokenError("the server continued with another file")
            again = again[len(chunk) :]
            if file.tell() + len(chunk) > end:
                limit = "that were announced" if self.total else "of download_bytes"
                raise self._refused(f"it continues after the {end:,} bytes {limit}")
            file.write(chunk)

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """Yields chunks as long as they come fast enough."""
        policy = self.session.policy
        while True:
            if self.session.stopping.is_set():
                raise StoppedError(f"{self.url}: stopped after {self.received:,} bytes")
            left_s = policy.deadline_s + self.received / policy.slowest_bytes_per_s - self.spent_s
            started = time.monotonic()
            try:
                with deadline(left_s):
                    chunk = answer.raw.read1(_CHUNK_BYTES, decode_content=False)
            except urllib3.exceptions.ReadTimeoutError as error:
                if time.monotonic() - started >= left_s:
                    why = f"only {self.received:,} bytes came in time (slowest_bytes_per_s)"
                    raise self._refused(why) from error
                raise _BrokenError("no more bytes came in time") from error
            except urllib3.exceptions.HTTPError as error:
                raise _BrokenError(f"the connection broke after {self.received:,} bytes") from error
            finally:
                self.spent_s += time.monotonic() - started
            if not chunk:
                return
            self.received += len(chunk)
            yield chunk

    def _refused(self, why: str) -> _RefusedError:
        return _RefusedError(f"cannot fetch {self.url}: {why}; check the address and rerun")
