"""The page on loopback, asked with real HTTP."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.serving.app import make_browse_app
from hgld.pages.serving.listening import PageServer, listen
from hgld.pages.serving.security import Guard


@dataclass
class ServedSet:
    """A data set on loopback."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Asks for a path as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()


@contextlib.contextmanager
def serving(root: Path, access: str = "") -> Iterator[ServedSet]:
    """Serves a data set in a thread."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    guard = Guard(port=port, access=access, read_only=True, page="browse")
    server = PageServer(make_browse_app(Exhibit(root), guard))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield ServedSet(port)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
        assert not thread.is_alive()
