"""What actors of Ray make and find, on two nodes of which one is killed meanwhile."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.labels.looks import stage
from hgld.labels.looks.stage import LookConfig, run_look
from hgld.tables import PICTURE_VOTES
from hgld.training.index.folder import (
    IndexConfig,
    PictureSource,
    embedded_index_damages,
    read_embedded_index,
)
from hgld.training.index.making import make_index
from tests.training.index.conftest import write_tiny_run
from tests.worlds.unlabelled import write_unlabelled

# Ray leaves threads and settings behind, so that it is in a program of its own.
TWO_NODES = """
import json, os, subprocess, sys, time
from pathlib import Path
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
for words, folder in json.loads(sys.argv[2]):
    second = cluster.add_node(num_cpus=1)
    raylet = second.all_processes["raylet"][0].process.pid

    def is_working():
        children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
        titles = [Path(f"/proc/{pid}/comm").read_text() for pid in children]
        return any("MapWorker" in title for title in titles)

    typed = subprocess.Popen(
        [sys.executable, "-c", sys.argv[1], *words],
        env={**os.environ, "RAY_ADDRESS": cluster.address},
    )
    def count():
        return len([*Path(folder, ".next").glob("*.parquet.*")])

    while typed.poll() is None and not (is_working() and count() > 2):
        time.sleep(0.1)
    there = count()
    cluster.remove_node(second, allow_graceful=False)
    print("killed after", there, "ended with", typed.wait(), flush=True)
cluster.shutdown()
"""
# Small shards and parts, for many of them.
TYPED = """
from hgld.flows.cli.commands import main
from hgld.labels.looks import stage
from hgld.training.index import making
making.SHARD_PICTURES = 4
stage.PART = 4
main()
"""
CLIP = "ViT-S-32-alt"


def typed_on_two_nodes(folder: Path, typed: list[tuple[list[str], str]]) -> str:
    """Returns what commands say while a node is killed, once three files are in a folder."""
    told = folder / "told"
    # Not a pipe, which processes of the killed node may hold open.
    with told.open("w") as file:
        subprocess.run(
            [sys.executable, "-c", TWO_NODES, TYPED, json.dumps(typed)],
            cwd=folder,
            env={
                **os.environ,
                "HOME": str(folder),
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": "0" * 64,
                # Ray's workers would wait for every other program.
                "RAY_worker_niceness": "0",
            },
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return told.read_text()


@pytest.mark.fault(183, "a node of a Ray cluster killed while it embeds")
def test_actors_of_ray_make_what_one_process_makes_although_a_node_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs `pip install 'ray[data]'`")
    import open_clip
    import torch

    photos = tmp_path / "photos"
    photos.mkdir()
    slow = tmp_path / "slow.png"  # takes some time to decode
    Image.radial_gradient("L").resize((3000, 3000)).convert("RGB").save(slow)
    for number in range(80):
        (photos / f"{number:02d}.png").symlink_to(slow)
    (photos / "bad.png").write_bytes(b"no picture")
    run = write_tiny_run(tmp_path / "build/runs/happier")
    build, alone = Workspace(tmp_path / "build"), Workspace(tmp_path / "alone")
    for one in (build, alone):
        write_unlabelled(one, {("train", number): "rgby" for number in range(60)}, classes={})
        altered = sorted(one.path("images").rglob("*.png"))[1]
        altered.write_bytes(altered.read_bytes()[::-1])
    torch.save(open_clip.create_model(CLIP).state_dict(), tmp_path / "weights.pt")
    ray = ["--ray", "2"]
    workers = ["--workers", "0", "--device", "cpu"]
    weights = ["--model", CLIP, "--weights", "weights.pt"]
    typed = [
        (["index", "--images", "photos", "--out", "out", *ray, *workers], "out/embeddings"),
        (["look", "--split", "train", *ray, *weights], f"build/{PICTURE_VOTES.path}"),
        (["verify", "--deep", *ray], ""),  # of one table, so that no node is killed
    ]
    told = typed_on_two_nodes(tmp_path, typed)
    ends = re.findall(r"killed after (\d+) ended with (-?\d+)", told)
    assert [status for _, status in ends] == ["0", "0", "1"], told
    found = read_embedded_index(tmp_path / "out")
    assert (len(found), found.manifest.problems) == (80, 1)
    assert list(embedded_index_damages(found.folder)) == []
    shards = sorted(found.folder.glob("embeddings/*.parquet"))
    for (count, _), files in zip(ends, (shards, build.shards(PICTURE_VOTES)), strict=False):
        assert 2 < int(count) < len(files) - 2, told
    names = pa.concat_tables(map(pq.read_table, shards))["image_id"].to_pylist()
    assert sorted(names) == sorted(path.name for path in photos.glob("[0-9]*"))
    vectors = np.array(found.vectors())
    shutil.rmtree(found.folder)
    config = IndexConfig(workers=0, device="cpu")
    make_index(run, PictureSource(folder=photos.resolve()), found.folder, config)
    here = np.array(read_embedded_index(found.folder).vectors())
    np.testing.assert_allclose(np.sort(here, axis=0), np.sort(vectors, axis=0), atol=1e-6)
    monkeypatch.setattr(stage, "PART", 4)
    asked = LookConfig(model=CLIP, weights=str(tmp_path / "weights.pt"), split="train")
    looked = run_look(alone, asked)
    assert looked.manifest.outputs == build.finished(PICTURE_VOTES).outputs
    assert re.findall(r"^build/images/.*/(\S+) ", told, re.MULTILINE) == [altered.name]
