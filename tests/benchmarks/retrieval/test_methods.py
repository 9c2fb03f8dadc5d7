import dataclasses

import pytest
import torch

from hgld.benchmarks.retrieval.config import embeddings_folder
from hgld.benchmarks.retrieval.methods import load_methods
from hgld.benchmarks.retrieval.runs import (
    TrainedRun,
    name_of_runs,
    read_trained_run,
    runs_by_method,
)
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.training.config import model_files
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.embedding import EmbeddingModel, build_model
from tests.worlds.benchmark_builds import CONFIG, MODEL, finish_training, write_run
from tests.worlds.training_runs import save_model


def cache_of(build: Workspace) -> EmbeddingCache:
    """Where the benchmark keeps embeddings."""
    folder = build.path(embeddings_folder(CONFIG))
    folder.mkdir(parents=True, exist_ok=True)
    return EmbeddingCache(
        folder=folder, precision="float32", batch_size=64, workers=0, device="cpu"
    )


def test_runs_of_one_model_share_its_backbone_and_others_have_their_own(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    other = dataclasses.replace(MODEL, backbone="test_efficientnet")
    save_model(build_model(other), build.path("runs/other"))
    files = ("happier=query.parquet", "index.parquet", "rival=query.parquet", "index.parquet")
    runs = ("happier", "other", "second")
    methods = load_methods(
        build, dataclasses.replace(CONFIG, runs=runs, embeddings=files), cache_of(build)
    )
    assert {method.name: method.baseline for method in methods} == {
        "backbone happier": "",
        "backbone other": "",
        "happier": "",
        "rival": "",
        "after happier": "backbone happier",
        "after second": "backbone happier",
        "after other": "backbone other",
    }
    assert len({method.title for method in methods}) == len(methods)
    before, after = methods[0].model, methods[1].model
    assert isinstance(after, EmbeddingModel)
    assert after.projection is not None
    assert isinstance(before, EmbeddingModel)
    assert before.projection is None
    expected = build_model(MODEL).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in before.state_dict().items())


def test_without_a_run_it_says_to_train(build: Workspace) -> None:
    with pytest.raises(MissingInputError, match="train --name other"):
        run_benchmark(build, dataclasses.replace(CONFIG, runs=("other",)))


@pytest.mark.fault(100, "damaged model")
def test_a_model_that_is_not_as_its_training_left_it_is_refused_until_it_is(
    build: Workspace,
) -> None:
    finish_training(build, "happier", seed=0)
    for name in model_files("happier"):
        path = build.path(name)
        whole = path.read_bytes()
        for content in (whole[:-1], whole[:400] + b"?" + whole[401:]):
            assert content != whole
            path.write_bytes(content)
            with pytest.raises(DamagedError, match=path.name):
                run_benchmark(build, CONFIG)
        path.write_bytes(whole)
    assert build.manifest("benchmark") is None
    run_benchmark(build, CONFIG)


def test_of_a_run_is_known_what_the_training_that_left_its_model_recorded(build: Workspace) -> None:
    assert read_trained_run(build, "happier") is None
    finish_training(build, "happier", seed=3)
    found = read_trained_run(build, "happier")
    assert found is not None
    assert (found.seed, found.settings["batch_size"]) == (3, 10)
    assert found.hours == pytest.approx(0.01)
    assert found.peak_memory_mb is None
    log = build.path("runs/happier/metrics.jsonl")
    lines = ['{"step": 50, "images_per_s": 10, "peak_memory_mb": 812.5}']
    log.write_text("\n".join([*lines, '{"step": 100, "images_per_s": 20}']))
    found = read_trained_run(build, "happier")
    assert found is not None
    assert found.hours == pytest.approx(75 / 3600)
    assert found.peak_memory_mb == 812.5
    write_run(build, seed=9)  # put there by hand
    assert read_trained_run(build, "happier") is None


def run(seed: int = 0, data: str = "digest", epochs: int = 2) -> TrainedRun:
    return TrainedRun(
        settings={"name": f"run {seed}", "seed": seed, "epochs": epochs},
        inputs={"annotations/train": data},
        hours=None,
        peak_memory_mb=None,
    )


def test_runs_that_differ_only_in_their_seed_are_one_method() -> None:
    runs = {
        "a": run(0),
        "longer": run(0, epochs=3),
        "by hand": None,
        "b": run(1),
        "other data": run(2, data="x"),
        "longer too": run(4, epochs=3),
        "by hand too": None,
        "once more": run(1),
        "c": run(2),
    }
    together = [["a", "b", "c"], ["longer", "longer too"]]
    alone = [["by hand"], ["other data"], ["by hand too"], ["once more"]]
    assert runs_by_method(runs) == [*together, *alone]


@pytest.mark.parametrize(
    ("seeds", "name"),
    [
        ({"mini-csl-0": 0, "mini-csl-10": 10}, "mini-csl"),
        ({"csl1": 1, "csl2": 2}, "csl"),
        ({"csl-0": 0, "csl-2": 1}, "csl-0, csl-2"),  # the numbers are no seeds
        ({"0": 0, "1": 1}, "0, 1"),
    ],
)
def test_runs_of_several_seeds_are_called_by_what_their_names_share(
    seeds: dict[str, int], name: str
) -> None:
    assert name_of_runs(seeds) == name
