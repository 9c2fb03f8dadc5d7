"""`hgld export`: what it leaves beside the model of a run."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval import exporting
from hgld.benchmarks.retrieval.exporting import run_export
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.tables import ANNOTATIONS
from hgld.training.config import ExportConfig, card_stage, onnx_stage
from hgld.training.model.embedding import EmbeddingModel, build_model
from tests.training.conftest import trained_build, undisturbed
from tests.worlds.benchmark_builds import CONFIG, MODEL, finish_training, write_run
from tests.worlds.training_runs import TINY, save_model

__all__ = ["trained_build", "undisturbed"]  # fixtures

CARD = ExportConfig(to="card")
ONNX, README = "runs/happier/model.onnx", "runs/happier/README.md"


def write_marked(model: EmbeddingModel, path: Path, *, metadata: dict[str, str]) -> float:
    """Stands in for the exporter, which takes ten seconds and has tests of its own."""
    path.write_text(f"{model.embedding_dim} {metadata['hgld.weights_sha256']}")
    return 1e-6


def test_what_is_exported_is_skipped_and_made_again_of_another_model(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "export_onnx", write_marked)
    first = run_export(build, ExportConfig())
    assert [report.skipped for report in first] == [False, False]
    assert all(report.skipped for report in run_export(build, ExportConfig()))
    before = build.path(ONNX).read_text()
    write_run(build, seed=9)
    assert stage_status(build, onnx_stage("happier"), {}).state == "stale"
    assert not any(report.skipped for report in run_export(build, ExportConfig()))
    assert build.path(ONNX).read_text() != before
    # Made again where it is gone or altered, the card alone where that is asked for.
    build.path(ONNX).write_text("altered")
    build.path(README).unlink()
    assert not run_export(build, CARD)[0].skipped
    assert build.path(ONNX).read_text() == "altered"
    assert [report.skipped for report in run_export(build, ExportConfig())] == [False, True]


def test_a_run_that_is_not_there_says_to_train_and_one_that_takes_no_pictures_is_refused(
    build: Workspace,
) -> None:
    layer = dataclasses.replace(MODEL, backbone="vectors-8", frozen=True)
    save_model(build_model(layer), build.path("runs/layer"))
    with pytest.raises(InputError, match="vectors"):
        run_export(build, ExportConfig(run="layer"))
    with pytest.raises(MissingInputError, match="train --name mine"):
        run_export(build, ExportConfig(run="mine"))
    with pytest.raises(ValueError, match="to"):
        ExportConfig(to="tflite")  # type: ignore[arg-type]  # wrong on purpose


def card_of(workspace: Workspace) -> str:
    run_export(workspace, CARD)
    return workspace.path(README).read_text()


def test_the_card_has_the_training_that_wrote_the_model(trained_build: Workspace) -> None:
    text = card_of(trained_build)
    labels = ANNOTATIONS["train"]
    assert trained_build.finished(labels).outputs[labels.path] in text
    assert f"| `learning_rate` | `{TINY.learning_rate}` |" in text

    release = {"version": "2.1.0", "date": "", "files": {}}
    trained_build.path("annotations/releases.json").write_text(json.dumps([release]))
    assert "2.1.0" in card_of(trained_build)
    # Of a model from elsewhere nothing is said that is of this one.
    write_run(trained_build)
    trained_build.manifest_path("train").rename(trained_build.path("stages/train.json.old"))
    assert "learning_rate" not in card_of(trained_build)


def test_the_card_has_what_the_benchmark_measured_of_this_model_among_its_seeds(
    build: Workspace,
) -> None:
    assert "No benchmark has measured this model yet" in card_of(build)
    write_run(build, "happier-1", seed=2)
    for seed, run in enumerate(("happier", "happier-1")):
        finish_training(build, run, seed)
    run_benchmark(build, dataclasses.replace(CONFIG, runs=("happier-1", "happier")))
    assert stage_status(build, card_stage("happier"), {}).state == "stale"
    results = read_results(build.path("benchmarks"))
    before, both = results.methods
    other, own = (results.row(both.name, "h_ap", run=run).mean for run in both.runs)
    figures = [f"{100 * one:.1f}" for one in (results.row(before.name, "h_ap").mean, own)]
    assert f"{100 * own:.1f}" != f"{100 * other:.1f}"
    text = card_of(build)
    assert re.search(rf"\| H-AP, all levels \| {figures[0]} ± .* \| {figures[1]} ± ", text)
    assert "15 queries of 5 landmarks, 12 index images" in text
    # Of another model it has measured nothing.
    build.manifest_path("train").unlink()
    write_run(build, seed=9)
    assert "No benchmark has measured this model yet" in card_of(build)
