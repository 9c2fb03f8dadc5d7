"""A build from real servers and real photographs, killed at random moments."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.servers.flows.conftest import word_vectors
from tests.servers.flows.test_end_to_end import bucket, finished, hgld, write_settings
from tests.worlds.review.opened import HGLD
from tests.worlds.wikimedia.lab import Lab

__all__ = ["bucket", "finished", "word_vectors"]  # fixtures

KILLS = 20


@pytest.mark.fault(117, "build of real servers killed at random moments")
def test_kills_at_random_moments_change_nothing(
    finished: Workspace, bucket: str, lab: Lab, tmp_path: Path
) -> None:
    workspace = write_settings(tmp_path, bucket, lab)
    decisions = workspace.path("review/decisions.jsonl")
    decisions.parent.mkdir()
    decisions.write_bytes(finished.path("review/decisions.jsonl").read_bytes())
    moments = random.Random(20220713)
    killed = 0
    while killed < KILLS:
        process = subprocess.Popen(
            [HGLD, "build"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.5, 20))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        killed += 1
    assert killed
    hgld("hgld build", tmp_path)
    for stage in ("annotate", "train"):
        undisturbed = finished.manifest(stage)
        again = workspace.manifest(stage)
        assert undisturbed is not None
        assert again is not None
        assert again.outputs == undisturbed.outputs
