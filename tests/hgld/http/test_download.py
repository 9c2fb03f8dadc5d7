import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import check_base, open_source
from tests.worlds.gldv2.folder_server import FolderServer, serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    (folder / "train").mkdir(parents=True)
    (folder / "train/a.txt").write_bytes(b"some text\n" * 20_000)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[FolderServer]:
    with serve(folder) as state:
        yield state


def test_a_file_is_fetched_from_the_web_byte_for_byte(
    server: FolderServer, folder: Path, tmp_path: Path
) -> None:
    with open_source(f"{server.url}/") as source:
        source.fetch("train/a.txt", tmp_path / "copy")
        assert source.size("train/a.txt") == 200_000
    assert (tmp_path / "copy").read_bytes() == (folder / "train/a.txt").read_bytes()
    assert server.hits == {"train/a.txt": 1}


def test_a_file_is_copied_from_a_folder_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    with open_source(str(folder)) as source:
        source.fetch("train/a.txt", tmp_path / "copy")
        assert source.size("train/a.txt") == 200_000
    assert (tmp_path / "copy").read_bytes() == (folder / "train/a.txt").read_bytes()


def test_a_file_of_a_folder_is_read_where_it_lies(folder: Path, tmp_path: Path) -> None:
    with open_source(str(folder)) as source:
        assert source.bring("train/a.txt", tmp_path / "copy") == folder / "train/a.txt"
    assert not (tmp_path / "copy").exists()


def test_a_file_of_the_web_is_read_from_the_temporary_copy(
    server: FolderServer, tmp_path: Path
) -> None:
    with open_source(server.url) as source:
        assert source.bring("train/a.txt", tmp_path / "copy") == tmp_path / "copy"
        assert source.read_text("train/a.txt").startswith("some text\n")


def test_a_folder_beside_the_base_can_be_named(server: FolderServer, folder: Path) -> None:
    (folder / "index").mkdir()
    for base in (f"{server.url}/index", str(folder / "index")):
        with open_source(base) as source:
            assert source.read_text("../train/a.txt").startswith("some text\n")


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_the_server_lacks_is_not_found(
    server: FolderServer, tmp_path: Path, status: int
) -> None:
    server.statuses["train/a.txt"] = status
    with (
        open_source(server.url) as source,
        pytest.raises(NotFoundError, match=rf"train/a\.txt.*{status}"),
    ):
        source.fetch("train/a.txt", tmp_path / "copy")
    assert server.hits["train/a.txt"] == 1


def test_a_file_a_folder_lacks_is_not_found(folder: Path, tmp_path: Path) -> None:
    with open_source(str(folder)) as source:
        assert source.size("train/b.txt") == 0
        with pytest.raises(NotFoundError, match=r"train/b\.txt"):
            source.bring("train/b.txt", tmp_path / "copy")


def test_a_file_cut_short_is_asked_for_again(
    server: FolderServer, folder: Path, tmp_path: Path, waits: list[float]
) -> None:
    server.cut_once.add("train/a.txt")
    with open_source(server.url) as source:
        source.fetch("train/a.txt", tmp_path / "copy")
    assert not server.cut_once
    assert server.hits == {"train/a.txt": 2}
    assert waits == [1.0]
    assert (tmp_path / "copy").read_bytes() == (folder / "train/a.txt").read_bytes()


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    # Port 1 of the loopback device: nothing listens there, and no packet leaves the machine.
    with open_source("http://127.0.0.1:1") as source:
        for ask in (source.size, lambda name: source.fetch(name, tmp_path / "copy")):
            with pytest.raises(FetchError, match=r"127\.0\.0\.1:1"):
                ask("train/a.txt")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(FetchError, match="nowhere"),
        open_source(str(tmp_path / "nowhere")),
    ):
        pass


def test_a_size_the_server_does_not_tell_is_0(server: FolderServer, waits: list[float]) -> None:
    for status in (405, 500):
        server.statuses["train/a.txt"] = status
        with open_source(server.url) as source:
            assert source.size("train/a.txt") == 0
    assert server.refusals["train/a.txt"] == 1 + len(waits) + 1


def test_text_that_is_no_text_is_an_error(folder: Path) -> None:
    (folder / "train/a.txt").write_bytes(b"\xff\xfe")
    with open_source(str(folder)) as source, pytest.raises(FetchError, match="UTF-8"):
        source.read_text("train/a.txt")


def test_only_a_folders_files_can_change(
    server: FolderServer, folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes((folder / "train/a.txt").read_bytes())
    with open_source(str(folder)) as source, open_source(server.url) as web:
        assert not source.has_changed("train/a.txt", kept)
        # Of the same size and age: only the bytes tell.
        kept.write_bytes(b"Some text\n" * 20_000)
        age = (folder / "train/a.txt").stat()
        os.utime(kept, ns=(age.st_atime_ns, age.st_mtime_ns))
        assert source.has_changed("train/a.txt", kept)
        assert not source.has_changed("train/gone.txt", kept)
        assert not web.has_changed("train/a.txt", kept)


@pytest.mark.parametrize("base", ["", "  ", "ftp://example.org/x", "s3://google-landmark"])
def test_a_base_that_is_neither_url_nor_folder_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        check_base(base)


def test_a_copy_that_cannot_be_written_is_an_error_of_ours(
    server: FolderServer, folder: Path, tmp_path: Path
) -> None:
    for base in (server.url, str(folder)):
        with (
            open_source(base) as source,
            pytest.raises(InputError, match="no/copy"),
        ):
            source.fetch("train/a.txt", tmp_path / "no/copy")
