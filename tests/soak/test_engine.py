"""Stages killed at every call."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.engine.test_placing import kill_at_calls


@pytest.mark.parametrize("stands", [False, True], ids=["the first run", "a later run"])
def test_a_run_killed_at_any_call_leaves_one_of_the_two_outputs_and_goes_on(
    workspace: Workspace, tmp_path: Path, stands: bool
) -> None:
    kill_at_calls(range(200), workspace, Workspace(tmp_path / "whole"), stands=stands)
