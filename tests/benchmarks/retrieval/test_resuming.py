import math
import shutil

import pytest

from hgld.benchmarks.retrieval.config import embeddings_folder, result_files
from hgld.benchmarks.retrieval.results import TIMED, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.training.index import embeddings
from tests.worlds.benchmark_builds import CONFIG, write_build, write_run
from tests.worlds.stopped import stopped_at

EMBEDDINGS = embeddings_folder(CONFIG)
FILES = result_files()


def undated(build: Workspace) -> list[str]:
    """Every figure but what is measured of time."""
    lines = build.path(FILES.results).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not any(name in line for name in TIMED)]


def test_a_new_model_embeds_again_and_its_baseline_does_not(
    benchmarked: Workspace, counted: list[int]
) -> None:
    first = read_results(benchmarked.path("benchmarks"))
    write_run(benchmarked, seed=7)
    assert not run_benchmark(benchmarked, CONFIG).skipped
    assert counted == [15, 12]
    second = read_results(benchmarked.path("benchmarks"))
    assert second.row("backbone happier", "h_ap") == first.row("backbone happier", "h_ap")
    kept = second.row("backbone happier", "images_per_s")
    assert math.isnan(kept.mean)  # its embeddings were kept
    assert second.row("after happier", "h_ap") != first.row("after happier", "h_ap")
    # Embeddings of the model that is gone are gone with it.
    assert len(list(benchmarked.path(EMBEDDINGS).iterdir())) == 4


def test_changed_labels_measure_again_without_embedding(
    benchmarked: Workspace, counted: list[int]
) -> None:
    # Landmark 32, which has no index image, now shares its super-category with landmark 31.
    write_build(benchmarked, supercategory="ocean area ")
    assert not run_benchmark(benchmarked, CONFIG).skipped
    assert counted == []
    results = read_results(benchmarked.path("benchmarks"))
    assert results.row("after happier", "map_at_100_hierarchical_label").undefined == 0


@pytest.mark.fault(176, "benchmark killed between two blocks")
def test_a_benchmark_stopped_between_two_blocks_ends_as_an_undisturbed_one(
    build: Workspace, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 5)
    with stopped_at(embeddings, "embed_images", 3):
        run_benchmark(build, CONFIG)
    assert len(list(build.path(EMBEDDINGS).glob("*.safetensors"))) == 2
    assert not build.path(FILES.results).exists()

    run_benchmark(build, CONFIG)
    # Twice three blocks of 15 queries and three of 12 index images; two were there.
    assert counted == [5, 5, *[5, 5, 5, 2], *[5, 5, 5, 5, 5, 2]]
    resumed = undated(build)
    shutil.rmtree(build.path("benchmarks"))
    run_benchmark(build, CONFIG)
    assert undated(build) == resumed
