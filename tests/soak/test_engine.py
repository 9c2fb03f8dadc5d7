"""Stages killed at every file, and what a stopped run has left damaged, many times over."""

from pathlib import Path
from random import Random

import pytest

from hgld.engine.stage import StageReport, find_beside, place_beside
from hgld.engine.workspace import Workspace
from hgld.tables import LANDMARKS
from tests.hgld.engine.builds import stop_landmarks, write_landmarks
from tests.hgld.engine.test_placing import kill_at_calls
from tests.worlds.damage import cut, flip

COUNT = 8


@pytest.fixture
def clean(tmp_path: Path) -> StageReport:
    return write_landmarks(Workspace(tmp_path / "clean"), COUNT)[0]


@pytest.mark.parametrize("stands", [False, True], ids=["the first run", "a later run"])
def test_a_run_killed_at_any_call_leaves_one_of_the_two_outputs_and_goes_on(
    workspace: Workspace, tmp_path: Path, stands: bool
) -> None:
    kill_at_calls(range(200), workspace, Workspace(tmp_path / "whole"), stands=stands)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_shard_of_a_stopped_run_makes_no_other_rows(
    workspace: Workspace, clean: StageReport, seed: int
) -> None:
    stop_landmarks(workspace, COUNT, at="000004")
    name = LANDMARKS.shard_path("000000")
    shard = place_beside(workspace.path(name), find_beside(workspace, [LANDMARKS])[name])
    (cut if seed % 2 else flip)(shard, Random(seed))
    assert write_landmarks(workspace, COUNT)[0].manifest.outputs == clean.manifest.outputs
