"""Connections with a deadline and a check of addresses.

urllib3's time-outs apply to each read of the socket: a server that sends one byte of its headers
per second never meets them, and `http.client` reads on until the end of the line.

The owner of a host name can point it anywhere: to this machine, to the metadata service of a cloud
(169.254.169.254), to a local printer. So a name is resolved once per connection, its addresses are
checked, and only a checked address is connected to; the Host header and the certificate still use
the name. Behind a proxy (HTTP_PROXY, HTTPS_PROXY and NO_PROXY as in `requests`), the proxy resolves
names by its own rules; its address is the user's choice and is not checked.
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

# IPv6 networks whose last 32 bits are an IPv4 address: the old "compatible" one, and NAT64.
_EMBEDDING = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


def is_public(address: str) -> bool:
    """Says whether an IP address is public.

    An IPv6 address that embeds an IPv4 address is public if that one is.

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
    """The addresses that the hosts of one session may have.

    A host that had a public address must keep to public ones. A host with only private addresses
    at first is the user's own server, for example on this machine, and must keep to private ones.
    """

    public_hosts: frozenset[str]
    """Hosts that must be public from the start."""
    _are_public: dict[str, bool] = field(default_factory=dict, init=False)

    def permitted(self, host: str, port: int) -> list[str]:
        """Resolves a name and returns its permitted addresses, best first.

        Raises:
            FetchError: no address is permitted.
            socket.gaierror: the name does not exist.
        """
        name = host.rstrip(".").lower()
        family = allowed_gai_family()  # no IPv6 on a machine that has none
        found = socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_STREAM)
        there = {str(place[0]): is_public(str(place[0])) for *_, place in found}
        first = name in self.public_hosts or any(there.values())
        wanted = self._are_public.setdefault(name, first)
        if addresses := [address for address, is_one in there.items() if is_one == wanted]:
            return addresses
        what = "not a public address" if wanted else "a public address, but was private before"
        raise FetchError(
            f"cannot reach {name}: it resolves to {next(iter(there))}, which is {what}"
        )


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limits the time of this thread's reads within the block; later reads time out."""
    before = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(before)


class _Response(http.client.HTTPResponse):
    """A response that is read through `_Reader`."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as they come
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reader(sock))


class _Reader(io.RawIOBase):
    """Reads a socket, until the deadline if there is one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # The socket closes when the last file made from it closes.
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        left_s = _ends.get() - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer was not complete in time")
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
        """Takes the arguments of the base class, and the rule for addresses."""
        super().__init__(*args, **options)
        self._rule = rule

    def _new_conn(self) -> socket.socket:
        """Connects to the first permitted address that answers, like the base class."""
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
            self._dns_host = name  # for the Host header and the certificate


class PromptHTTPSConnection(PromptHTTPConnection, HTTPSConnection):
    """The same, over TLS."""
