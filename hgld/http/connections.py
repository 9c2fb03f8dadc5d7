"""Connections from which an answer has to come in time, however slowly it drips.

The time-outs of urllib3 are for each read of the socket: a server that sends a byte of its headers
or of a chunk's size a second never meets them, and `http.client` reads on for as long as the line
may be.
"""

import contextlib
import http.client
import io
import math
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Gives what is read within the block, in its thread, so long; then a read is a time-out.

    The last read may last as long as its own time-out.
    """
    before = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(before)


class _Response(http.client.HTTPResponse):
    """An answer that is read through `_Reader`."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as they come
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Reader(io.RawIOBase):
    """Reads a socket, until the deadline if there is one."""

    def __init__(self, sock: socket.socket) -> None:
        # Not the socket itself: it is closed when the last file made from it is.
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        if time.monotonic() > _ends.get():
            raise TimeoutError("the answer was not whole in time")
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _PromptHTTPConnection(HTTPConnection):
    response_class = _Response


class _PromptHTTPSConnection(HTTPSConnection):
    response_class = _Response


CONNECTIONS: dict[str, type[HTTPConnection]] = {
    "http": _PromptHTTPConnection,
    "https": _PromptHTTPSConnection,
}
"""Scheme to the connection that obeys `deadline`."""
