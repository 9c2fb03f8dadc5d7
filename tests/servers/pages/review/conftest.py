"""Lists of labels to review, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.worlds.commands.once import made_once
from tests.worlds.review.lists import write_review_list
from tests.worlds.stub_encoder import stubbed_encoder


@pytest.fixture(scope="session")
def short_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 200 labels in 12 clusters."""
    return list_of(tmp_path_factory, labels=200, clusters=12)


@pytest.fixture
def build(short_list: Path, tmp_path: Path) -> Path:
    """A copy of it that nobody has reviewed."""
    return Path(shutil.copytree(short_list, tmp_path / "build"))


def list_of(factory: pytest.TempPathFactory, labels: int, clusters: int) -> Path:
    """Makes a build of so many labels, once for all processes."""

    def make(folder: Path) -> None:
        with stubbed_encoder():
            write_review_list(folder / "build", labels, clusters)

    return made_once(factory, f"list-{labels}-{clusters}", make) / "build"
