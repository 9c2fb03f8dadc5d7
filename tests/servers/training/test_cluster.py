"""The script for Slurm trains on two stand-ins for nodes."""

import dataclasses
import json
import re
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.training.model.saved import load_model
from tests.training.test_cluster import stand_ins, submitted
from tests.worlds.training_runs import METRICS, STEPS, TINY

__all__ = ["stand_ins"]  # a fixture


def test_the_script_trains_on_two_nodes(tiny_build: Workspace, stand_ins: Path) -> None:
    settings = dataclasses.asdict(TINY).items()
    kept = [(key, value) for key, value in settings if isinstance(value, int | float | str)]
    stated = [f"{key}={json.dumps(value)}" for key, value in kept]
    done = submitted(stand_ins, tiny_build.root, *stated)
    said = [path.read_text() for path in sorted(stand_ins.glob("calls.*"))]
    assert done.returncode == 0, (done.stderr, said)
    (call,) = (stand_ins / "calls").read_text().splitlines()
    assert "torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d" in call
    assert re.search(r"--rdzv-endpoint 127\.0\.0\.1:2\d{4} ", call)
    assert load_model(tiny_build.path("runs/happier")).image_size == TINY.image_size
    steps = [json.loads(line)["step"] for line in tiny_build.path(METRICS).read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))
    # Of two processes one writes, and says so.
    assert sum("6 landmarks" in text for text in said) == 1
