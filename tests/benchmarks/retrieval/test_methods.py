import dataclasses

import pytest
import torch

from hgld.benchmarks.retrieval.methods import (
    ModelEmbeddings,
    RetrievalMethod,
    load_methods,
)
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
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
    methods = read_results(build).methods
    assert [(method.name, method.baseline) for method in methods] == [
        ("before happier", ""),
        ("after happier", "before happier"),
        ("after second", "before happier"),
        ("before other", ""),
        ("after other", "before other"),
    ]
    assert len({method.title for method in methods}) == 5
    # This one was saved as it was built, so nothing may have changed.
    assert methods[4].changes["h_ap"].mean == 0
    assert (methods[4].better, methods[4].worse) == (0, 0)


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
