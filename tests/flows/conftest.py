"""What the tests of the flows share: a finished build, and an encoder that takes no time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.commands.once import made_once
from tests.worlds.small_build import finish_build, write_inputs
from tests.worlds.stub_encoder import stubbed_encoder


@pytest.fixture(autouse=True)
def _stub_encoder() -> Iterator[None]:
    """Stands in for the text encoder, which takes 5 s to import: it is tested elsewhere."""
    with stubbed_encoder():
        yield


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small build of every stage; nobody changes it."""
    return _built(tmp_path_factory, "small-build", generation=0)


@pytest.fixture(scope="session")
def earlier_build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """The same as it was at an earlier time, made when it is asked for."""
    return lambda: _built(tmp_path_factory, "earlier-build", generation=1).root


def _built(factory: pytest.TempPathFactory, name: str, generation: int) -> Workspace:
    def build(folder: Path) -> None:
        with stubbed_encoder():
            finish_build(write_inputs(folder, generation), generation)

    return Workspace(made_once(factory, name, build) / "build")
