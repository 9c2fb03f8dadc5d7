"""An index whose pictures are embedded by actors of Ray, on two nodes of which one is killed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hgld.training.index.folder import (
    IndexConfig,
    PictureSource,
    embedded_index_damages,
    read_embedded_index,
)
from hgld.training.index.making import make_index
from tests.training.index.conftest import write_tiny_run

# Ray leaves threads and settings behind, so that it is in a program of its own.
TWO_NODES = """
import os, subprocess, sys, time
from pathlib import Path
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
raylet = second.all_processes["raylet"][0].process.pid

def is_embedding():
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    titles = [Path(f"/proc/{pid}/comm").read_text() for pid in children]
    return any("MapWorker" in title for title in titles)

index = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], *sys.argv[2:]],
    env={**os.environ, "RAY_ADDRESS": cluster.address},
)
def count():
    return len([*Path("out/embeddings/.next").glob("*.parquet.*")])

while index.poll() is None and not (is_embedding() and count() > 2):
    time.sleep(0.1)
there = count()
cluster.remove_node(second, allow_graceful=False)
status = index.wait()
cluster.shutdown()
print("killed after", there)
sys.exit(status)
"""
# Small shards, for many of them.
INDEX = """
from hgld.flows.cli.commands import main
from hgld.training.index import making
making.SHARD_PICTURES = 4
main()
"""


@pytest.mark.fault(183, "a node of a Ray cluster killed while it embeds")
def test_actors_of_ray_make_the_index_that_one_process_makes_although_a_node_is_killed(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray", reason="needs `pip install 'ray[data]'`")
    photos = tmp_path / "photos"
    photos.mkdir()
    slow = tmp_path / "slow.png"  # takes some time to decode
    Image.radial_gradient("L").resize((3000, 3000)).convert("RGB").save(slow)
    for number in range(80):
        (photos / f"{number:02d}.png").symlink_to(slow)
    (photos / "bad.png").write_bytes(b"no picture")
    run = write_tiny_run(tmp_path / "build/runs/happier")
    words = ["index", "--images", "photos", "--out", "out", "--ray", "2", "--workers", "0"]
    told = tmp_path / "told"
    # Not a pipe, which processes of the killed node may hold open.
    with told.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-c", TWO_NODES, INDEX, *words, "--device", "cpu"],
            cwd=tmp_path,
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": "0" * 64,
                # Ray's workers would wait for every other program.
                "RAY_worker_niceness": "0",
            },
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    assert done.returncode == 0, told.read_text()
    found = read_embedded_index(tmp_path / "out")
    assert (len(found), found.manifest.problems) == (80, 1)
    assert list(embedded_index_damages(found.folder)) == []
    shards = sorted(found.folder.glob("embeddings/*.parquet"))
    assert 2 < int(told.read_text().split()[-1]) < len(shards) - 2, told.read_text()
    names = pa.concat_tables(map(pq.read_table, shards))["image_id"].to_pylist()
    assert sorted(names) == sorted(path.name for path in photos.glob("[0-9]*"))
    vectors = np.array(found.vectors())
    shutil.rmtree(found.folder)
    config = IndexConfig(workers=0, device="cpu")
    make_index(run, PictureSource(folder=photos.resolve()), found.folder, config)
    alone = np.array(read_embedded_index(found.folder).vectors())
    np.testing.assert_allclose(np.sort(alone, axis=0), np.sort(vectors, axis=0), atol=1e-6)
