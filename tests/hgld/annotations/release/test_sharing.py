"""A release brought here and sent elsewhere: whole, never over somebody's own files."""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hgld.annotations.release import sharing
from hgld.annotations.release.sharing import Transfer, publish_release, pull_release, release_before
from hgld.engine import verify
from hgld.engine.files import file_digest
from hgld.engine.verify import verify_sums
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError, WorkspaceBusyError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.release.hub import NAME, Hub, serve_hub
from tests.hgld.annotations.release.worlds import tree
from tests.worlds.forked import killed_after
from tests.worlds.gldv2.folder_server import FolderServer, serve

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
    lines = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{file_digest(path)}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
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


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    with serve_hub() as running:
        yield running


def pull(ref: Path | str, out: Path, endpoint: str = "") -> Transfer:
    return pull_release(str(ref), out, HttpPolicy(), endpoint=endpoint)


def publish(folder: Path, to: str, endpoint: str = "") -> Transfer:
    """Publishes as the command does, after a look at what is there."""
    before = release_before(to, folder.parent / ".there", HttpPolicy(), endpoint=endpoint)
    return publish_release(folder, to, HttpPolicy(), before=before, endpoint=endpoint)


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
    for place in ("https://example.org/labels", f"{ON_HUB}@main"):
        with pytest.raises(InputError, match="hf:OWNER/NAME"):
            publish(release, place)


def test_the_hub_gets_a_release_in_one_commit_and_nothing_twice(
    hub: Hub, release: Path, out: Path
) -> None:
    assert publish(release, ON_HUB, hub.url) == (4, 0)
    assert len(hub.commits) == 1
    assert hub.files == tree(release)
    first, before = hub.sha, tree(release)
    assert publish(release, ON_HUB, hub.url) == (0, 4)
    write_release(release, CHANGED)
    assert publish(release, ON_HUB, hub.url) == (2, 2)
    assert len(hub.commits) == 2
    assert hub.files == tree(release)  # README.md is gone
    pull(f"{ON_HUB}@{first}", out, hub.url)
    assert tree(out) == before
    assert pull(ON_HUB, out, hub.url) == (2, 2)
    assert tree(out) == tree(release)


def test_what_the_hub_lacks_is_said(hub: Hub, release: Path, out: Path) -> None:
    with pytest.raises(NotFoundError, match="ann/labels"):
        pull(ON_HUB, out, hub.url)
    publish(release, ON_HUB, hub.url)
    del hub.files["landmarks.parquet"]
    with pytest.raises(NotFoundError, match=r"landmarks\.parquet"):
        pull(ON_HUB, out, hub.url)
    hub.refuses = True
    for endpoint in (hub.url, "http://127.0.0.1:9"):
        with pytest.raises(FetchError, match="hf auth login"):
            publish_release(release, ON_HUB, HttpPolicy(), before=None, endpoint=endpoint)
