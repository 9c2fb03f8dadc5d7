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
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.requests import Request

from hgld.errors import InputError

MOST_BYTES = 8_000_000
"""A longer body is refused: a sheet of 10,000 classes has 2.7 MB."""
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
    "cache-control": "no-store",
}
"""Of every answer that has none of its own."""
REPORT_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts"
    )
}
"""Of a page that is one file: it may use what is in it, as another origin, and ask for nothing."""

_READS = {"GET", "HEAD"}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?")


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
            InputError: it is not of this machine, and there is no secret.
        """
        if not _is_loopback(self.host) and not self.access:
            raise InputError(
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
        if match is None or int(match[2] or 80) != self.port:
            return False
        name = match[1].lower()
        if name in {*_LOOPBACK, self.host.lower()}:
            return True
        # With a secret in a cookie, which a browser sends only to the name it was set for.
        is_own = name == socket.gethostname().lower() or _address(name) is not None
        return is_own and not _is_loopback(self.host)

    def is_invited(self, request: Request) -> bool:
        """Says whether a request has the secret in its address."""
        is_same = _is_same(request.query_params.get("token", ""), self.access)
        return bool(self.access) and is_same and self.knows_host(_host(request))

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """Returns why a request is refused, as a status and what to do; None: it is not."""
        if not self.knows_host(_host(request)):
            return 421, "this server is asked for by another name; open the address it printed"
        secret = unquote(request.cookies.get(self.access_cookie, ""))
        if self.access and not _is_same(secret, self.access):
            return 401, "open the address that the server printed, with its token, once"
        if request.method in _READS:
            return None
        if request.method != "POST":
            return 405, "this page is read with GET and written with POST"
        return self._write_refusal(request)

    def _write_refusal(self, request: Request) -> tuple[int, str] | None:
        headers = request.headers
        if self.read_only:
            return 403, "this page is shown read-only; nothing is written"
        own = f"http://{_host(request)}"
        is_same_site = headers.get("sec-fetch-site", "same-origin") == "same-origin"
        if not is_same_site or headers.get("origin", own) != own:
            return 403, "a write must come from the page itself, not from another site"
        if not _is_same(headers.get(TOKEN_HEADER, ""), self.token):
            return 403, "the server was restarted since the page was opened; reload the page"
        # In chunks it could be of any length, whatever is said beside them.
        length = "" if "transfer-encoding" in headers else headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return 413, f"what is sent must say its length, at most {MOST_BYTES:,} bytes"
        return None


def _host(request: Request) -> str:
    """Returns the name that a request has for this server; one that comes twice matches nothing."""
    return ", ".join(request.headers.getlist("host"))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    """Says whether only this machine can reach an address."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
