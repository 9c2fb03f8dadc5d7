"""A loopback server of one file that goes wrong on command: ranges, redirects, broken bodies.

What each request meets is a `Fault` of `tests.worlds.wikimedia.faults` or of this module.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.worlds.wikimedia.faults import Fault, listening


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


Fields = Mapping[str, str | None]
"""Headers (`Last_Modified` is Last-Modified); None leaves one out that there is else."""


def send(
    content: bytes,
    fields: Fields | None = None,
    *,
    status: int = 200,
    sent: int | None = None,
    **headers: str | None,
) -> Fault:
    """Answers with a body of which only so many bytes come.

    Args:
        content: the body that is announced.
        fields: headers of the answer.
        status: of the answer.
        sent: how many bytes of it are sent before the line breaks; None sends all.
        headers: of the answer, too.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        sending: dict[str, str | None] = {
            "Content-Length": str(len(content)),
            "ETag": '"version 1"',
        }
        for name, value in {**(fields or {}), **headers}.items():
            sending[name.replace("_", "-")] = value
        request.send_response(status)
        for name, value in sending.items():
            if value is not None:
                request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content[:sent])

    return answer


def rest(content: bytes, fields: Fields | None = None, **headers: str | None) -> Fault:
    """Answers with the part of a file that is asked for, as a server should."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        part: Fields = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        send(content[start:], {**part, **(fields or {}), **headers}, status=206)(request)

    return answer


def redirect(location: str, status: int = 302) -> Fault:
    """Answers that the file is elsewhere."""
    return send(b"", status=status, Location=location)


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
