"""The model that gains are counted from: the run's own, with its whole head, without training."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from hgld.benchmarks.retrieval import untrained
from hgld.benchmarks.retrieval.config import embeddings_folder
from hgld.benchmarks.retrieval.results import Results, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.metrics import evaluate
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import query_and_index_images, training_images
from hgld.training.model.embed import describe_numerics, embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.fitting import pca_whitening
from hgld.training.run.stage import run_train
from tests.worlds.benchmark_builds import CONFIG, write_build
from tests.worlds.commands.once import made_once
from tests.worlds.training_runs import TINY

WHOLE_HEAD = dataclasses.replace(
    TINY, embedding_dim=4, whitening=True, centring=True, scales=(1.0, 1.5), epochs=1, seed=3
)
RUN = WHOLE_HEAD.name


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A build with a run whose head is whitened and centred, and its benchmark; only read."""

    def make(folder: Path) -> None:
        write_build(Workspace(folder), train_views=4)
        run_train(Workspace(folder), WHOLE_HEAD)
        run_benchmark(Workspace(folder), CONFIG)

    return Workspace(made_once(tmp_path_factory, "whole-head", make))


@pytest.fixture
def build(trained: Workspace, workspace: Workspace) -> Workspace:
    shutil.copytree(trained.root, workspace.root)
    return workspace


def results_in(build: Workspace) -> Results:
    return read_results(build.path(CONFIG.folder))


def measured_again(build: Workspace) -> Results:
    run_benchmark(build, dataclasses.replace(CONFIG, pictures=False))
    return results_in(build)


def expected_model(build: Workspace) -> EmbeddingModel:
    """Whitens and centres by the definitions, on what the bare backbone gives."""
    config = WHOLE_HEAD.model
    model, backbone = build_model(config, seed=3), build_model(config.before_training, seed=3)
    assert model.projection is not None
    assert model.centre is not None
    images = EvalImages(training_images(build).files(), config)
    with torch.no_grad():
        features = backbone.describe(torch.stack([images[at] for at in range(len(images))]))
        weight, bias = pca_whitening(features.float(), 4)
        model.projection.weight.copy_(weight)
        model.projection.bias.copy_(bias)
        model.centre.copy_(functional.normalize(features @ weight.T + bias).mean(dim=0))
    return model


def test_gains_are_counted_from_the_whole_model_untrained_and_the_bare_backbone_stands_beside_it(
    trained: Workspace,
) -> None:
    results = results_in(trained)
    assert {one.name: (one.kind, one.baseline) for one in results.methods} == {
        f"backbone {RUN}": ("backbone", ""),
        f"untrained {RUN}": ("untrained", ""),
        f"after {RUN}": ("run", f"untrained {RUN}"),
    }
    queries, index = split = query_and_index_images(trained)
    model = expected_model(trained)
    found = [embed_images(model, images.files(), device="cpu") for images in split]
    means = evaluate(found[0], queries.labels, found[1], index.labels).means()
    row = results.row(f"untrained {RUN}", "h_ap")
    assert row.mean == pytest.approx(means["h_ap"], abs=1e-9)
    assert row.mean != results.row(f"backbone {RUN}", "h_ap").mean
    after = results.row(f"after {RUN}", "h_ap").mean
    gain = results.row(f"after {RUN}", "h_ap", against=f"untrained {RUN}")
    assert gain.mean == pytest.approx(after - row.mean)


def test_what_is_fitted_is_kept_with_the_embeddings_so_that_training_pictures_may_go(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = results_in(build)
    monkeypatch.delattr(untrained, "fit_to_images")
    shutil.rmtree(build.path("images/train"))
    again = measured_again(build)
    for one in first.methods:
        assert again.row(one.name, "h_ap") == first.row(one.name, "h_ap")


@pytest.mark.parametrize("gone", ["images/train", "stages/train.json"])
def test_where_training_pictures_or_its_record_are_gone_gains_are_counted_from_the_backbone(
    gone: str, build: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(build.path(embeddings_folder(CONFIG)))  # with what was fitted to the pictures
    path = build.path(gone)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    results = measured_again(build)
    names = [f"backbone {RUN}", f"after {RUN}"]
    assert [one.name for one in results.methods] == names
    assert results.methods[1].baseline == names[0]
    told = [one.levelname for one in caplog.records if "bare backbone" in one.getMessage()]
    assert told == ["WARNING"]


def test_a_result_says_with_what_it_was_trained_and_embedded(trained: Workspace) -> None:
    facts: dict[str, Any] = dict(results_in(trained).methods[-1].facts)
    assert facts["embedded_with"] == [{**describe_numerics("cpu"), "batch_size": 64}]
    own = {"processes": 1, "precision": WHOLE_HEAD.precision}
    assert facts["trained_with"] == [{**describe_numerics("cpu"), **own}]
    assert facts["picture"]["centring"] is True
    assert facts["training"]["batch_size"] == WHOLE_HEAD.batch_size


def test_a_run_notes_each_environment_it_went_on_in_once(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    assert files.environments() == []
    for threads in (2, 2, 1, 2):
        files.note_environment({"threads": threads}, is_new=False)
    assert files.environments() == [{"threads": 2}, {"threads": 1}]
    files.note_environment({"threads": 4}, is_new=True)
    assert files.environments() == [{"threads": 4}]
