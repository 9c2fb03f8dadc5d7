"""Connections on which the head of an answer has to be whole in time, however slowly it drips.

The time-outs of urllib3 are for each read of the socket: a server that sends a byte of its headers
a second never meets them, and `http.client` reads on for as long as the line may be.
"""

import http.client
import io
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection


def connection_class(scheme: str, deadline_s: float) -> type[HTTPConnection]:
    """Returns urllib3's connection for a scheme, with a deadline for the head of an answer.

    Args:
        scheme: http or https.
        deadline_s: from when the request is sent; one that comes too late is a time-out, as if
            nothing had come. The last read may last as long as its own time-out.
    """

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as they come
            super().__init__(sock, *args, **options)
            self.fp.close()
            self._reader = _Reader(sock)
            self.fp = io.BufferedReader(self._reader)

        def begin(self) -> None:
            self._reader.ends = time.monotonic() + deadline_s
            super().begin()
            self._reader.ends = None  # the body has a deadline of its own, or none

    base = HTTPSConnection if scheme == "https" else HTTPConnection
    return type("PromptConnection", (base,), {"response_class": Response})


class _Reader(io.RawIOBase):
    """Reads a socket, until a time if there is one."""

    def __init__(self, sock: socket.socket) -> None:
        # Not the socket itself: it is closed when the last file made from it is.
        self._file = sock.makefile("rb", buffering=0)
        self.ends: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        if self.ends is not None and time.monotonic() > self.ends:
            raise TimeoutError("the head of the answer was not whole in time")
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()
