"""An index made by workers of Ray, one of which is killed in the middle of a shard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.training.test_index_processes import kill_in_a_shard, many, require_the_same

__all__ = ["many"]  # a fixture


def test_two_workers_of_ray_make_it_although_one_is_killed_in_the_middle(
    many: Path, tmp_path: Path
) -> None:
    """In a program of its own, as Ray leaves threads and settings behind."""
    pytest.importorskip("ray", reason="needs `pip install 'hgld[ray]'`")
    words = ["--images", "photos", "--run", "run", "--out", "rayed", "--shard-images", "12"]
    words += ["--workers", "0", "--device", "cpu", "--nproc", "2", "--engine", "ray"]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("hgld"), "index", *words],
        cwd=many,
        env={**os.environ, "HOME": str(tmp_path)},  # Ray keeps a token there
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        victim = kill_in_a_shard(many / "rayed")
        assert victim != process.pid
        said, errors = process.communicate(timeout=200)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    # Ray itself tells of the dead worker before it.
    assert "59 embeddings" in said.splitlines()[-1]
    require_the_same(many, "rayed")
