"""A demo that is stopped and goes on: a small one, whose pictures a real model learns from."""

import os
import re
import signal
from pathlib import Path

import pytest

from hgld.demo import source
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.tables import CLASSES
from tests.flows.cli.test_signals import STOPPED
from tests.worlds.commands.typed import run_typed, said
from tests.worlds.stub_encoder import stubbed_encoder


@pytest.mark.fault(111, "signals that stop a demo")
def test_a_demo_that_was_stopped_goes_on_and_prints_its_results_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Few pictures, and no model for the texts: what is tested is the end of it all.
    for name, views in {"TRAIN": 4, "INDEX": 1, "TEST": 1}.items():
        monkeypatch.setattr(source, f"{name}_VIEWS", views)
    monkeypatch.setenv("COLUMNS", "100")
    words, workspace = ("demo", "--root", tmp_path / "demo"), Workspace(tmp_path / "demo")
    with stubbed_encoder():
        with pytest.MonkeyPatch.context() as patch:
            stopping = "hgld.labels.clustering.stage.run_cluster"
            patch.setattr(stopping, lambda *_: os.kill(os.getpid(), signal.SIGINT))
            assert said(*words, status=128 + signal.SIGINT).endswith(STOPPED)
        path = workspace.path("hgld.toml")
        few = "[train]\nepochs = 1\nimage_size = 32\nmax_per_landmark = 4\n"
        edited = path.read_text().replace("[train]\n", few)
        path.write_text(edited)
        classes = file_digest(workspace.shards(CLASSES)[0])
        done = run_typed(words)
    assert done.returncode == 0, done.stderr
    assert "embed: up to date" in done.stdout
    assert file_digest(workspace.shards(CLASSES)[0]) == classes
    assert path.read_text() == edited
    # Results once for each hierarchy, and no line of the log that is not ours.
    assert (done.stdout + done.stderr).count("H-AP") == 2
    lines = done.stderr.splitlines()
    assert not [line for line in lines if not re.match(r"[\d:]{8} INFO    \w", line)]
