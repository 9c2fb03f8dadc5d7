"""A loopback server, and ways in which it misbehaves instead of an answer."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
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


def reply(status: int, body: bytes, **headers: str) -> Fault:
    """Answers with a status, a body, and headers (`Retry_After` is Retry-After)."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields.setdefault("Content-Length", str(len(body)))
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


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
