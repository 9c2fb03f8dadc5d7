"""A build of six landmarks and 40 training pictures, made once, and the run on it."""

import os
import shutil
from collections.abc import Callable

import pytest

from hgld.engine.workspace import Workspace
from tests.worlds.commands.once import made_once
from tests.worlds.training_runs import COUNTS, TINY, Undisturbed, trained_once, write_tiny_build


@pytest.fixture(scope="session", autouse=True)
def _sums_are_compiled(compiled_sums: None) -> None:
    """Has numba compile before the first test."""


@pytest.fixture
def tiny_build(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build with a training, index and test split, of the test's own."""
    made = made_once(
        tmp_path_factory,
        "tiny",
        lambda folder: write_tiny_build(Workspace(folder / "build"), COUNTS),
    )
    shutil.copytree(made / "build", workspace.root)
    return workspace


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of `TINY` that nothing stops, for all tests that compare with it."""
    return trained_once(tmp_path_factory, "trained", TINY)


@pytest.fixture
def trained_build(workspace: Workspace, undisturbed: Undisturbed) -> Workspace:
    """A build whose training has ended, of the test's own."""
    shutil.copytree(undisturbed.root, workspace.root)
    return workspace


class Payload:
    """Runs a command, or calls something else with a text, when it is unpickled."""

    def __init__(self, text: str, call: Callable[[str], object] = os.system) -> None:
        self.call, self.text = call, text

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self.call, (self.text,)
