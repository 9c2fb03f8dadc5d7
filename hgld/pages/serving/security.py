"""Who may ask for what: the rules that keep other pages, and other machines, out.

Every request must name this server as its host, so that a foreign name that was made to lead here
(DNS rebinding) is refused. Every write must come from a page of this server and carry its token.
Where the server can be reached from other machines, every request needs a secret that came with
the address once. What is sent back may load, run and send nothing that is not of this server.
"""

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote, urlsplit

MOST_BYTES = 1_000_000
"""A longer body is refused: all ticks of 40,000 classes are shorter."""
MOST_SHEET_BYTES = 8_000_000
"""Of a sheet that is imported: one of 10,000 classes has 3.6 MB."""
TOKEN_HEADER = "x-review-token"  # noqa: S105 - a header's name
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Of every answer."""

_READS = {"GET", "HEAD"}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_FORM = "application/x-www-form-urlencoded"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?")
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What is asked of a request."""

    host: str = "127.0.0.1"
    """The address that is bound."""
    port: int = 0
    access: str = ""
    """The secret that every request needs; empty: none."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """That every write carries; the page has it."""
    read_only: bool = False
    page: str = "review"
    """Which page it is; two on one machine have a secret each."""

    def __post_init__(self) -> None:
        """Refuses an address that others can reach, without a secret.

        Raises:
            ValueError: it is not of this machine, and there is no secret.
        """
        if not is_loopback(self.host) and not self.access:
            raise ValueError(
                f"--host {self.host} can be reached from other machines: choose a secret with "
                f"--token, or leave --host out"
            )

    @property
    def access_cookie(self) -> str:
        """The name of the cookie that holds the secret."""
        return f"{self.page}_access"

    def knows_host(self, host: str) -> bool:
        """Says whether a `Host` header, or the host of an origin, names this server."""
        match = _HOST.fullmatch(host)
        if match is None or int(match[2] or _HTTP_PORT) != self.port:
            return False
        name = match[1].lower()
        if name in _LOOPBACK:
            return True
        if is_loopback(self.host):
            return name == self.host.lower()
        # With a secret in a cookie, which a browser sends to the name it was set for alone.
        return name in {self.host.lower(), socket.gethostname().lower()} or _is_address(name)

    def has_access(self, headers: Mapping[str, str]) -> bool:
        """Says whether a request has the secret, where one is needed."""
        if not self.access:
            return True
        return _is_same(unquote(cookies_of(headers).get(self.access_cookie, "")), self.access)

    def refusal(
        self, method: str, headers: Mapping[str, str], most_bytes: int = MOST_BYTES
    ) -> tuple[int, str] | None:
        """Returns why a request is refused, as a status and what to do; None: it is not.

        Args:
            method: such as `POST`.
            headers: by their names in lower case.
            most_bytes: how long a body may be.
        """
        if not self.knows_host(headers.get("host", "")):
            return 421, "this server is asked for by another name; open the address it printed"
        if not self.has_access(headers):
            return 401, "open the address that the server printed, with its token, once"
        if method in _READS:
            return None
        if method != "POST":
            return 405, "this page is read with GET and written with POST"
        return self._write_refusal(headers, most_bytes)

    def _write_refusal(self, headers: Mapping[str, str], most: int) -> tuple[int, str] | None:
        if self.read_only:
            return 403, "this page is shown read-only; nothing is written"
        if not self._is_own_page(headers):
            return 403, "a write must come from the page itself, not from another site"
        if not _is_same(headers.get(TOKEN_HEADER, ""), self.token):
            return 403, "the server was restarted since the page was opened; reload the page"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            return 413, f"what is sent must have at most {most:,} bytes"
        kind = headers.get("content-type", _FORM).partition(";")[0].strip().lower()
        if kind != _FORM:
            return 415, f"what is sent must be {_FORM}, got {kind[:80]}"
        return None

    def _is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Says whether a browser tells that a write comes from this server's page."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme == "http" and parts.netloc == headers.get("host")


def is_loopback(host: str) -> bool:
    """Says whether an address is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns the cookies of a request; none where they cannot be read."""
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def header_map(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Returns headers by name; one that comes twice is joined, so that it matches nothing."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def is_access(given: str, guard: Guard) -> bool:
    """Says whether a secret is the right one."""
    return bool(guard.access) and _is_same(given, guard.access)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
