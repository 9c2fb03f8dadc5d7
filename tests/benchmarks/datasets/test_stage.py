import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.datasets.retrieval_data import RetrievalData, read_data_set
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.results import FIRST, metrics_of, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.benchmarks.retrieval.traits import SEEN
from hgld.engine.workspace import Workspace
from hgld.metrics import evaluate_revisited
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from tests.benchmarks.datasets.worlds import (
    SOP_TEST,
    draw_all,
    ground_truth,
    write_cub,
    write_inat,
    write_revisited,
    write_sop,
)
from tests.training.index.test_embedding_files import parquet
from tests.worlds.benchmark_builds import CONFIG
from tests.worlds.commands.typed import said


def write_embeddings(data: RetrievalData, path: Path) -> torch.Tensor:
    """Writes random embeddings of the images that search each other, and returns them."""
    vectors = np.random.default_rng(0).normal(size=(len(data.queries), 5)).astype("float32")
    parquet(path, data.queries["image_id"].to_pylist(), vectors)
    return normalize(torch.from_numpy(vectors), dim=1)


def test_each_test_picture_of_sop_searches_all_others_with_one_line(tmp_path: Path) -> None:
    data = read_data_set("sop", write_sop(tmp_path / "Stanford_Online_Products"))
    vectors = write_embeddings(data, tmp_path / "test.parquet")
    line = ["benchmark", "--data-set", "sop", "--data", "Stanford_Online_Products"]
    table = said(*line, "--embeddings", "rival=test.parquet", "test.parquet", folder=tmp_path)
    results = read_results(tmp_path / "build/benchmarks/sop/comparisons/rival")
    assert f"{100 * results.row('rival', 'map_at_100_product').mean:.1f} ±" in table
    assert "data_set" in said(*line[:-2], status=1, folder=tmp_path)
    products = data.queries["class_id"].to_pylist()
    expected = []
    for query, product in enumerate(products):
        others = [one for one in range(4) if one != query]
        others.sort(key=lambda one: -float(vectors[query] @ vectors[one]))
        hits = [products[one] == product for one in others]
        if any(hits):
            precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(3) if hits[k]]
            expected.append(sum(precisions) / len(precisions))
    assert len(expected) == 2  # the other two products have one picture each
    row = results.row("rival", "ap_product")
    assert row.mean == pytest.approx(sum(expected) / 2)
    assert (row.queries, row.undefined) == (2, 2)
    assert row.groups == 1  # both of one product, so that nobody knows how far another is
    assert math.isnan(row.low)
    # The only mug has nothing to find, so that what it finds first is no confusion.
    firsts = [one.queries or 0 for one in results.rows if one.metric == FIRST]
    assert results.row("rival", "h_ap").queries == sum(firsts) == 3
    assert list(results.counts.values()) == [4, 3, 4, 3, 2]
    assert (results.data_set, results.is_one_set) == ("sop", True)


@pytest.mark.parametrize("name", ["cub200", "inat2018", "inat2018-base"])
def test_every_labelled_set_is_measured_at_its_levels(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    write = write_cub if name.startswith("cub") else write_inat
    data = read_data_set(name, write(tmp_path))
    write_embeddings(data, tmp_path / "query.parquet")
    files = (str(tmp_path / "query.parquet"),) * 2
    config = BenchmarkConfig(data_set=name, data=tmp_path, embeddings=files, device="cpu")
    run_benchmark(workspace, config)
    results = read_results(workspace.path(config.folder))
    assert results.levels == data.levels
    for metric in metrics_of(results):
        assert (results.row("query", metric.key).queries or 0) > 0, metric


def test_a_run_is_measured_with_its_backbone_and_nothing_is_embedded_twice(
    build: Workspace, counted: list[int]
) -> None:
    folder = build.path("Stanford_Online_Products")
    draw_all(read_data_set("sop", write_sop(folder)))
    words = "benchmark --runs happier --data-set sop --data Stanford_Online_Products --root ."
    said(*words.split(), "--device", "cpu", "--workers", "0", folder=build.root)
    assert counted == [4, 4]  # of both models once, though they are queries and index
    found = read_results(build.path("benchmarks/sop"))
    assert [one.name for one in found.methods] == ["backbone happier", "after happier"]
    config = dataclasses.replace(CONFIG, data_set="sop", data=folder)
    assert run_benchmark(build, config).skipped
    write_sop(folder, test=[*SOP_TEST, "8 5 2 mug_final/f_0.JPG"])
    draw_all(read_data_set("sop", folder))
    assert not run_benchmark(build, config).skipped
    assert read_results(build.path("benchmarks/sop")).counts["queries"] == 5


def test_revisited_is_measured_by_its_ground_truth_and_what_the_box_of_a_query_holds(
    build: Workspace, tmp_path: Path
) -> None:
    data = read_data_set("roxford5k", write_revisited(tmp_path, ground_truth()))
    draw_all(data)
    run_benchmark(build, dataclasses.replace(CONFIG, data_set="roxford5k", data=tmp_path))
    results = read_results(build.path("benchmarks/roxford5k"))
    model = load_model(build.path("runs/happier"))
    index = [data.folder / one for one in data.index["path"].to_pylist()]
    queries = embed_images(model, query_crops(data), device="cpu")
    found = evaluate_revisited(queries, embed_images(model, index, device="cpu"), data.truths)
    for key, mean in found.means().items():
        assert results.row("after happier", key).mean == pytest.approx(mean, nan_ok=True)
    assert results.row("after happier", "ap_hard").undefined == 1
    assert results.row("after happier", "ap_medium").groups == 2
    assert {(row.level, row.label) for row in results.rows if row.label} == {(SEEN, "no")}
    of_unseen = results.row("after happier", "ap_medium", level=SEEN, label="no")
    assert (of_unseen.queries, of_unseen.groups) == (2, 2)
