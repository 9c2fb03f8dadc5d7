"""A server that keeps what is put, and gives it back."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Store(ThreadingHTTPServer):
    """A server that keeps what is put, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.puts = Counter[str]()
        self.order: list[str] = []
        self.refused: set[str] = set()
        self.busy = Counter[str]()
        """File to how often a PUT of it is still answered with 503, once it came."""
        self.moved = ""
        """Where a PUT is sent on to, if anywhere."""
        self.deletes: bool = True
        super().__init__(("127.0.0.1", 0), _Store)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Store(BaseHTTPRequestHandler):
    server: Store

    def do_PUT(self) -> None:
        name = self.path.lstrip("/")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.moved:
            self.send_response(302)
            self.send_header("Location", f"{self.server.moved}/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name in self.server.refused:
            self.send_error(403)
            return
        if self.server.busy[name] > 0:
            self.server.busy[name] -= 1
            self.send_error(503)
            return
        path = self.server.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.server.puts[name] += 1
        self.server.order.append(name)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_DELETE(self) -> None:
        if not self.server.deletes:
            self.send_error(405)
            return
        (self.server.folder / self.path.lstrip("/")).unlink(missing_ok=True)
        self.server.order.append(f"DELETE {self.path.lstrip('/')}")
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests read the counters instead."""


@contextmanager
def serve_store(folder: Path) -> Iterator[Store]:
    """Serves a folder."""
    with Store(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
