"""A release brought here and sent elsewhere: whole, never over somebody's own files."""

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hgld.annotations.release import sharing
from hgld.annotations.release.sharing import Transfer, publish_release, pull_release, release_before
from hgld.engine import verify
from hgld.engine.verify import verify_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError, WorkspaceBusyError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.release.worlds import decide, kept, releases, tree
from tests.worlds.builders import write_sums
from tests.worlds.commands.typed import said
from tests.worlds.forked import killed_after
from tests.worlds.gldv2.folder_server import FolderServer, serve
from tests.worlds.wikimedia.faults import listening, send

NAME = "ann/labels"


@dataclass(slots=True)
class Hub:
    """A loopback hub of one data set; it speaks as much of the protocol as a release needs."""

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


# Of the hub's own package, about how it calls another one.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ON_HUB = f"hf:{NAME}"
BIG = "data/train-00000-of-00001.parquet"
FILES = {
    BIG: b"train" * 50_000,
    "data/index-00000-of-00001.parquet": b"index" * 10,
    "landmarks.parquet": b"landmarks",
    "README.md": b"# A release\n",
}
CHANGED = FILES | {"landmarks.parquet": b"other landmarks", "new.md": b"new"}
del CHANGED["README.md"]


def write_release(folder: Path, files: dict[str, bytes]) -> Path:
    """Writes files and the list of them, in place of the files that were there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_sums(folder)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a release is brought to."""
    return tmp_path / "new" / "out"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "release", FILES)


@pytest.fixture
def server(release: Path) -> Iterator[FolderServer]:
    with serve(release) as running:
        yield running


def set_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Sets what the package takes from HF_ENDPOINT, but only when it is imported."""
    constants = "huggingface_hub.constants"
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(f"{constants}.ENDPOINT", url)
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    with serve_hub() as running:
        set_hub(monkeypatch, running.url)
        yield running


def pull(ref: Path | str, out: Path) -> Transfer:
    return pull_release(str(ref), out, HttpPolicy())


def publish(folder: Path, to: str) -> Transfer:
    """Publishes as the command does, after a look at what is there."""
    before = release_before(to, folder.parent / ".there", HttpPolicy())
    return publish_release(folder, to, HttpPolicy(), before=before)


def follow_changes(release: Path, there: str, out: Path) -> None:
    """Publishes a release, pulls it, and does both again only with what changes in it."""
    assert publish(release, there) == (4, 0)
    assert publish(release, there) == (0, 4)
    assert pull(there, out) == (4, 0)
    assert tree(out) == tree(release)
    write_release(release, CHANGED)
    assert publish(release, there) == (2, 2)
    assert pull(there, out) == (2, 2)
    assert tree(out) == tree(release)  # README.md is gone


def test_a_release_comes_whole_and_what_is_there_is_not_fetched_again(
    server: FolderServer, release: Path, out: Path
) -> None:
    assert pull(server.url, out) == (4, 0)
    assert tree(out) == tree(release)
    assert pull(server.url, out) == (0, 4)
    write_release(release, CHANGED)
    assert pull(server.url, out) == (2, 2)
    assert tree(out) == tree(release)
    assert {server.hits[name] for name in FILES} == {1, 2}  # landmarks.parquet was changed
    assert server.hits[BIG] == 1


def test_files_of_ones_own_are_kept_and_never_written_over(release: Path, out: Path) -> None:
    pull(release, out)
    before = tree(out)
    (out / "data/extra.txt").write_text("mine too")
    (out / "new.md").write_text("mine")
    write_release(release, CHANGED)
    with pytest.raises(InputError, match=r"new\.md"):
        pull(release, out)
    assert tree(out) == before | {"data/extra.txt": b"mine too", "new.md": b"mine"}
    (out / "new.md").unlink()
    pull(release, out)
    assert tree(out) == tree(release) | {"data/extra.txt": b"mine too"}


def test_what_is_no_folder_of_a_release_is_refused_and_links_are_not_followed(
    release: Path, tmp_path: Path, out: Path
) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    pull(release, out)
    link.symlink_to(out)
    for place in (mine, mine / "thesis.tex", mine / "thesis.tex" / "out", link):
        with pytest.raises(InputError, match=place.name):
            pull(release, place)
    shutil.rmtree(out / "data")
    (out / "data").symlink_to(mine)
    with pytest.raises(InputError, match="data"):
        pull(release, out)
    assert tree(mine) == {"thesis.tex": b"mine"}


def test_a_release_that_is_not_whole_changes_nothing(
    server: FolderServer, release: Path, out: Path
) -> None:
    pull(server.url, out)
    before, card = tree(out), release / "README.md"
    write_release(release, FILES | {"landmarks.parquet": b"new", "README.md": b"new"})
    card.write_bytes(b"neW")
    with pytest.raises(FetchError, match=r"README\.md"):
        pull(server.url, out)
    card.unlink()
    with pytest.raises(NotFoundError, match=r"README\.md"):
        pull(server.url, out)
    assert {name: one for name, one in tree(out).items() if not name.startswith(".")} == before
    card.write_bytes(b"new")
    assert pull(server.url, out).moved == 2
    assert server.hits["landmarks.parquet"] == 2  # the one that had come was kept
    assert tree(out) == tree(release)


def test_a_list_without_end_is_refused(
    server: FolderServer, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (verify, sharing):
        monkeypatch.setattr(module, "MOST_SUMS_BYTES", 1_000)
    (server.folder / "SHA256SUMS").write_bytes(b"x" * 1_001)
    with pytest.raises(FetchError, match=r"1,?000"):
        pull(server.url, out)
    with pytest.raises(DamagedError, match="1,000"):
        list(verify_sums(server.folder))


def test_a_pull_killed_at_any_moment_is_seen_and_ended_by_the_next(
    release: Path, tmp_path: Path
) -> None:
    older = write_release(tmp_path / "older", FILES | {"gone.parquet": b"older"})
    write_release(release, CHANGED)
    whole, before = tree(release), tree(older)
    for number in range(200):
        out = tmp_path / f"{number}/out"
        pull(older, out)
        ended = killed_after(number, partial(pull, release, out))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        found = {name: one for name, one in tree(out).items() if not name.startswith(".pull")}
        if found["SHA256SUMS"] == whole["SHA256SUMS"]:
            assert found == whole
        elif found != before:
            assert any(one.what for one in verify_sums(out)) or "new.md" in found
        pull(release, out)
        assert tree(out) == whole
    assert number > 10


def test_a_second_pull_into_one_folder_is_refused(release: Path, out: Path) -> None:
    out.mkdir(parents=True)
    held = os.open(out, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(WorkspaceBusyError, match="out"):
        pull(release, out)
    os.close(held)
    assert pull(release, out) == (4, 0)


def test_what_is_published_is_what_was_released(release: Path, out: Path) -> None:
    assert publish(release, str(out)) == (4, 0)
    assert publish(release, str(out)) == (0, 4)
    assert tree(out) == tree(release)
    (release / "landmarks.parquet").write_bytes(b"Landmarks")
    other = out.with_name("other")
    with pytest.raises(DamagedError, match=r"landmarks\.parquet"):
        publish(release, str(other))
    assert not other.exists()
    for place in (
        "https://example.org/labels",
        f"{ON_HUB}@main",
        "s4://shelf/x",
        "s3:shelf/x",
        "s3:/shelf/x",
    ):
        with pytest.raises(InputError, match="hf:OWNER/NAME"):
            publish(release, place)


def test_the_hub_gets_a_release_in_one_commit_and_nothing_twice(
    hub: Hub, release: Path, out: Path
) -> None:
    before = tree(release)
    follow_changes(release, ON_HUB, out)
    first, last = hub.commits
    assert hub.at(first) == before
    assert hub.at(last) == tree(release)
    assert pull(f"{ON_HUB}@{first}", out) == (2, 2)
    assert tree(out) == before


def test_what_the_hub_lacks_is_said(
    hub: Hub, release: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match="ann/labels"):
        pull(ON_HUB, out)
    publish(release, ON_HUB)
    del hub.files["landmarks.parquet"]
    with pytest.raises(NotFoundError, match=r"landmarks\.parquet"):
        pull(ON_HUB, out)
    hub.refuses = True
    for endpoint in (hub.url, "http://127.0.0.1:9"):
        set_hub(monkeypatch, endpoint)
        with pytest.raises(FetchError, match="hf auth login"):
            publish_release(release, ON_HUB, HttpPolicy(), before=None)


def versions(folder: Path) -> list[str]:
    return [one["version"] for one in releases(folder)]


def test_a_build_is_published_pulled_and_published_again(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ("--root", reviewed.root)
    said("annotate", *root, "--title", "Ours")
    first = kept(reviewed.path("annotations"), "release-1.0.0")
    said("annotate", *root, "--title", "Theirs", "--previous", first)
    assert versions(reviewed.path("annotations")) == ["1.0.1", "1.0.0"]
    said("verify", "--root", first)

    publish, public = ("publish", *root, "--to", "public"), Path("public")
    said(*publish)
    assert versions(public) == ["1.0.0"]
    assert " 0 files sent" in said(*publish).splitlines()[-1]
    assert versions(public) == ["1.0.0"]

    decide(reviewed)
    said(*publish)
    assert versions(public) == ["2.0.0", "1.0.0"]
    said("pull", public, "--out", "labels")
    assert versions(Path("labels")) == ["2.0.0", "1.0.0"]
    assert said("verify", "--root", "labels").endswith(" files are intact\n")
