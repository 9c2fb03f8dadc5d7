"""A demo that is stopped and goes on: a small one, whose pictures a real model learns from."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.tables import CLASSES

# A background job of a shell ignores SIGINT, and the tests may be one. Few pictures, and no model
# for the texts: what is tested is the end of it all.
_HGLD = """
import signal
from hgld.demo import source
from hgld.flows.cli.commands import main
from tests.worlds.stub_encoder import stubbed_encoder

signal.signal(signal.SIGINT, signal.default_int_handler)
source.TRAIN_VIEWS, source.INDEX_VIEWS, source.TEST_VIEWS = 4, 1, 1
with stubbed_encoder():
    main()
"""
ROOT = Path(__file__).resolve().parents[3]


def start_demo(root: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _HGLD, "demo", "--root", str(root)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.fault(111, "signals that stop a demo")
def test_a_demo_that_was_stopped_goes_on_and_prints_its_results_once(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    workspace = Workspace(root)
    with start_demo(root) as process:
        assert process.stdout is not None
        assert any(line.startswith("embed: done") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert said.endswith("stopped; run the same command to resume\n")
    assert "Traceback" not in said
    path = workspace.path("hgld.toml")
    few = "[train]\nepochs = 1\nimage_size = 32\nmax_per_landmark = 4\n"
    edited = path.read_text().replace("[train]\n", few)
    path.write_text(edited)
    classes = file_digest(workspace.shards(CLASSES)[0])
    with start_demo(root) as process:
        printed, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "embed: up to date" in printed
    assert file_digest(workspace.shards(CLASSES)[0]) == classes
    assert path.read_text() == edited
    # Results once for each hierarchy, and no line of the log that is not ours.
    assert (printed + said).count("H-AP") == 2
    assert not [line for line in said.splitlines() if not re.match(r"[\d:]{8} INFO    \w", line)]
