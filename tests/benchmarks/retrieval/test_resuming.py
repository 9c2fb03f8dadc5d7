import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from hgld.benchmarks.retrieval.config import EMBEDDINGS_FOLDER
from hgld.benchmarks.retrieval.results import (
    RESULTS_FILE,
    TIMED,
    Results,
    read_results,
    to_json,
)
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.training.data.labels import query_and_index_images
from hgld.training.index import embeddings
from tests.benchmarks.conftest import CountedEmbedding
from tests.worlds.benchmark_builds import CONFIG, write_build, write_run

# Kills itself when it is asked to embed its third block.
_KILLED = """
import os, signal, sys
from pathlib import Path
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.training.index import embeddings

embed, calls = embeddings.embed_images, []

def embed_or_die(*args, **kwargs):
    calls.append(args)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(*args, **kwargs)

embeddings.embed_images = embed_or_die
embeddings.BLOCK = 5
config = BenchmarkConfig(device="cpu", workers=0)
run_benchmark(Workspace(Path(sys.argv[1])), config)
"""


def undated(results: Results) -> list[str]:
    """Everything but what is measured of time, in a form in which NaN equals NaN."""
    metadata = {key: value for key, value in results.metadata.items() if key != "date"}
    lines = to_json(dataclasses.replace(results, metadata=metadata)).splitlines()
    return [line for line in lines if not any(name in line for name in TIMED)]


def test_a_benchmark_that_is_done_is_skipped(build: Workspace, counted: CountedEmbedding) -> None:
    assert not run_benchmark(build, CONFIG).skipped
    embedded = list(counted.images)
    assert embedded == [15, 12, 15, 12]
    other_manner = dataclasses.replace(CONFIG, batch_size=3, workers=1)
    assert run_benchmark(build, other_manner).skipped
    assert counted.images == embedded


def test_a_new_model_embeds_again_and_its_baseline_does_not(
    build: Workspace, counted: CountedEmbedding
) -> None:
    run_benchmark(build, CONFIG)
    first = read_results(build)
    counted.images.clear()
    write_run(build, seed=7)
    assert not run_benchmark(build, CONFIG).skipped
    assert counted.images == [15, 12]
    second = read_results(build)
    assert second.methods[0] == first.methods[0]
    assert second.methods[1].measures["h_ap"] != first.methods[1].measures["h_ap"]
    # Embeddings of the model that is gone are gone with it.
    assert len(list(build.path(EMBEDDINGS_FOLDER).iterdir())) == 4


def test_a_changed_setting_measures_again(build: Workspace, counted: CountedEmbedding) -> None:
    run_benchmark(build, CONFIG)
    counted.images.clear()
    assert not run_benchmark(build, dataclasses.replace(CONFIG, image_size=48)).skipped
    assert counted.images == [15, 12, 15, 12]
    assert "48 px" in read_results(build).methods[0].description


def test_changed_labels_measure_again_without_embedding(
    build: Workspace, counted: CountedEmbedding
) -> None:
    run_benchmark(build, CONFIG)
    counted.images.clear()
    key = "map_at_100_hierarchical_label"
    assert read_results(build).methods[1].measures[key].undefined == 3
    # Landmark 32, which has no index image, now shares its super-category with landmark 31.
    write_build(build, supercategory="ocean area ")
    assert not run_benchmark(build, CONFIG).skipped
    assert counted.images == []
    assert read_results(build).methods[1].measures[key].undefined == 0


@pytest.mark.fault(176, "benchmark killed between two blocks")
def test_a_killed_benchmark_goes_on_where_it_was(
    build: Workspace, counted: CountedEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", _KILLED, str(build.root)]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(build.path(EMBEDDINGS_FOLDER).glob("*.safetensors"))) == 2
    assert not build.path(RESULTS_FILE).exists()

    monkeypatch.setattr(embeddings, "BLOCK", 5)
    run_benchmark(build, CONFIG)
    # Twice three blocks of 15 queries and three of 12 index images; two were there.
    assert counted.images == [5, 5, 5, 2, 5, 5, 5, 5, 5, 2]
    resumed = read_results(build)
    build.manifest_path("benchmark").unlink()
    for path in build.path(EMBEDDINGS_FOLDER).iterdir():
        path.unlink()
    run_benchmark(build, CONFIG)
    assert undated(read_results(build)) == undated(resumed)


def test_blocks_change_no_number(build: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_benchmark(build, CONFIG)
    whole = read_results(build)
    build.manifest_path("benchmark").unlink()
    monkeypatch.setattr(embeddings, "BLOCK", 4)
    run_benchmark(build, CONFIG)
    for one, other in zip(whole.methods, read_results(build).methods, strict=True):
        for key, value in one.measures.items():
            assert other.measures[key].mean == pytest.approx(value.mean, abs=1e-9, nan_ok=True)


def test_embeddings_say_of_which_images_they_are(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    ids = set()
    for path in build.path(EMBEDDINGS_FOLDER).glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            names = file.metadata()["image_ids"].split(" ")
            assert file.get_tensor("embeddings").shape[0] == len(names)
            ids.update(names)
    queries, index = query_and_index_images(build)
    assert ids == {*queries.image_ids.to_pylist(), *index.image_ids.to_pylist()}


@pytest.mark.fault(175, "block of embeddings cut")
def test_a_damaged_block_is_made_again(build: Workspace, counted: CountedEmbedding) -> None:
    run_benchmark(build, CONFIG)
    results = read_results(build)
    build.manifest_path("benchmark").unlink()
    counted.images.clear()
    damaged = next(iter(sorted(build.path(EMBEDDINGS_FOLDER).glob("*.safetensors"))))
    damaged.write_bytes(damaged.read_bytes()[:40])
    run_benchmark(build, CONFIG)
    assert len(counted.images) == 1
    assert undated(read_results(build)) == undated(results)
