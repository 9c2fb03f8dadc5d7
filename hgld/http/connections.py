"""Connections that keep to a deadline and to permitted addresses.

The time-outs of urllib3 are for each read of the socket: a server that sends a byte of its headers
or of a chunk's size a second never meets them, and `http.client` reads on for as long as the line
may be.

Whoever answers for a name can let it lead anywhere: to this machine, to the metadata service of a
cloud (169.254.169.254), to a printer next door. So a name is resolved once for a connection, what
it leads to is checked, and what was checked is what is connected to; the name stays what is asked
for and what the certificate must be of. Behind a proxy (HTTP_PROXY, HTTPS_PROXY, NO_PROXY as
`requests` takes them) the proxy resolves names by its own rules; its address is the user's choice
and is not checked.
"""

import contextlib
import http.client
import io
import ipaddress
import math
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from hgld.errors import FetchError

# IPv6 networks whose last 32 bits are an IPv4 address: the old "compatible" ones, and NAT64.
_EMBEDDING = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


def is_public(address: str) -> bool:
    """Says whether an IP address can be reached from anywhere.

    An IPv6 address that stands for an IPv4 address is what that one is.

    Example:
        >>> [is_public(one) for one in ("198.35.26.96", "::ffff:127.0.0.1", "169.254.169.254")]
        [True, False, False]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in _EMBEDDING):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if inner := ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1]):
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(slots=True)
class AddressRule:
    """Where the hosts of one session may be.

    A host whose name has led to a public address never leads to another kind later. One that led
    only to others when it was first asked for is a server of one's own, such as a lab on this
    machine, and never leads to a public one.
    """

    public_hosts: frozenset[str]
    """Hosts that must be public from the first time on."""
    _are_public: dict[str, bool] = field(default_factory=dict, init=False)

    def permitted(self, host: str, port: int) -> list[str]:
        """Resolves a name and returns the addresses that it may be reached at, best first.

        Raises:
            FetchError: there is none.
            socket.gaierror: there is no such name.
        """
        name = host.rstrip(".").lower()
        family = allowed_gai_family()  # no IPv6 on a machine that has none
        found = socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_STREAM)
        there = {str(place[0]): is_public(str(place[0])) for *_, place in found}
        first = name in self.public_hosts or any(there.values())
        wanted = self._are_public.setdefault(name, first)
        if addresses := [address for address, is_one in there.items() if is_one == wanted]:
            return addresses
        what = "not a public address" if wanted else "a public address, and was none before"
        raise FetchError(f"cannot reach {name}: it leads to {next(iter(there))}, which is {what}")


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limits what this thread reads within the block; then a read is a time-out."""
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
    """A connection that obeys `deadline` and a rule."""

    response_class = _Response

    def __init__(self, *args: Any, rule: AddressRule, **options: Any) -> None:  # noqa: ANN401 - as they come
        """Takes what the base class takes, and where it may connect to."""
        super().__init__(*args, **options)
        self._rule = rule

    def _new_conn(self) -> socket.socket:
        """Connects, as the base class does, to the first permitted address that answers."""
        name = self._dns_host
        if self.proxy is not None:
            return super()._new_conn()
        try:
            *others, last = self._rule.permitted(name, self.port)
        except (socket.gaierror, UnicodeError) as error:
            reason = socket.gaierror(*error.args)
            raise NameResolutionError(self.host, self, reason) from error
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
