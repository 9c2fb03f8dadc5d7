"""A release brought here and sent elsewhere: whole, never over somebody's own files."""

import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hgld.annotations.release.sharing import Transfer, publish_release, pull_release, release_before
from hgld.engine import verify
from hgld.engine.files import file_digest
from hgld.engine.verify import verify_sums
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError, WorkspaceBusyError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.release.hub import NAME, Hub, serve_hub
from tests.hgld.annotations.release.worlds import tree
from tests.hgld.engine.test_placing import killed_after
from tests.worlds.gldv2.folder_server import FolderServer, serve

# Of the hub's own package, about how it calls another one.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

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
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new/out"
    assert pull(server.url, out) == (4, 0)
    assert tree(out) == tree(release)
    assert pull(server.url, out) == (0, 4)
    write_release(release, CHANGED)
    assert pull(server.url, out) == (2, 2)
    assert tree(out) == tree(release)
    assert {server.hits[name] for name in FILES} == {1, 2}  # landmarks.parquet was changed
    assert server.hits[BIG] == 1
    (out / BIG).write_bytes(b"other bytes")
    assert pull(server.url, out).moved == 1
    assert tree(out) == tree(release)


def test_names_that_addresses_write_otherwise_come(server: FolderServer, tmp_path: Path) -> None:
    names = ["what?.md", "100%25.md", "a#b.md", "with space/ü.md", "half:way.md"]
    write_release(server.folder, {name: name.encode() for name in names})
    pull(server.url, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(server.folder)


def test_files_of_ones_own_are_kept_and_never_written_over(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
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


def test_a_damaged_list_of_files_is_mended_and_no_file_is_lost(
    release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pull(release, out)
    (out / "SHA256SUMS").write_text("damaged")
    pull(release, out)
    assert tree(out) == tree(release)
    (out / "SHA256SUMS").write_text("damaged")
    write_release(release, CHANGED)
    with pytest.raises(InputError, match="landmarks"):
        pull(release, out)


def test_what_is_no_folder_of_a_release_is_refused_and_links_are_not_followed(
    release: Path, tmp_path: Path
) -> None:
    mine, target, elsewhere = tmp_path / "mine", tmp_path / "target", tmp_path / "elsewhere"
    for folder in (mine, elsewhere):
        folder.mkdir()
    (mine / "thesis.tex").write_text("mine")
    pull(release, target)
    (tmp_path / "link").symlink_to(target)
    before = tree(tmp_path)
    for out in (mine, mine / "thesis.tex", mine / "thesis.tex" / "out", tmp_path / "link"):
        with pytest.raises(InputError, match=out.name):
            pull(release, out)
    assert tree(tmp_path) == before
    shutil.rmtree(target / "data")
    (target / "data").symlink_to(elsewhere)
    with pytest.raises(InputError, match="data"):
        pull(release, target)
    assert tree(elsewhere) == {}


def test_a_release_that_is_not_whole_changes_nothing(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pull(server.url, out)
    before = tree(out)
    write_release(release, FILES | {"landmarks.parquet": b"new", "README.md": b"new"})
    (release / "README.md").write_bytes(b"neW")
    with pytest.raises(FetchError, match=r"README\.md"):
        pull(server.url, out)
    (release / "README.md").unlink()
    with pytest.raises(NotFoundError, match=r"README\.md"):
        pull(server.url, out)
    assert {name: one for name, one in tree(out).items() if not name.startswith(".")} == before
    (release / "README.md").write_bytes(b"new")
    assert pull(server.url, out).moved == 2
    assert server.hits["landmarks.parquet"] == 2  # the one that had come was kept
    assert tree(out) == tree(release)


@pytest.mark.parametrize(
    "text",
    [
        f"{'0' * 64}  ../outside\n",
        f"{'0' * 64}  /etc/passwd\n",
        f"{'0' * 64}  .git/config\n",
        f"{'0' * 64}  ./\n",
        "no digest  landmarks.parquet\n",
        f"{'0' * 64}  README.md\n{'1' * 64}  ./README.md\n",
        "",
    ],
)
def test_a_list_that_cannot_be_read_is_refused(release: Path, tmp_path: Path, text: str) -> None:
    (release / "SHA256SUMS").write_text(text)
    with pytest.raises(DamagedError, match="SHA256SUMS"):
        pull(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "outside").exists()
    assert any(one.path == "SHA256SUMS" and one.what for one in verify_sums(release))


def test_a_list_without_end_is_refused(
    server: FolderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 1_000
    monkeypatch.setattr(verify, "MOST_SUMS_BYTES", most)
    monkeypatch.setattr("hgld.annotations.release.sharing.MOST_SUMS_BYTES", most)
    (server.folder / "SHA256SUMS").write_bytes(b"x" * (most + 1))
    for ref, error in ((server.url, FetchError), (server.folder, DamagedError)):
        with pytest.raises(error, match=r"1,?000"):
            pull(str(ref), tmp_path / "out")
    with pytest.raises(DamagedError, match="1,000"):
        list(verify_sums(server.folder))


def test_a_place_without_a_release_says_so(tmp_path: Path, release: Path) -> None:
    (release / "SHA256SUMS").unlink()
    with pytest.raises(NotFoundError, match="annotations"):
        pull(release, tmp_path / "out")
    for ref in ("ftp://example.org/x", "hf:nameless", "hf:a/b/c"):
        with pytest.raises(InputError, match=ref):
            pull(ref, tmp_path / "out")


def test_what_the_file_system_refuses_is_said_in_words(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root nothing is refused, so that the refusals are made."""
    out = tmp_path / "out"
    pull(release, out)
    (release / BIG).unlink()
    (release / BIG).mkdir()
    with pytest.raises(FetchError, match="train-00000"):  # a folder where a file should be
        pull(release, tmp_path / "other")
    write_release(release, CHANGED)

    def refusing(path: Path, *_: object, **__: object) -> Any:  # noqa: ANN401
        raise PermissionError(13, "Permission denied", str(path))

    for name in ("mkdir", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, name, refusing)
            with pytest.raises(InputError, match="Permission denied"):
                pull(release, out)


def test_a_pull_that_breaks_off_in_a_file_goes_on_in_the_middle_of_it(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    server.cut_once.add(BIG)
    with pytest.raises(FetchError, match="train-00000"):
        pull_release(server.url, tmp_path / "out", HttpPolicy(attempts=1))
    assert not (tmp_path / "out/SHA256SUMS").exists()
    server.spoilt_once.add("landmarks.parquet")
    with pytest.raises(FetchError, match="landmarks"):
        pull(server.url, tmp_path / "out")
    pull(server.url, tmp_path / "out")
    assert server.parts[BIG] == 1  # the rest of it, by Range
    assert tree(tmp_path / "out") == tree(release)


def test_a_pull_killed_at_any_moment_is_seen_and_ended_by_the_next(
    release: Path, tmp_path: Path
) -> None:
    older = write_release(tmp_path / "older", FILES | {"gone.parquet": b"older"})
    write_release(release, CHANGED)
    kills = 0
    for number in range(200):
        out = tmp_path / f"{number}/out"
        pull(older, out)
        ended = killed_after(number, partial(pull, release, out))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        kills += 1
        found = {name: one for name, one in tree(out).items() if not name.startswith(".pull")}
        if found["SHA256SUMS"] == tree(release)["SHA256SUMS"]:
            assert found == tree(release)
        elif found != tree(older):
            assert any(one.what for one in verify_sums(out)) or "new.md" in found
        pull(release, out)
        assert tree(out) == tree(release)
    assert kills > 10


def test_two_pulls_into_one_folder_do_not_mix(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    server.dripping = BIG
    with ThreadPoolExecutor(1) as other:
        first = other.submit(pull, server.url, tmp_path / "out")
        try:
            assert server.has_dripped.wait(60)
            with pytest.raises(WorkspaceBusyError, match="out"):
                pull(release, tmp_path / "out")
        finally:
            server.dripping = ""
        first.result(60)
    assert tree(tmp_path / "out") == tree(release)


def test_what_is_published_is_what_was_released(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "public"
    assert publish(release, str(to)) == (4, 0)
    assert publish(release, str(to)) == (0, 4)
    assert tree(to) == tree(release)
    (release / "landmarks.parquet").write_bytes(b"Landmarks")
    with pytest.raises(DamagedError, match=r"landmarks\.parquet"):
        publish(release, str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    for place in ("https://example.org/labels", f"hf:{NAME}@main"):
        with pytest.raises(InputError, match="hf:OWNER/NAME"):
            publish(release, place)


def test_the_hub_gets_a_release_in_one_commit_and_nothing_twice(
    hub: Hub, release: Path, tmp_path: Path
) -> None:
    assert publish(release, f"hf:{NAME}", hub.url) == (4, 0)
    assert len(hub.commits) == 1
    assert hub.files == tree(release)
    first, before = hub.sha, tree(release)
    assert publish(release, f"hf:{NAME}", hub.url) == (0, 4)
    assert len(hub.commits) == 1
    write_release(release, CHANGED)
    assert publish(release, f"hf:{NAME}", hub.url) == (2, 2)
    assert len(hub.commits) == 2
    assert hub.files == tree(release)  # README.md is gone
    assert hub.received[BIG] == 1
    out = tmp_path / "out"
    pull(f"hf:{NAME}@{first}", out, hub.url)
    assert tree(out) == before
    served = hub.served[BIG]
    assert pull(f"hf:{NAME}", out, hub.url) == (2, 2)
    assert tree(out) == tree(release)
    assert hub.served[BIG] == served


def test_what_the_hub_lacks_is_said(
    hub: Hub, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFoundError, match="ann/labels"):
        pull(f"hf:{NAME}", tmp_path / "out", hub.url)
    publish(release, f"hf:{NAME}", hub.url)
    del hub.files["landmarks.parquet"]
    with pytest.raises(NotFoundError, match=r"landmarks\.parquet"):
        pull(f"hf:{NAME}", tmp_path / "out", hub.url)
    hub.refuses = True
    for endpoint in (hub.url, "http://127.0.0.1:9"):
        with pytest.raises(FetchError, match="hf auth login"):
            publish_release(release, f"hf:{NAME}", HttpPolicy(), before=None, endpoint=endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FetchError, match="cannot reach"):
        pull(f"hf:{NAME}", tmp_path / "other", hub.url)
