"""A loopback server of one file that goes wrong on command: ranges, redirects, broken bodies.

What each request meets is a `Fault` of `tests.worlds.wikimedia.faults` or of this module.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import trustme
import urllib3

from tests.worlds.wikimedia.faults import Fault, Fields, listening, send


@dataclass(slots=True)
class FaultyServer:
    """A running server at `url`."""

    port: int
    scheme: str = "http"
    answers: list[Fault] = field(default_factory=list)
    """What the requests meet, one after the other; the last one over and over."""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """(method, path, headers by their names in lower case) of each request, in order."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/file"

    @property
    def ranges(self) -> list[str]:
        """The Range of each request, empty where it had none."""
        return [headers.get("range", "") for _, _, headers in self.asked]

    def take(self, request: BaseHTTPRequestHandler) -> Fault:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.command, request.path, headers))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@contextmanager
def faulty(*answers: Fault, tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    """Serves on a free loopback port for the time of a test."""
    state = FaultyServer(0, "http" if tls is None else "https", [*answers])
    with listening(lambda request: state.take(request)(request), tls) as server:
        state.port = server.server_port
        yield state


def rest(content: bytes, **headers: str | None) -> Fault:
    """Answers with the part of a file that is asked for, as a server should."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        part: Fields = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        send(content[start:], {**part, **headers}, status=206)(request)

    return answer


def redirect(location: str) -> Fault:
    """Answers that the file is elsewhere."""
    return send(b"", status=302, Location=location)


@contextmanager
def cutting(port: int, after_bytes: int) -> Iterator[int]:
    """Relays to a server on this machine, and breaks the first line after so many bytes.

    Args:
        port: of the server, which ends each line after one answer.
        after_bytes: of the first answer.

    Yields:
        The port of the relay.
    """
    cuts = [after_bytes]

    def relay(request: BaseHTTPRequestHandler) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server, server.makefile("rb") as sent:
            server.sendall(f"{request.requestline}\r\n{request.headers}".encode())
            request.wfile.write(sent.read(cuts.pop() if cuts else -1))

    with listening(relay) as server:
        yield server.server_port


PUBLIC = "93.184.216.34"

_connect = urllib3.util.connection.create_connection


@dataclass(slots=True)
class Names:
    """Names, what they lead to, and what was connected to."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    """Name to the addresses of each look-up of it, in order; the last ones over and over."""
    asked: list[str] = field(default_factory=list)
    """The names that were looked up, in order."""
    connected: list[str] = field(default_factory=list)
    """The hosts that were connected to, in order, as the connection names them."""
    dead: set[str] = field(default_factory=set)
    """Addresses where nobody answers."""

    def look_up(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        """Stands for `socket.getaddrinfo`."""
        if host not in self.answers:
            if not host[:1].isdigit() and ":" not in host:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            found = [host]
        else:
            lookups = self.answers[host]
            found = lookups[min(self.asked.count(host), len(lookups) - 1)]
            self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    def connect(self, address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:  # noqa: ANN401 - as they come
        """Connects to this machine, whatever the address is."""
        self.connected.append(address[0])
        if address[0] in self.dead:
            raise ConnectionRefusedError(111, "Connection refused")
        return _connect(("127.0.0.1", address[1]), *args, **options)


def tls_context(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Returns how a server of this name speaks TLS, and the file with its authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return context, folder / "ca.pem"
