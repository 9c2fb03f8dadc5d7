import json
from pathlib import Path

import pytest

from hgld.engine.stage import StageStatus
from hgld.flows.cli.output import print_states_as_json


def test_states_are_told_to_a_program_too(capsys: pytest.CaptureFixture[str]) -> None:
    state = StageStatus(stage="embed", state="stale", reason="because", rows=3, problems=1)
    print_states_as_json(Path("build"), {state: Path("build/labels")})
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
