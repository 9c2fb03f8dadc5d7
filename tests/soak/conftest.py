"""The builds that are damaged and killed, each made as a user would come to have it."""

import signal
from pathlib import Path

import pytest

from tests.soak.fuzz import FinishedBuilds
from tests.soak.kills import bare_copy, build_watched
from tests.worlds.commands.once import made_once
from tests.worlds.small_build import finish_build, write_inputs

# The operation before which a stage is killed is the one after a file came to its place.
_STOPPED = {
    "checkpoint": ("train", "/checkpoint.pt"),
    "embedding cache": ("benchmark", "results.csv"),
}


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> FinishedBuilds:
    folder = made_once(tmp_path_factory, "soak-builds", _make)
    finished, earlier = (folder / name / "build" for name in ("finished", "earlier"))
    stopped = {kind: folder / kind / "build" for kind in _STOPPED}
    return FinishedBuilds(finished=finished, earlier=lambda: earlier, stopped=stopped)


@pytest.fixture(scope="session")
def operations(builds: FinishedBuilds) -> list[str]:
    """Those of an undisturbed build, as `build_watched` tells them."""
    return (builds.finished.parents[1] / "again/operations").read_text("utf-8").splitlines()


def _make(folder: Path) -> None:
    for generation, name in enumerate(("finished", "earlier")):
        finish_build(write_inputs(folder / name, generation), generation)
    ended, operations = build_watched(bare_copy(folder / "finished/build", folder / "again/build"))
    assert ended.status == 0, ended.said
    for kind, (stage, end) in _STOPPED.items():
        lines = [line for line in operations if line.split()[0] == stage]
        number = 2 + next(number for number, line in enumerate(lines) if line.endswith(end))
        root = bare_copy(folder / "finished/build", folder / kind / "build")
        ended, _ = build_watched(root, stage, number, signal.SIGKILL)
        assert ended.status == -signal.SIGKILL, ended.said
