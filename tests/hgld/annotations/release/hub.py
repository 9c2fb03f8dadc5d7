"""A loopback hub that keeps one data set, and speaks as much of the protocol as a release needs."""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "ann/labels"


@dataclass(slots=True)
class Hub:
    """What lies on the hub."""

    url: str = ""
    commits: list[dict[str, bytes]] = field(default_factory=list)
    """File to content, after each commit."""
    received: Counter[str] = field(default_factory=Counter)
    """File to how often its content came."""
    served: Counter[str] = field(default_factory=Counter)
    is_there: bool = False
    refuses: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[-1] if self.commits else {}

    def sha(self, number: int | None = None) -> str:
        count = len(self.commits) if number is None else number
        return hashlib.sha1(str(count).encode(), usedforsecurity=False).hexdigest()

    def at(self, revision: str) -> dict[str, bytes] | None:
        if revision in {"main", self.sha()}:
            return self.files
        numbers = {self.sha(number): number for number in range(1, len(self.commits) + 1)}
        return self.commits[numbers[revision] - 1] if revision in numbers else None

    def commit(self, lines: list[dict[str, Any]]) -> None:
        files = dict(self.files)
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                    self.received[value["path"]] += 1
                case "deletedFile":
                    del files[value["path"]]
        self.commits.append(files)


class _Server(ThreadingHTTPServer):
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        hub = self.server.hub
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/api/repos/create":
            status = 409 if hub.is_there else 200
            hub.is_there = True
            self.tell({"url": f"{hub.url}/datasets/{NAME}", "name": NAME}, status)
        elif self.path == "/api/validate-yaml":
            self.tell({"errors": [], "warnings": []})
        elif self.path.startswith(f"/api/datasets/{NAME}/preupload/"):
            kind = {"uploadMode": "regular", "shouldIgnore": False}
            self.tell(
                {"files": [{"path": one["path"], **kind} for one in json.loads(body)["files"]]}
            )
        elif self.path.startswith(f"/api/datasets/{NAME}/commit/") and not hub.refuses:
            hub.commit([json.loads(line) for line in body.splitlines()])
            url = f"{hub.url}/datasets/{NAME}/commit/{hub.sha()}"
            self.tell({"commitUrl": url, "commitOid": hub.sha(), "success": True})
        else:
            self.tell({}, 404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        if match := re.fullmatch(rf"/api/datasets/{NAME}(?:/revision/([^?]+))?(\?.*)?", self.path):
            revision = (match[1] or "main").replace("main", hub.sha())
            if hub.is_there and hub.at(revision) is not None:
                self.tell({"id": NAME, "sha": revision, "siblings": []})
            else:
                self.tell({}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        match = re.fullmatch(rf"/datasets/{NAME}/resolve/([^/]+)/(.+)", self.path)
        content = (hub.at(match[1]) or {}).get(match[2]) if match else None
        if match is None or content is None:
            self.tell({}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        hub.served[match[2]] += self.command == "GET"
        tag = hashlib.sha256(content).hexdigest()
        self.send(content, 200, {"ETag": f'"{tag}"', "X-Repo-Commit": hub.sha()})

    def tell(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json"}
        self.send(json.dumps(value).encode(), status, kind | (headers or {}))

    def send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Tests read the counters instead."""


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
