"""A loopback server, and ways in which it misbehaves instead of an answer."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[[BaseHTTPRequestHandler], object]


@contextlib.contextmanager
def listening(answer: Fault, tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    """Answers each request at a free port of loopback, for the time of a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client was killed, or has had enough

        do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Says nothing: tests read what the servers note."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


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


def reply(status: int, body: bytes, **headers: str) -> Fault:
    """Answers as a service does, with a status, a body, and headers (`Retry_After`)."""
    kind = {"Content_Type": "application/json; charset=utf-8", "ETag": None}
    return send(body, kind | headers, status=status)


DRIPPING = {
    "body": b"HTTP/1.0 200 OK\r\n\r\n",
    "headers": b"HTTP/1.0 200 OK\r\nX-Endless: ",
    "size of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1;",
}
"""Where an answer drips, to what comes before."""


def drip(interval_s: float, where: str = "body", most: int = 1_000_000) -> Fault:
    """Answers one byte at a time until the client goes away, or so many are sent."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(DRIPPING[where])
        for _ in range(most):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return
            if _wait_for_end(handler, interval_s):
                return

    return send


def _wait_for_end(handler: BaseHTTPRequestHandler, seconds: float) -> bool:
    """Waits for the client to go away; says whether it has."""
    return bool(select.select([handler.connection], [], [], seconds)[0])


def stall(seconds: float) -> Fault:
    """Says nothing until the client goes away, for so long at most, and then hangs up."""
    return lambda handler: _wait_for_end(handler, seconds)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
