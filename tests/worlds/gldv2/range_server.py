"""A loopback web server for a folder that answers Range requests, and counts the bytes it sends."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(slots=True)
class RangeServer:
    """The files of a folder at `url`."""

    folder: Path
    url: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    """Path to the bytes of bodies that were sent of it."""
    requests: Counter[str] = field(default_factory=Counter)
    """Path to the number of requests."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """Path to the statuses of its next answers."""
    knows_ranges: bool = True
    cuts: Counter[str] = field(default_factory=Counter)
    """Path to how many of its next answers end half way."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one GET or HEAD."""
        name = request.path.lstrip("/")
        path = self.folder / name
        content = path.read_bytes() if path.is_file() else b""
        with self._lock:
            self.requests[name] += 1
            status = 200 if path.is_file() else 404
            status = self.statuses[name].pop(0) if self.statuses.get(name) else status
        if status != 200:
            request.send_error(status)
            return
        size = len(content)
        match = _RANGE.fullmatch(request.headers.get("Range", "")) if self.knows_ranges else None
        if match:
            first, last = match.groups()
            start = int(first) if first else max(0, size - int(last))
            stop = min(size, int(last) + 1) if first and last else size
            if start >= size:
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            content = content[start:stop]
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if self.cuts[name]:
            self.cuts[name] -= 1
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
            return
        request.wfile.write(content[:-1])
        with self._lock:  # before the last byte goes: whoever has it may look at once
            self.sent[name] += len(content)
        request.wfile.write(content[-1:])


@contextmanager
def serve_ranges(folder: Path) -> Iterator[RangeServer]:
    """Serves a folder on a free loopback port for the time of a test."""
    state = RangeServer(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms between head and body

        def do_GET(self) -> None:
            try:
                state.answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who asked has seen enough

        do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

        def log_message(self, *_: object) -> None:
            """Tests read the counters instead."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # connections are kept open

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
