import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hgld.annotations.sharing.publishing import PublishReport, publish_release
from hgld.annotations.sharing.pulling import PullReport, pull_release
from hgld.engine.files import file_digest
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.sharing.conftest import FILES, tree, write_release
from tests.hgld.annotations.sharing.hub import NAME, Hub, serve_hub

# Of the hub's own package, about how it calls another one.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

CHANGED = FILES | {"landmarks.parquet": b"other landmarks", "new.md": b"new"}
del CHANGED["README.md"]


def publish(folder: Path, to: str, endpoint: str = "") -> PublishReport:
    return publish_release(folder, to, HttpPolicy(), endpoint=endpoint)


class Store(ThreadingHTTPServer):
    """A server that keeps what is put, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.puts = Counter[str]()
        self.order: list[str] = []
        self.refused: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Store)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Store(BaseHTTPRequestHandler):
    server: Store

    def do_PUT(self) -> None:
        name = self.path.lstrip("/")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if name in self.server.refused:
            self.send_error(403)
            return
        path = self.server.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.server.puts[name] += 1
        self.server.order.append(name)
        self.send_response(201)
        self.send_header("Content-Length", "0")
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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # The hub of the test keeps large files as git-lfs does.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    with serve_hub() as running:
        yield running


def test_a_release_is_published_into_a_folder_and_again(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "public"
    assert publish(release, str(to)).sent == 4
    assert tree(to) == tree(release)
    again = publish(release, str(to))
    assert (again.sent, again.kept) == (0, 4)
    write_release(release, FILES | {"README.md": b"changed"})
    assert publish(release, str(to)).sent == 1
    assert tree(to) == tree(release)


def test_what_is_published_is_what_was_released(release: Path, tmp_path: Path) -> None:
    (release / "landmarks.parquet").write_bytes(b"Landmarks")
    with pytest.raises(DamagedError, match=r"landmarks.parquet .* nothing was sent"):
        publish(release, str(tmp_path / "public"))
    assert not (tmp_path / "public").exists()


def test_an_address_gets_each_file_once_and_the_list_last(
    store: Store, release: Path, tmp_path: Path
) -> None:
    (release / "SHA256SUMS.minisig").write_text("signed")
    assert publish(release, store.url).sent == 4
    assert tree(store.folder) == tree(release)
    assert store.order[-2:] == ["SHA256SUMS.minisig", "SHA256SUMS"]
    assert publish(release, store.url).sent == 0
    assert set(store.puts.values()) == {1}
    shutil.rmtree(release)
    write_release(release, CHANGED)
    (release / "SHA256SUMS.minisig").write_text("signed again")
    report = publish(release, store.url)
    assert (report.sent, report.kept) == (2, 2)
    assert store.puts["data/train-00000-of-00001.parquet"] == 1
    pull_release(store.url, tmp_path / "out", HttpPolicy())
    assert tree(tmp_path / "out") == tree(release)


def test_an_address_that_refuses_a_file_keeps_the_release_that_it_has(
    store: Store, release: Path, tmp_path: Path
) -> None:
    publish(release, store.url)
    before = (store.folder / "SHA256SUMS").read_bytes()
    shutil.rmtree(release)
    write_release(release, CHANGED)
    store.refused.add("new.md")
    with pytest.raises(FetchError, match=r"new.md answered PUT with 403 .* then rerun"):
        publish(release, store.url)
    assert (store.folder / "SHA256SUMS").read_bytes() == before
    with pytest.raises(FetchError, match="SHA-256"):  # never half of each
        pull_release(store.url, tmp_path / "out", HttpPolicy())
    store.refused.clear()
    publish(release, store.url)
    pull_release(store.url, tmp_path / "out", HttpPolicy())
    assert tree(tmp_path / "out") == tree(release)


def pull(ref: str, out: Path, hub: Hub) -> PullReport:
    return pull_release(ref, out, HttpPolicy(), endpoint=hub.url)


def test_the_hub_gets_a_release_in_one_commit_and_nothing_twice(
    hub: Hub, release: Path, tmp_path: Path
) -> None:
    (release / "SHA256SUMS.minisig").write_text("signed")
    assert publish(release, f"hf:{NAME}", hub.url).sent == 4
    assert len(hub.commits) == 1
    assert hub.files == tree(release)
    assert publish(release, f"hf:{NAME}", hub.url).sent == 0
    assert len(hub.commits) == 1
    shutil.rmtree(release)
    write_release(release, CHANGED)
    report = publish(release, f"hf:{NAME}", hub.url)
    assert (report.sent, report.kept) == (2, 2)
    assert hub.files == tree(release)  # README.md is gone, and the signature of the older list
    train = file_digest(release / "data/train-00000-of-00001.parquet")
    assert hub.received[train] == 1
    assert pull(f"hf:{NAME}", tmp_path / "out", hub).fetched == 4
    assert tree(tmp_path / "out") == tree(release)


def test_a_release_of_the_hub_is_pulled_at_one_commit(
    hub: Hub, release: Path, tmp_path: Path
) -> None:
    publish(release, f"hf:{NAME}", hub.url)
    first, before = hub.sha(), tree(release)
    shutil.rmtree(release)
    write_release(release, CHANGED)
    publish(release, f"hf:{NAME}", hub.url)
    pull(f"hf:{NAME}@{first}", tmp_path / "first", hub)
    assert tree(tmp_path / "first") == before
    out = tmp_path / "first"
    assert pull(f"hf:{NAME}", out, hub).kept == 2
    assert tree(out) == tree(release)
    assert hub.served["data/train-00000-of-00001.parquet"] == 1


def test_a_hub_that_refuses_a_file_makes_no_commit(hub: Hub, release: Path) -> None:
    hub.refuses_objects = True
    with pytest.raises(FetchError, match=r"cannot send hf:ann/labels: .*hf auth login"):
        publish(release, f"hf:{NAME}", hub.url)
    assert hub.commits == []


def test_what_the_hub_lacks_is_said(hub: Hub, release: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no data set ann/labels"):
        pull(f"hf:{NAME}", tmp_path / "out", hub)
    publish(release, f"hf:{NAME}", hub.url)
    del hub.commits[-1]["landmarks.parquet"]
    with pytest.raises(NotFoundError, match=r"has no file landmarks.parquet"):
        pull(f"hf:{NAME}", tmp_path / "out", hub)
    with pytest.raises(InputError, match="must be named hf:OWNER/NAME"):
        publish(release, f"hf:{NAME}@main", hub.url)
    with pytest.raises(FetchError, match=r"cannot ask .* about ann/labels"):
        pull_release(f"hf:{NAME}", tmp_path / "out", HttpPolicy(), endpoint="http://127.0.0.1:9")
