"""An index whose pictures are embedded by actors of Ray, as docs/search.md has it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hgld.training.index.folder import (
    IndexConfig,
    PictureSource,
    embedded_index_damages,
    read_embedded_index,
)
from hgld.training.index.making import make_index
from tests.training.index.conftest import draw_noise, write_tiny_run
from tests.worlds.commands.readme import ROOT, fenced


def test_actors_of_ray_make_the_index_that_one_process_makes(tmp_path: Path) -> None:
    """In a program of its own, as Ray leaves threads and settings behind."""
    pytest.importorskip("ray", reason="needs `pip install 'ray[data]'`")
    for number in range(60):
        draw_noise(tmp_path / f"photos/{number:02d}.png", number)
    (tmp_path / "photos/bad.png").write_bytes(b"no picture")
    run = write_tiny_run(tmp_path / "build/runs/happier")
    shards = "from hgld.training.index import making\nmaking.SHARD_PICTURES = 20\n"
    _, program = fenced(ROOT / "docs/search.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", shards + program],
        cwd=tmp_path,
        # Ray keeps a token at home, and its workers would wait for every other program.
        env={**os.environ, "HOME": str(tmp_path), "RAY_worker_niceness": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = read_embedded_index(tmp_path / "photos-index")
    assert (len(found), found.manifest.problems) == (60, 1)
    assert list(embedded_index_damages(found.folder)) == []
    rows = sorted(found.folder.glob("embeddings/*.parquet"))
    assert len(rows) == 4
    vectors = np.array(found.vectors())
    shutil.rmtree(found.folder)
    config = IndexConfig(workers=0, device="cpu")
    make_index(run, PictureSource(folder=(tmp_path / "photos").resolve()), found.folder, config)
    alone = np.array(read_embedded_index(found.folder).vectors())
    np.testing.assert_allclose(np.sort(alone, axis=0), np.sort(vectors, axis=0), atol=1e-6)
