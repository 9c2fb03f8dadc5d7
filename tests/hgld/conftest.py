"""What tests of these rooms share: GLDv2 buckets, and the number of threads of torch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.worlds.gldv2.files import add_tar, images_tar, write_tables
from tests.worlds.gldv2.folder_server import FolderServer, serve


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with small, right tables."""
    return write_tables(tmp_path / "metadata")


@pytest.fixture
def tables_server(tables: Path) -> Iterator[FolderServer]:
    """The same tables over HTTP."""
    with serve(tables) as server:
        yield server


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A bucket with three train tars of two images each, numbered from 0."""
    folder = tmp_path / "bucket"
    for number in range(3):
        add_tar(folder, "train", number, images_tar([2 * number, 2 * number + 1]))
    return folder


@pytest.fixture
def bucket_server(bucket: Path) -> Iterator[FolderServer]:
    """The same bucket over HTTP."""
    with serve(bucket) as server:
        yield server


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads that torch uses, for one test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
