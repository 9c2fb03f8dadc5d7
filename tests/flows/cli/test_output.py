import json
from pathlib import Path

import pytest

from hgld.engine.status import StageStatus
from hgld.flows.cli.output import print_states, print_states_as_json


def test_states_are_told_to_a_program_too(capsys: pytest.CaptureFixture[str]) -> None:
    state = StageStatus(stage="embed", state="stale", reason="because", rows=3, problems=1)
    print_states_as_json(Path("build"), [(state, Path("build/labels"))])
    assert json.loads(capsys.readouterr().out) == {
        "root": "build",
        "stages": [
            {
                "stage": "embed",
                "state": "stale",
                "reason": "because",
                "rows": 3,
                "problems": 1,
                "result": "build/labels",
            }
        ],
    }


def test_brackets_in_a_setting_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "setting prompt: '[offline]' -> '[/red]{label}'"
    print_states([StageStatus(stage="embed", state="stale", reason=reason, rows=0, problems=0)])
    assert reason in " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
