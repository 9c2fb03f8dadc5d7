import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from safetensors import safe_open
from torch import Tensor

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
from hgld.training.model.embedding import EmbeddingModel
from tests.benchmarks.conftest import CountedEmbedding
from tests.worlds.benchmark_builds import CONFIG, write_build, write_run


def undated(results: Results) -> list[str]:
    """Everything but what is measured of time, in a form in which NaN equals NaN."""
    metadata = {
        key: value for key, value in results.metadata.items() if key not in {"date", "git_commit"}
    }
    lines = to_json(dataclasses.replace(results, metadata=metadata)).splitlines()
    return [line for line in lines if not any(name in line for name in TIMED)]


class StoppedEmbedding(CountedEmbedding):
    """Is stopped when it is asked for its third block."""

    def __call__(
        self, model: EmbeddingModel, images: Sequence[Path], *, image_size: int, **settings: object
    ) -> Tensor:
        if len(self.images) == 2:
            raise KeyboardInterrupt
        return super().__call__(model, images, image_size=image_size, **settings)


def test_a_benchmark_that_is_done_is_skipped(build: Workspace, counted: CountedEmbedding) -> None:
    assert not run_benchmark(build, CONFIG).skipped
    embedded = list(counted.images)
    assert embedded == [15, 12, 15, 12]
    other_manner = dataclasses.replace(CONFIG, batch_size=3, workers=1)
    assert run_benchmark(build, other_manner).skipped
    assert counted.images == embedded


def test_a_new_model_embeds_again_and_its_baseline_does_not(
    benchmarked: Workspace, counted: CountedEmbedding
) -> None:
    first = read_results(benchmarked)
    write_run(benchmarked, seed=7)
    assert not run_benchmark(benchmarked, CONFIG).skipped
    assert counted.images == [15, 12]
    second = read_results(benchmarked)
    assert second.methods[0].measures == first.methods[0].measures
    assert second.methods[0].costs.images_per_s is None  # its embeddings were kept
    assert second.methods[1].measures["h_ap"] != first.methods[1].measures["h_ap"]
    # Embeddings of the model that is gone are gone with it.
    assert len(list(benchmarked.path(EMBEDDINGS_FOLDER).iterdir())) == 4


def test_a_changed_setting_measures_again(
    benchmarked: Workspace, counted: CountedEmbedding
) -> None:
    assert not run_benchmark(benchmarked, dataclasses.replace(CONFIG, image_size=48)).skipped
    assert counted.images == [15, 12, 15, 12]
    assert "48 px" in read_results(benchmarked).methods[0].description


def test_changed_labels_measure_again_without_embedding(
    benchmarked: Workspace, counted: CountedEmbedding
) -> None:
    key = "map_at_100_hierarchical_label"
    assert read_results(benchmarked).methods[1].measures[key].undefined == 3
    # Landmark 32, which has no index image, now shares its super-category with landmark 31.
    write_build(benchmarked, supercategory="ocean area ")
    assert not run_benchmark(benchmarked, CONFIG).skipped
    assert counted.images == []
    assert read_results(benchmarked).methods[1].measures[key].undefined == 0


@pytest.mark.fault(176, "benchmark killed between two blocks")
def test_a_benchmark_stopped_between_two_blocks_ends_as_an_undisturbed_one(
    build: Workspace,
    measured: Workspace,
    counted: CountedEmbedding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embeddings, "BLOCK", 5)
    with monkeypatch.context() as patched:
        patched.setattr(embeddings, "embed_images", StoppedEmbedding())
        with pytest.raises(KeyboardInterrupt):
            run_benchmark(build, CONFIG)
    assert len(list(build.path(EMBEDDINGS_FOLDER).glob("*.safetensors"))) == 2
    assert not build.path(RESULTS_FILE).exists()

    run_benchmark(build, CONFIG)
    # Twice three blocks of 15 queries and three of 12 index images; two were there.
    assert counted.images == [5, 5, 5, 2, 5, 5, 5, 5, 5, 2]
    resumed = read_results(build)
    shutil.rmtree(build.path("benchmarks"))
    run_benchmark(build, CONFIG)
    assert undated(read_results(build)) == undated(resumed)
    # Nor do blocks of another size change a number.
    for one, other in zip(read_results(measured).methods, resumed.methods, strict=True):
        for key, value in one.measures.items():
            assert other.measures[key].mean == pytest.approx(value.mean, abs=1e-9, nan_ok=True)


def test_embeddings_say_of_which_images_they_are(measured: Workspace) -> None:
    ids = set()
    for path in measured.path(EMBEDDINGS_FOLDER).glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            names = json.loads(file.metadata()["hgld"])["image_ids"].split(" ")
            assert file.get_tensor("embeddings").shape[0] == len(names)
            ids.update(names)
    queries, index = query_and_index_images(measured)
    assert ids == {*queries.image_ids.to_pylist(), *index.image_ids.to_pylist()}


@pytest.mark.fault(175, "block of embeddings cut")
def test_a_damaged_block_is_made_again(benchmarked: Workspace, counted: CountedEmbedding) -> None:
    results = read_results(benchmarked)
    benchmarked.manifest_path("benchmark").unlink()
    damaged = min(benchmarked.path(EMBEDDINGS_FOLDER).glob("*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:40])
    run_benchmark(benchmarked, CONFIG)
    assert len(counted.images) == 1
    assert undated(read_results(benchmarked)) == undated(results)
