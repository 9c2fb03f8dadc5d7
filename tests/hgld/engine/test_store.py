"""Addresses of object stores: which are taken, and where a folder has to be named instead."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from hgld.engine.store import Store, check_store_address, has_scheme, open_store
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import check_base, open_source
from hgld.http.patience import HttpPolicy
from tests.worlds.commands.typed import only_line


@pytest.fixture
def there() -> str:
    """The address of a folder with a file, in memory."""
    store = open_store("fsspec+memory://shelf/folder/")
    with store.files.open_output_stream(f"{store.root}/a/file") as stream:
        stream.write(b"content")
    return store.base


def test_what_a_store_refuses_is_said_with_the_address(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    asked = ("get_file_info", "open_output_stream", "copy_file")
    files = Mock(**{f"{one}.side_effect": OSError("denied") for one in asked})
    store = Store(base="s3://shelf", files=files, root="shelf")
    refused: tuple[tuple[str, Callable[[], object]], ...] = (
        ("read s3://shelf/a", lambda: store.size("a")),
        ("list s3://shelf", store.sizes),
        ("write s3://shelf/b", lambda: store.send(tmp_path / "b", "b")),
        ("write s3://shelf/b", lambda: store.copy("a", "b")),
        ("remove s3://shelf/a", lambda: store.remove("a")),
    )
    for what, ask in refused:
        with pytest.raises(FetchError, match=rf"^cannot {what}: denied"):
            ask()


def test_a_store_is_a_source_of_files_within_its_limits(there: str, tmp_path: Path) -> None:
    with open_source(there) as source:
        source.fetch("a/file", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"content"
        assert source.read_text("a/file") == "content"
        assert (source.size("a/file"), source.size("none")) == (7, 0)
        with pytest.raises(NotFoundError, match="shelf/folder/none"):
            source.fetch("none", tmp_path / "copy")
    with (
        open_source(there, HttpPolicy(download_bytes=6)) as source,
        pytest.raises(FetchError, match="6 bytes"),
    ):
        source.fetch("a/file", tmp_path / "copy")


@pytest.mark.parametrize("address", ["s3://shelf/x?region=eu-west-1", "gs://anonymous@shelf/x"])
def test_an_address_of_a_store_is_known_by_its_scheme(address: str) -> None:
    check_store_address(address)
    check_base(address)


@pytest.mark.parametrize(
    "address", ["s4://shelf/x", "s3:/shelf/x", "s3:///x", "file:///tmp/x", "s3://a:key@shelf/x"]
)
def test_any_other_address_is_refused_and_no_key_is_shown(address: str) -> None:
    with pytest.raises(InputError, match="must") as caught:
        open_store(address)
    assert "key" not in str(caught.value)
    assert ("AWS_SECRET_ACCESS_KEY" in str(caught.value)) == ("key@" in address)
    assert has_scheme(address)
    assert not has_scheme(f"./{address}")


def test_what_pyarrow_refuses_is_an_error_with_its_reason() -> None:
    with pytest.raises(InputError, match="regon"):
        open_store("s3://shelf/x?regon=eu")


def test_a_build_or_what_is_written_is_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="s3://shelf/x"):
        Workspace(Path("s3://shelf/x"))
    for words in (
        ("build", "--root", "s3://shelf/x", "--fills"),
        ("pull", "public", "--out", "gs://shelf/x"),
        ("subset", "--per-class", "1", "--out", "s4://shelf/x"),
    ):
        assert "://shelf/x" in only_line(*words)
    assert not [*tmp_path.iterdir()]
