"""A loopback hub that keeps one data set, and speaks as much of the protocol as a release needs."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.worlds.gldv2.faulty_server import send
from tests.worlds.wikimedia.faults import listening

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

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answers as the hub does."""
        if request.command == "POST":
            body = request.rfile.read(int(request.headers["Content-Length"] or 0))
            if self.refuses and "/commit/" in request.path:
                send(b"{}", status=404)(request)
                return
            send(json.dumps(self.posted(request.path, body)).encode())(request)
            return
        match = re.fullmatch(rf"/datasets/{NAME}/resolve/([^/]+)/(.+)", request.path)
        content = self.at(match[1]).get(match[2]) if match else None
        if content is None:
            code = "EntryNotFound" if self.commits else "RepoNotFound"
            send(b"{}", {"X_Error_Code": code}, status=404)(request)
            return
        tag = hashlib.sha256(content).hexdigest()
        send(content, {"ETag": f'"{tag}"', "X_Repo_Commit": self.sha})(request)

    def posted(self, path: str, body: bytes) -> dict[str, object]:
        """Returns what is said of a commit, or of what comes before one."""
        url = f"{self.url}/datasets/{NAME}"
        if "/preupload/" in path:
            names = [one["path"] for one in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            return {"files": [{"path": name, **regular} for name in names]}
        if "/commit/" in path:
            self.commit(body)
            return {"commitUrl": f"{url}/commit/{self.sha}", "commitOid": self.sha, "success": True}
        return {"url": url, "name": NAME, "errors": [], "warnings": []}


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Serves an empty hub on a free loopback port."""
    hub = Hub()
    with listening(hub.answer) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        yield hub
