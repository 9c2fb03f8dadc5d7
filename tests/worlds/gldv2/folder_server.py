"""A loopback web server for a folder that counts what is asked, and misbehaves where it is told."""

import select
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

from tests.worlds.wikimedia.faults import listening

_DRIP_EVERY_S = 0.02


@dataclass(slots=True)
class FolderServer:
    """The files of a folder at `url`."""

    folder: Path
    url: str = ""
    hits: Counter[str] = field(default_factory=Counter)
    """Path, such as `train/images_000.tar`, to the number of GET requests."""
    refusals: Counter[str] = field(default_factory=Counter)
    """Path to the number of requests, HEAD too, that were answered with an error."""
    parts: Counter[str] = field(default_factory=Counter)
    """Path to the number of answers that were a part of a file (Range)."""
    sent: Counter[str] = field(default_factory=Counter)
    """Path to the bytes of the answers that were handed to the line, of all of them together."""
    agents: set[str] = field(default_factory=set)
    """Who asked, by the User-Agent."""
    without_ranges: bool = False
    """Whether it sends the whole file, whatever part is asked for."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Paths that are answered with an error status."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Paths that are elsewhere, to where."""
    cut_once: set[str] = field(default_factory=set)
    """Paths whose next answer ends half way."""
    spoilt_once: set[str] = field(default_factory=set)
    """Paths whose next answer has wrong bytes."""
    authorization: str = ""
    """The header without which every request is refused, where there is one."""
    leaves_after: str = ""
    """A path after whose GET nothing listens any more."""
    close: Callable[[], None] = field(default=lambda: None)
    dripping: str = ""
    """A path whose answer comes a byte at a time after its first half, until this is another."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when a client has gone before its answer was whole."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one GET or HEAD request."""
        name = unquote(request.path).lstrip("/")
        is_get = request.command == "GET"
        self.hits[name] += is_get
        self.agents.add(str(request.headers["User-Agent"]))
        if name in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[name])
            request.end_headers()
            return
        path = self.folder / name
        status = self.statuses.get(name, 200 if path.is_file() else 404)
        if self.authorization and request.headers["Authorization"] != self.authorization:
            status = 401
        if status != 200:
            self.refusals[name] += 1
            request.send_error(status)
            return
        content = path.read_bytes()
        tag = f'"{zlib.crc32(content)}"'
        whole = len(content)
        if (part := self._part(request, tag, whole)) is not None:
            self.parts[name] += 1
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{whole}")
            content = content[part.start : part.stop]
        else:
            request.send_response(200)
        request.send_header("ETag", tag)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if is_get:
            self._send(request, name, content)
        if is_get and name == self.leaves_after:
            self.close()

    def _part(self, request: BaseHTTPRequestHandler, tag: str, size: int) -> range | None:
        """Returns which bytes are asked for (`a-b` or `a-`), None where it is all of them."""
        first, _, last = request.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if not first or self.without_ranges or request.headers.get("If-Range", tag) != tag:
            return None
        return range(int(first), min(size, int(last) + 1) if last else size)

    def _send(self, request: BaseHTTPRequestHandler, name: str, content: bytes) -> None:
        if name in self.cut_once:
            self.cut_once.remove(name)
            content = content[: len(content) // 2]
        if name in self.spoilt_once:
            self.spoilt_once.remove(name)
            content = bytes(len(content))
        sent = 0
        while name == self.dripping and sent < len(content):
            piece = content[sent : sent + 1] if sent else content[: len(content) // 2]
            request.wfile.write(piece)
            self.sent[name] += len(piece)
            sent += len(piece)
            if select.select([request.connection], [], [], _DRIP_EVERY_S)[0]:
                raise ConnectionResetError  # the client has gone
        rest = content[sent:]
        request.wfile.write(rest[:-1])
        with self._lock:  # before the last byte goes: whoever has it may look at once
            self.sent[name] += len(rest)
        request.wfile.write(rest[-1:])


@contextmanager
def serve(folder: Path) -> Iterator[FolderServer]:
    """Serves a folder on a free loopback port for the time of a test."""
    state = FolderServer(folder)

    def answer(request: BaseHTTPRequestHandler) -> None:
        try:
            state.answer(request)
        except (BrokenPipeError, ConnectionResetError):
            state.ended.set()
            raise

    def close() -> None:
        server.shutdown()  # a loop that waits for a closed socket takes a whole processor
        server.socket.close()

    with listening(answer) as server:
        state.close = close
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
