"""A loopback hub that keeps one data set, and speaks as much of the protocol as a release needs."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "ann/labels"


@dataclass(slots=True)
class Hub:
    """What lies on the hub."""

    url: str = ""
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Revision to its files and their content."""
    refuses: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        return self.at("main")

    @property
    def sha(self) -> str:
        return next(reversed(self.commits), "0" * 40)

    def at(self, revision: str) -> dict[str, bytes]:
        return self.commits.get(self.sha if revision == "main" else revision, {})

    def commit(self, body: bytes) -> None:
        files = dict(self.files)
        for line in map(json.loads, body.splitlines()):
            match line:
                case {"key": "file", "value": {"path": path, "content": content}}:
                    files[path] = base64.b64decode(content)
                case {"key": "deletedFile", "value": {"path": path}}:
                    del files[path]
        self.commits[f"{len(self.commits) + 1:040}"] = files


class _Server(ThreadingHTTPServer):
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        hub = self.server.hub
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        url = f"{hub.url}/datasets/{NAME}"
        told: dict[str, object] = {"url": url, "name": NAME, "errors": [], "warnings": []}
        if "/preupload/" in self.path:
            names = [one["path"] for one in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            told = {"files": [{"path": name, **regular} for name in names]}
        elif "/commit/" in self.path:
            if hub.refuses:
                self.send(404, b"{}", {})
                return
            hub.commit(body)
            told = {"commitUrl": f"{url}/commit/{hub.sha}", "commitOid": hub.sha, "success": True}
        self.send(200, json.dumps(told).encode(), {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        match = re.fullmatch(rf"/datasets/{NAME}/resolve/([^/]+)/(.+)", self.path)
        content = hub.at(match[1]).get(match[2]) if match else None
        if match is None or content is None:
            code = "EntryNotFound" if hub.commits else "RepoNotFound"
            self.send(404, b"{}", {"X-Error-Code": code})
            return
        tag = hashlib.sha256(content).hexdigest()
        self.send(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": hub.sha})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Serves an empty hub on a free loopback port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.hub = Hub(url=f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.hub
        finally:
            server.shutdown()
            thread.join()
