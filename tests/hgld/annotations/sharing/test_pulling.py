import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hgld.annotations.sharing.pulling import PullReport, pull_release
from hgld.engine.verify import verify_sums
from hgld.errors import (
    DamagedError,
    FetchError,
    InputError,
    NotFoundError,
    WorkspaceBusyError,
)
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.sharing.conftest import FILES, tree, write_release
from tests.worlds.forked import run_forked
from tests.worlds.gldv2.folder_server import FolderServer, serve

BIG = "data/train-00000-of-00001.parquet"


@pytest.fixture
def server(release: Path) -> Iterator[FolderServer]:
    with serve(release) as running:
        yield running


def pull(ref: Path | str, out: Path) -> PullReport:
    return pull_release(str(ref), out, HttpPolicy())


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_a_release_comes_whole_from_a_folder(release: Path, tmp_path: Path) -> None:
    report = pull(release, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(release)
    assert (report.fetched, report.kept) == (4, 0)
    assert report.bytes == sum(map(len, FILES.values()))
    assert hidden(tmp_path) == []


def test_a_release_comes_whole_from_a_server_each_file_once(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    pull(server.url, tmp_path / "new/out")
    assert tree(tmp_path / "new/out") == tree(release)
    assert {name: server.hits[name] for name in (*FILES, "SHA256SUMS")} == dict.fromkeys(
        (*FILES, "SHA256SUMS"), 1
    )
    assert hidden(tmp_path / "new") == []


def test_what_is_there_is_not_fetched_again(server: FolderServer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pull(server.url, out)
    again = pull(server.url, out)
    assert (again.fetched, again.kept) == (0, 4)
    assert server.hits[BIG] == 1
    server_files = FILES | {"landmarks.parquet": b"others", "new.parquet": b"new"}
    del server_files["README.md"]
    shutil.rmtree(server.folder)
    write_release(server.folder, server_files)
    newer = pull(server.url, out)
    assert (newer.fetched, newer.kept) == (2, 2)
    assert server.hits[BIG] == 1
    assert tree(out) == tree(server.folder)


def test_files_of_ones_own_are_kept(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pull(release, out)
    (out / "notes.txt").write_text("mine")
    (out / "data/extra.txt").write_text("mine too")
    write_release(release, FILES | {"notes.txt": b"the release's"})
    pull(release, out)
    assert tree(out) == tree(release) | {
        "notes.txt.before": b"mine",
        "data/extra.txt": b"mine too",
    }


def test_a_damaged_list_of_files_is_mended_and_no_file_is_lost(
    release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pull(release, out)
    (out / "notes.txt").write_text("mine")
    (out / "SHA256SUMS").write_bytes(b"\0" + (out / "SHA256SUMS").read_bytes())
    pull(release, out)
    assert tree(out) == tree(release) | {"notes.txt": b"mine"}
    (out / "SHA256SUMS").write_text("damaged")
    shutil.rmtree(release)
    write_release(release, {"data/train-00000-of-00002.parquet": b"a", "README.md": b"b"})
    pull(release, out)
    old = {name: content for name, content in FILES.items() if name != "README.md"}
    assert tree(out) == tree(release) | {"notes.txt": b"mine"} | {
        f"{name}.before": content for name, content in old.items()
    }
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_folder_with_other_files_is_left_alone(release: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"out"):
        pull(release, out)
    assert tree(out) == {"thesis.tex": b"mine"}


def test_what_is_no_folder_is_refused(release: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        pull(release, tmp_path / "thesis.tex")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        pull(release, tmp_path / "thesis.tex" / "out")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_file_that_is_not_what_the_list_says_changes_nothing(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pull(server.url, out)
    before = tree(out)
    write_release(release, FILES | {"landmarks.parquet": b"new", "README.md": b"new"})
    (release / "landmarks.parquet").write_bytes(b"neW")
    with pytest.raises(FetchError, match=r"landmarks\.parquet"):
        pull(server.url, out)
    assert tree(out) == before
    (release / "landmarks.parquet").write_bytes(b"new")
    pull(server.url, out)
    assert tree(out) == tree(release)


def test_a_file_that_is_missing_changes_nothing(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    (release / "landmarks.parquet").unlink()
    with pytest.raises(NotFoundError, match=r"landmarks\.parquet"):
        pull(server.url, tmp_path / "out")
    assert server.refusals["landmarks.parquet"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line",
    [
        f"{'0' * 64}  ../outside",
        f"{'0' * 64}  /etc/passwd",
        f"{'0' * 64}  .git/config",
        f"{'0' * 64}  ./",
        "no digest  landmarks.parquet",
        "",
    ],
)
def test_a_list_that_cannot_be_read_is_refused(release: Path, tmp_path: Path, line: str) -> None:
    (release / "SHA256SUMS").write_text(line and f"{line}\n")
    with pytest.raises(DamagedError, match="SHA256SUMS"):
        pull(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "outside").exists()


def test_a_place_without_a_release_says_so(tmp_path: Path, release: Path) -> None:
    (release / "SHA256SUMS").unlink()
    with pytest.raises(NotFoundError, match="annotations"):
        pull(release, tmp_path / "out")
    for ref in ("ftp://example.org/x", "hf:nameless", "hf:a/b/c"):
        with pytest.raises(InputError, match=ref):
            pull(ref, tmp_path / "out")


def test_a_check_comes_before_all_else_and_its_refusal_changes_nothing(
    server: FolderServer, tmp_path: Path
) -> None:
    (server.folder / "SHA256SUMS.minisig").write_text("signature")

    def refuse(folder: Path) -> None:
        assert sorted(tree(folder)) == ["SHA256SUMS", "SHA256SUMS.minisig"]
        raise DamagedError("the signature is not of that key")

    with pytest.raises(DamagedError, match="not of that key"):
        pull_release(server.url, tmp_path / "out", HttpPolicy(), check=refuse)
    assert server.hits[BIG] == 0
    assert not (tmp_path / "out").exists()
    pull(server.url, tmp_path / "out")
    assert (tmp_path / "out/SHA256SUMS.minisig").read_text() == "signature"


def test_a_pull_that_breaks_off_in_a_file_goes_on_in_the_middle_of_it(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    server.cut_once.add(BIG)
    with pytest.raises(FetchError, match="train-00000"):
        pull_release(server.url, tmp_path / "out", HttpPolicy(attempts=1))
    assert not (tmp_path / "out").exists()
    pull(server.url, tmp_path / "out")
    assert server.parts[BIG] == 1  # the rest of it, by Range
    assert tree(tmp_path / "out") == tree(release)
    assert hidden(tmp_path) == []


def test_a_file_that_came_with_wrong_bytes_is_fetched_anew(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    server.spoilt_once.add(BIG)
    with pytest.raises(FetchError, match="train-00000"):
        pull(server.url, tmp_path / "out")
    pull(server.url, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(release)


def pull_killed_at(number: int, ref: Path, out: Path) -> int:
    """Pulls in a process that is killed before its so-manieth change of a name on the disk."""
    done = list[str]()

    def dying(name: str) -> Callable[..., Any]:
        plain = getattr(Path, name)

        def change(self: Path, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            done.append(name)
            if len(done) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(self, *arguments, **options)

        return change

    def act() -> None:
        for name in ("replace", "unlink", "rmdir", "mkdir"):
            setattr(Path, name, dying(name))
        pull(ref, out)

    return run_forked(act)


def test_a_pull_killed_at_any_moment_leaves_the_old_release_or_the_new_one(
    release: Path, tmp_path: Path
) -> None:
    older = write_release(tmp_path / "older", FILES | {"landmarks.parquet": b"older"})
    kills = 0
    for number in range(1, 200):
        out = tmp_path / f"{number}/out"
        pull(older, out)
        (out / "mine.txt").write_text("mine")
        ended = pull_killed_at(number, release, out)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        kills += 1
        if out.exists():  # but between two renames, which the next pull makes good
            found = tree(out)
            found.pop("mine.txt", None)
            assert found in (tree(older), tree(release))
        pull(release, out)
        assert tree(out) == tree(release) | {"mine.txt": b"mine"}
        assert hidden(out.parent) == []
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


def test_a_flipped_bit_of_what_was_pulled_is_found_and_mended(
    server: FolderServer, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pull(server.url, out)
    content = bytearray((out / BIG).read_bytes())
    content[1000] ^= 1
    os.unlink(out / BIG)  # noqa: PTH108 - as an editor does, which leaves links alone
    (out / BIG).write_bytes(content)
    assert [damage.path for damage in verify_sums(out) if damage.what] == [BIG]
    assert pull(server.url, out).fetched == 1
    assert tree(out) == tree(release)
