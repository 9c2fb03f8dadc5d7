"""Connections that keep to a deadline and to permitted addresses.

The time-outs of urllib3 are for each read of the socket: a server that sends a byte of its headers
or of a chunk's size a second never meets them, and `http.client` reads on for as long as the line
may be.

A name that is checked and then resolved again for the connection can lead elsewhere the second
time. Here it is resolved once (`hgld.http.addresses`); the name stays what is asked for and what
the certificate must be of. Behind a proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY as `requests` takes
them) the proxy resolves names, and keeps whatever rule it has: its own address is the user's choice
and is not checked.
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
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from hgld.http.addresses import AddressRule, ForbiddenAddressError

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)
_rule: ContextVar[AddressRule | None] = ContextVar("rule", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limits what this thread reads within the block; then a read is a time-out."""
    before = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(before)


@contextlib.contextmanager
def reaching(rule: AddressRule) -> Iterator[None]:
    """Lets this thread connect only to permitted addresses within the block."""
    before = _rule.set(rule)
    try:
        yield
    finally:
        _rule.reset(before)


class ForbiddenConnectionError(NewConnectionError):
    """No address of a name is permitted; its cause says why."""


class _Response(http.client.HTTPResponse):
    """An answer that is read through `_Reader`."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as they come
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Reader(io.RawIOBase):
    """Reads a socket, until the deadline if there is one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Not read itself: it is closed when the last file made from it is.
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        left_s = _ends.get() - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer was not whole in time")
        timeout_s = self._sock.gettimeout()
        if left_s < (math.inf if timeout_s is None else timeout_s):
            self._sock.settimeout(left_s)
        try:
            return self._file.readinto(buffer)
        finally:
            self._sock.settimeout(timeout_s)

    def close(self) -> None:
        self._file.close()
        super().close()


class PromptHTTPConnection(HTTPConnection):
    """A connection that obeys `deadline` and `reaching`."""

    response_class = _Response

    def _new_conn(self) -> socket.socket:
        """Connects, as the base class does, to the first permitted address that answers."""
        rule, name = _rule.get(), self._dns_host
        if rule is None or self.proxy is not None:
            return super()._new_conn()
        try:
            *others, last = rule.permitted(name, self.port)
        except (socket.gaierror, UnicodeError) as error:
            reason = socket.gaierror(*error.args)
            raise NameResolutionError(self.host, self, reason) from error
        except ForbiddenAddressError as error:
            raise ForbiddenConnectionError(self, str(error)) from error
        try:
            for self._dns_host in others:
                with contextlib.suppress(NewConnectionError, ConnectTimeoutError):
                    return super()._new_conn()
            self._dns_host = last
            return super()._new_conn()
        finally:
            self._dns_host = name  # what is asked for, and whose certificate is expected


class PromptHTTPSConnection(PromptHTTPConnection, HTTPSConnection):
    """The same, over TLS."""
