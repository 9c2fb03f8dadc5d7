"""A file on a web server as a file that can be read here and there, by Range requests.

The end of a file is asked for first, which tells its size and, of parquet, where everything lies.
All parts have to be of one version of the file. Waits and retries are those of `hgld.http`.
"""

import io
import re
from http import HTTPStatus

import requests

from hgld.engine.logins import redacted
from hgld.errors import DamagedError, FetchError, NotFoundError
from hgld.http.patience import Patience
from hgld.http.redirects import PoliteSession
from hgld.http.session import failure, reason_of
from hgld.http.transfer import PLAIN

_TAIL_BYTES = 1 << 16  # what Arrow asks for first
_PIECE_BYTES = 1 << 22  # of one request, so that a slow line ends it in time
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_NOT_FOUND = (403, 404, 410)


class RangeFile(io.RawIOBase):
    """Reads what is asked of a file at an http(s) address, and nothing else."""

    def __init__(self, session: PoliteSession, url: str) -> None:
        """Asks for the end of the file.

        Args:
            session: its policy bounds the requests.
            url: the address, without a login.

        Raises:
            NotFoundError: the server has no such file.
            FetchError: it cannot be had, or not in parts.
        """
        super().__init__()
        self._session = session
        self._url = url
        self._place = 0
        self._size, self._etag = 0, ""
        self._tail_start, self._tail = self._part()

    def readable(self) -> bool:
        """Says that it can be read."""
        return True

    def seekable(self) -> bool:
        """Says that any place of it can be."""
        return True

    def tell(self) -> int:
        """Returns where the next byte is read."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, as any file does."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns the next bytes: of the end as it came, the others by a request each 4 MB.

        Raises:
            FetchError: they cannot be had.
        """
        end = self._size
        if size is not None and size >= 0:
            end = min(end, self._place + size)
        start, parts = self._place, []
        before_tail = min(end, self._tail_start)
        while start < before_tail:
            stop = min(before_tail, start + _PIECE_BYTES)
            parts.append(self._part(start, stop)[1])
            start = stop
        if start < end:
            parts.append(self._tail[start - self._tail_start : end - self._tail_start])
        self._place = max(self._place, end)
        return b"".join(parts)

    def _part(self, start: int | None = None, stop: int = 0) -> tuple[int, bytes]:
        """Returns where a part begins, and its bytes; None: the end of the file."""
        shown = redacted(self._url)
        wanted = f"-{_TAIL_BYTES}" if start is None else f"{start}-{stop - 1}"
        headers = {**PLAIN, "Range": f"bytes={wanted}"}
        try:
            answer = self._answer(headers, is_first=start is None)
        except requests.RequestException as error:
            raise failure(shown, error) from error
        first, last, size = self._bounds(answer, wanted)
        content, etag = answer.content, answer.headers.get("ETag", "")
        if start is None:
            self._size, self._etag = size, etag
            start, stop = max(0, size - _TAIL_BYTES), size
        if (size, etag) != (self._size, self._etag):
            raise FetchError(f"{shown} changed while it was read; load it again")
        if (first, last + 1, len(content)) != (start, stop, stop - start):
            raise FetchError(
                f"{shown} sent {len(content):,} bytes, {first}-{last}, where {wanted} was asked for"
            )
        return start, content

    def _answer(self, headers: dict[str, str], *, is_first: bool) -> requests.Response:
        """Returns an answer that came whole, or with its head alone where that is not a part."""
        if not is_first:
            return self._session.get(self._url, headers=headers)
        # Streamed, since a server without ranges would send all of the file; what breaks then is
        # tried again here, and not by the session.
        patience = Patience(self._session.policy, redacted(self._url))
        while True:
            with self._session.get(self._url, headers=headers, stream=True) as answer:
                if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
                    return answer
                try:
                    _ = answer.content
                except requests.RequestException as error:
                    if not patience.fault(reason_of(error)):
                        raise
                else:
                    return answer

    def _bounds(self, answer: requests.Response, wanted: str) -> tuple[int, ...]:
        """Returns the first and the last byte of an answer, and the size of the file."""
        shown, status = redacted(self._url), answer.status_code
        if status in _NOT_FOUND:
            raise NotFoundError(f"{shown} is not there ({status}); check the address")
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise DamagedError(f"{shown} is empty, or was cut short; load it again")
        if status == HTTPStatus.OK:
            raise FetchError(
                f"{shown} must be readable in parts (HTTP Range), and its server sends all of it; "
                f"fetch it first, then load what came"
            )
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if status != HTTPStatus.PARTIAL_CONTENT or match is None:
            raise FetchError(f"{shown} answered {status} {answer.reason} to bytes {wanted}")
        return tuple(map(int, match.groups()))
