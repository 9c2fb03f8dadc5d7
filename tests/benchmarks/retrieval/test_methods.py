import dataclasses

import pytest
import torch

from hgld.benchmarks.retrieval.methods import (
    ModelEmbeddings,
    RetrievalMethod,
    TrainedRun,
    load_methods,
    name_of_runs,
    read_trained_run,
    runs_by_method,
)
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.files import write_text
from hgld.engine.stage import StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.config import model_files, train_stage
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import save_model
from tests.worlds.benchmark_builds import CONFIG, MODEL, write_build, write_run


def test_a_baseline_has_the_backbone_of_before_training_and_no_linear_layer(
    build: Workspace,
) -> None:
    before, after = (method.source for method in load_methods(build, CONFIG))
    assert isinstance(before, ModelEmbeddings)
    assert isinstance(after, ModelEmbeddings)
    assert after.model.projection is not None
    assert before.model.projection is None
    expected = build_model(MODEL).state_dict()
    assert all(
        torch.equal(value, expected[key]) for key, value in before.model.state_dict().items()
    )


def test_runs_of_one_model_share_a_baseline_and_others_have_their_own(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    other = dataclasses.replace(MODEL, backbone="test_efficientnet")
    save_model(build_model(other), build.path("runs/other"))
    config = dataclasses.replace(CONFIG, runs=("happier", "other", "second"))
    run_benchmark(build, config)
    results = read_results(build.path("benchmarks"))
    methods = results.methods
    assert [(method.name, method.baseline) for method in methods] == [
        ("before happier", ""),
        ("after happier", "before happier"),
        ("after second", "before happier"),
        ("before other", ""),
        ("after other", "before other"),
    ]
    assert len({method.title for method in methods}) == 5
    # This one was saved as it was built, so nothing may have changed.
    change = results.row("after other", "h_ap", against="before other")
    assert (change.mean, change.higher, change.lower) == (0, 0, 0)


def test_embeddings_called_as_a_run_is_are_told_from_it(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    files = ("happier=query.parquet", "index.parquet", "rival=query.parquet", "index.parquet")
    config = dataclasses.replace(CONFIG, runs=("happier", "second"), embeddings=files)
    assert [method.title for method in load_methods(build, config)] == [
        *("Before training", "happier", "second", "happier, embeddings", "rival"),
    ]


def test_without_a_run_it_says_to_train(workspace: Workspace) -> None:
    write_build(workspace)
    with pytest.raises(MissingInputError, match="train"):
        run_benchmark(workspace, CONFIG)
    write_run(workspace, "mine")
    with pytest.raises(MissingInputError, match="mine"):
        run_benchmark(workspace, CONFIG)


def test_a_backbone_with_its_own_pooling_takes_no_other_size(build: Workspace) -> None:
    own = dataclasses.replace(MODEL, backbone="test_vit", pooling="backbone", image_size=160)
    save_model(build_model(own), build.path("runs/happier"))
    with pytest.raises(InputError, match="image_size"):
        load_methods(build, dataclasses.replace(CONFIG, image_size=96))
    assert all(isinstance(method, RetrievalMethod) for method in load_methods(build, CONFIG))


def record(workspace: Workspace) -> None:
    """Writes down what the run's training would have: which file it wrote."""
    stage = train_stage("happier")
    content = {name: workspace.path(name).read_bytes() for name in model_files("happier")}

    def produce(writer: StageWriter) -> None:
        for name, data in content.items():
            with writer.file(name) as temporary:
                temporary.write_bytes(data)

    run_stage(workspace, dataclasses.replace(stage, inputs=()), {}, produce)


@pytest.mark.fault(100, "damaged model")
def test_a_model_that_is_not_as_its_training_left_it_is_refused_until_it_is(
    build: Workspace,
) -> None:
    record(build)
    save_model(build_model(MODEL, seed=5), build.path("other"))
    for name in model_files("happier"):
        path = build.path(name)
        whole, other = path.read_bytes(), build.path("other") / path.name
        for content in (whole[:-1], whole[:400] + b"?" + whole[401:], other.read_bytes()):
            assert content != whole
            path.write_bytes(content)
            with pytest.raises(DamagedError, match=path.name):
                run_benchmark(build, CONFIG)
        path.write_bytes(whole)
    assert build.manifest("benchmark") is None
    run_benchmark(build, CONFIG)


SETTINGS: dict[str, object] = {
    "name": "happier",
    "seed": 3,
    "method": {"name": "happier"},
    "epochs": 2,
    "batch_size": 72,
    "learning_rate": 3e-4,
}


def run(seed: int = 0, **changes: object) -> TrainedRun:
    return TrainedRun(
        settings={**SETTINGS, "name": f"run {seed}", "seed": seed, **changes},
        inputs={"annotations/train": "digest"},
        hours=None,
        peak_memory_mb=None,
    )


def finish(workspace: Workspace) -> None:
    """Ends a training that left a model."""
    stage = dataclasses.replace(train_stage("happier"), inputs=())

    def produce(writer: StageWriter) -> None:
        for file in stage.output_files:
            with writer.file(file) as path:
                path.write_bytes(b"weights")

    run_stage(workspace, stage, SETTINGS, produce)


def test_a_run_has_the_settings_and_the_hours_that_were_recorded(workspace: Workspace) -> None:
    finish(workspace)
    lines = ['{"step": 50, "images_per_s": 10}', '{"step": 100, "images_per_s": 20}']
    write_text(workspace.path("runs/happier/metrics.jsonl"), "\n".join(lines))
    found = read_trained_run(workspace, "happier")
    assert found is not None
    assert found.settings == SETTINGS
    assert found.seed == 3
    assert found.hours == pytest.approx(0.15)
    assert found.peak_memory_mb is None

    lines = ['{"step": 50, "peak_memory_mb": 812.5}', '{"step": 100, "peak_memory_mb": 810.0}', "{"]
    write_text(workspace.path("runs/happier/metrics.jsonl"), "\n".join(lines))
    found = read_trained_run(workspace, "happier")
    assert found is not None
    assert found.peak_memory_mb == 812.5


def test_of_a_model_that_no_training_left_nothing_is_known(workspace: Workspace) -> None:
    weights = workspace.path(model_files("happier")[0])
    write_text(weights, "put there by hand")
    assert read_trained_run(workspace, "happier") is None
    finish(workspace)
    assert read_trained_run(workspace, "happier") is not None
    write_text(weights, "put there by hand later")
    assert read_trained_run(workspace, "happier") is None


def test_runs_that_differ_only_in_their_seed_are_one_method() -> None:
    other_data = TrainedRun(
        settings=run(2).settings, inputs={"annotations/train": "x"}, hours=None, peak_memory_mb=None
    )
    runs = {
        "a": run(0),
        "longer": run(0, epochs=3),
        "by hand": None,
        "b": run(1),
        "other data": other_data,
        "longer too": run(4, epochs=3),
        "also by hand": None,
        "once more": run(1),
        "c": run(2),
    }
    assert runs_by_method(runs) == [
        *(["a", "b", "c"], ["longer", "longer too"], ["by hand"], ["other data"]),
        *(["also by hand"], ["once more"]),
    ]
    assert runs_by_method({}) == []
    assert runs_by_method({"a": run(0), "the same again": run(0)}) == [["a"], ["the same again"]]


@pytest.mark.parametrize(
    ("seeds", "name"),
    [
        ({"mini-csl-0": 0, "mini-csl-10": 10}, "mini-csl"),
        ({"csl_1": 1, "csl_2": 2}, "csl"),
        ({"csl1": 1, "csl2": 2}, "csl"),
        ({"csl-0": 0, "csl-2": 1}, "csl-0, csl-2"),  # the numbers are no seeds
        ({"csl-0": 0, "nsm-1": 1}, "csl-0, nsm-1"),
        ({"0": 0, "1": 1}, "0, 1"),
    ],
)
def test_runs_of_several_seeds_are_called_by_what_their_names_share(
    seeds: dict[str, int], name: str
) -> None:
    assert name_of_runs(seeds) == name
