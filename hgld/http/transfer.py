"""One file over the web: gone on with where the line broke, and never two files in one.

What is asked for is the file itself, byte for byte; one that comes packed is refused. How much may
come is said by the server (Content-Length), by whoever knows the size, and by the policy; how
slowly, by the policy (`HttpPolicy.slowest_bytes_per_s`).

A broken download is gone on with where the server names the version of the file (a strong ETag, or
a Last-Modified that is one): `If-Range` has it send the rest of that version, or the whole of
another. The last bytes that came are asked for again, and must be the same. A server that answers
with anything else is asked for the whole file, as is one that knows no ranges.

Where that is wanted (`keep`), the version is written beside the part that came (`NAME.json`), so
that another process goes on too: a kill costs `_OVERLAP_BYTES` and what was on its way. After a
power cut the part may hold anything, so that whoever keeps parts has to know the file's digest.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3

from hgld.engine.files import write_text
from hgld.errors import FetchError, HgldError, NotFoundError
from hgld.http.bodies import announced_bytes
from hgld.http.connections import deadline
from hgld.http.patience import HttpPolicy, Patience
from hgld.http.redirects import PoliteSession
from hgld.http.session import reason_of

# 403 too: that is how S3 answers for a key that is not there in a bucket it may not list.
_NOT_FOUND = (403, 404, 410)
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 1024
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_MD5_TAG = re.compile(r'"([0-9a-f]{32})"')

PLAIN = {"Accept-Encoding": "identity"}
"""Headers of a request for a file as it is."""


class StoppedError(HgldError):
    """A download was told to stop (`PoliteSession.stopping`); what came is kept if it may be."""


def download(
    session: PoliteSession,
    url: str,
    destination: Path,
    *,
    size: int = 0,
    most_bytes: int = 0,
    keep: bool = False,
) -> None:
    """Streams a file to `destination`, which the caller renames when it is whole.

    Args:
        session: its policy bounds the download.
        url: of the file.
        destination: where to write; removed again where the file cannot be had.
        size: which it must have, in bytes; 0 where that is not known.
        most_bytes: which it may have; 0 takes the policy's bound.
        keep: goes on with what an earlier call left there, and leaves what came where the line
            breaks too often; the caller calls `discard_part` in the end.

    Raises:
        NotFoundError: the server has no such file.
        FetchError: no answer, another error status, a file that is too large, packed, or not the
            one that was announced, or a line that is too slow or breaks too often.
        OSError: `destination` cannot be written.
    """
    most_bytes = most_bytes or session.policy.download_bytes
    transfer = _Transfer(session, url, most_bytes, known=size or None)
    if keep:
        transfer.notes = _notes_of(destination)
        transfer.version = _noted_version(transfer.notes, url)
    is_of_use = False
    try:
        with destination.open("r+b" if keep and destination.exists() else "w+b") as file:
            _run_patiently(transfer, file)
        is_of_use = True
    except requests.RequestException as error:
        is_of_use = keep
        raise FetchError(
            f"cannot fetch {url}: {reason_of(error)}; check the address and rerun"
        ) from error
    except FetchError as error:
        is_of_use = keep and isinstance(error.__cause__, _BrokenError) and transfer.is_resumable
        raise
    except StoppedError:
        is_of_use = keep
        raise
    finally:
        if not is_of_use:
            discard_part(destination)


def _run_patiently(transfer: "_Transfer", file: BinaryIO) -> None:
    """Goes on with a file until it is whole, or the line broke too often."""
    patience = Patience(transfer.session.policy, transfer.url)
    while True:
        try:
            return transfer.run(file)
        except _BrokenError as error:
            if not patience.fault(str(error)):
                raise FetchError(
                    f"cannot fetch {transfer.url}: {error}; check the address and rerun"
                ) from error


def discard_part(destination: Path) -> None:
    """Removes what a download left, and what was noted of it."""
    destination.unlink(missing_ok=True)
    _notes_of(destination).unlink(missing_ok=True)


def _notes_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.json")


def _noted_version(notes: Path, url: str) -> "_Version":
    """Returns of which version of a file a part is; none where that is not known for sure."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        values = json.loads(notes.read_text(encoding="utf-8"))
        if values.pop("url") == url:
            return _Version(**values)
    return _Version()


class _BrokenError(Exception):
    """An attempt that did not end with the whole file; the next may."""


@dataclass(slots=True)
class _Version:
    """What a server says of the file that it sends."""

    total: int | None = None
    """Its size in bytes, where that is said."""
    etag: str = ""
    validator: str = ""
    """For If-Range; empty where there is none that is strong."""
    md5: str = ""
    """Where its ETag is one."""


@dataclass(slots=True)
class _Transfer:
    """One file under way."""

    session: PoliteSession
    url: str
    most_bytes: int
    known: int | None
    """The size that the file must have."""
    version: _Version = field(default_factory=_Version)
    is_resumable: bool = True
    """Whether the server may be asked for a part."""
    notes: Path | None = None
    """Where the version is written down, so that a later process can go on; None: nowhere."""
    received: int = 0
    """Bytes that came, over all attempts."""
    spent_s: float = 0.0
    """Seconds that they were waited for."""

    def run(self, file: BinaryIO) -> None:
        """Fetches the file, or the rest of it, into `file`.

        Raises:
            _BrokenError: it is not whole yet; what came is kept.
            FetchError: it cannot be had.
            requests.RequestException: there was no answer.
        """
        start = max(0, file.seek(0, os.SEEK_END) - _OVERLAP_BYTES)
        if not (self.is_resumable and self.version.validator):
            start = 0
        headers = dict(PLAIN)
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": self.version.validator}
        with self.session.get(self.url, headers=headers, stream=True) as answer:
            end = self._end_of(answer, start)
            if answer.status_code == HTTPStatus.OK:
                start = 0
                file.truncate(0)
                self._note()  # after that, since no byte may lie under the wrong version
            file.seek(start)
            self._write(answer, file, end)
        self._check(file)

    def _note(self) -> None:
        if self.notes and self.version.validator:
            values = {"url": self.url, **dataclasses.asdict(self.version)}
            write_text(self.notes, json.dumps(values))
        elif self.notes:
            self.notes.unlink(missing_ok=True)

    def _end_of(self, answer: requests.Response, start: int) -> int | None:
        """Returns where in the file an answer will end, None where that is not said."""
        status = answer.status_code
        if status in _NOT_FOUND:
            raise NotFoundError(f"{self.url} is not there ({status}); check the address")
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in {"", "identity"}:
            raise self._refused(f"it comes packed with {encoding!r:.40}, and is wanted as it is")
        if start and status in {
            HTTPStatus.PARTIAL_CONTENT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        }:
            return self._end_of_part(answer, start)
        if status != HTTPStatus.OK:
            raise FetchError(f"{self.url} answered {status} {answer.reason}")
        self.version = version = _version_of(answer)
        if version.total is None:
            version.total = self.known
        if self.known not in {None, version.total}:
            raise self._refused(
                f"it was announced with {self.known:,} bytes, and comes with {version.total:,}"
            )
        if (version.total or 0) > self.most_bytes:
            raise self._refused(f"it has {version.total:,} bytes, {self._at_most}")
        return version.total

    def _end_of_part(self, answer: requests.Response, start: int) -> int:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        first, last, total = (int(number) for number in match.groups()) if match else (0, 0, 0)
        is_same = (
            first == start <= last < total
            and total == (self.version.total or total)
            and answer.headers.get("ETag", self.version.etag) == self.version.etag
        )
        if not is_same or answer.status_code != HTTPStatus.PARTIAL_CONTENT:
            self.is_resumable = False
            raise _BrokenError("the server sent another part than was asked for")
        self.version.total = total
        return last + 1

    def _write(self, answer: requests.Response, file: BinaryIO, end: int | None) -> None:
        """Writes what comes, from where `file` stands; what is there already must be the same."""
        start = file.tell()
        again = file.read()
        file.seek(start)
        most = self.most_bytes if end is None else min(end, self.most_bytes)
        for chunk in self._chunks(answer):
            if not chunk.startswith(again[: len(chunk)]):
                self.is_resumable = False
                raise _BrokenError("the server went on with another file")
            again = again[len(chunk) :]
            if file.tell() + len(chunk) > most:
                announced = end is not None and end <= self.most_bytes
                raise self._refused(
                    f"it goes on after the {end:,} bytes that were announced"
                    if announced
                    else f"it has more bytes, {self._at_most}"
                )
            file.write(chunk)

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """Yields what comes, as long as it comes fast enough."""
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
                    raise self._refused(_too_slow(self.received, policy)) from error
                raise _BrokenError("no more came in time") from error
            except urllib3.exceptions.HTTPError as error:
                raise _BrokenError(f"the line broke after {self.received:,} bytes") from error
            finally:
                self.spent_s += time.monotonic() - started
            if not chunk:
                return
            self.received += len(chunk)
            yield chunk

    def _check(self, file: BinaryIO) -> None:
        """Refuses a file that is not what was announced."""
        total, size = self.version.total, file.tell()
        if total is not None and size < total:
            raise _BrokenError(f"{size:,} of {total:,} bytes came")
        if self.version.md5:
            file.seek(0)
            hasher = hashlib.md5(usedforsecurity=False)
            while piece := file.read(_CHUNK_BYTES):
                hasher.update(piece)
            if hasher.hexdigest() != self.version.md5:
                self.is_resumable = False
                raise _BrokenError(f"its MD5 must be {self.version.md5}, as its ETag says")

    @property
    def _at_most(self) -> str:
        return f"where {self.most_bytes:,} are the most (download_bytes)"

    def _refused(self, why: str) -> FetchError:
        return FetchError(f"cannot fetch {self.url}: {why}; check the address and rerun")


def _too_slow(received: int, policy: HttpPolicy) -> str:
    return (
        f"only {received:,} bytes came; after {policy.deadline_s:g} s it must be "
        f"{policy.slowest_bytes_per_s:,} a second on average (slowest_bytes_per_s)"
    )


def _version_of(answer: requests.Response) -> _Version:
    headers = answer.headers
    etag = headers.get("ETag", "")
    # Of S3 alone is it known what its tags are, and not even there of what it keeps encrypted.
    is_plain = "x-amz-request-id" in headers and "x-amz-server-side-encryption" not in headers
    md5 = _MD5_TAG.fullmatch(etag)
    return _Version(
        total=announced_bytes(headers),
        etag=etag,
        validator=etag if etag.startswith('"') else _strong_date(headers),
        md5=md5[1] if md5 and is_plain else "",
    )


def _strong_date(headers: "requests.structures.CaseInsensitiveDict[str]") -> str:
    """Returns Last-Modified where the file cannot have changed again since (RFC 9110, 8.8.2.2)."""
    modified = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified)
        return modified if age.total_seconds() >= 1 else ""
    except (TypeError, ValueError):  # none, or none that can be read
        return ""
