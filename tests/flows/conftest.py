"""What the tests of the flows share: a finished build, and an encoder that takes no time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.commands.once import made_once
from tests.worlds.small_build import finish_build, write_inputs
from tests.worlds.stub_encoder import stubbed_encoder


@pytest.fixture(autouse=True)
def _stub_encoder() -> Iterator[None]:
    """Stands in for the text encoder, whose import alone takes 5 s: it is tested elsewhere."""
    with stubbed_encoder():
        yield


@pytest.fixture(scope="session")
def small_builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Workspace]:
    """The small build of every stage, `finished` and as it was `earlier`; nobody changes them."""

    def build(folder: Path) -> None:
        with stubbed_encoder():
            for generation, name in enumerate(("finished", "earlier")):
                finish_build(write_inputs(folder / name, generation), generation)

    folder = made_once(tmp_path_factory, "small-builds", build)
    return {name: Workspace(folder / name / "build") for name in ("finished", "earlier")}
