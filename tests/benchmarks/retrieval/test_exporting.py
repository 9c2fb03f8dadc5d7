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
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import ANNOTATIONS
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.exporting import ExportConfig, card_stage, onnx_stage
from tests.benchmarks.retrieval.test_methods import record
from tests.training.conftest import trained_build, undisturbed
from tests.worlds.benchmark_builds import CONFIG, finish_training, write_run
from tests.worlds.training_runs import TINY

__all__ = ["trained_build", "undisturbed"]  # fixtures

CARD = ExportConfig(to="card")
ONNX, README = "runs/happier/model.onnx", "runs/happier/README.md"


def write_marked(model: EmbeddingModel, path: Path, *, metadata: dict[str, str]) -> float:
    """Stands in for the exporter, which takes ten seconds and has tests of its own."""
    path.write_text(f"{model.embedding_dim} {metadata['hgld.weights_sha256']}")
    return 1e-6


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "export_onnx", write_marked)


@pytest.mark.usefixtures("quick")
def test_what_is_exported_is_skipped_and_made_again_of_another_model(build: Workspace) -> None:
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


@pytest.mark.usefixtures("quick")
def test_runs_of_two_names_are_exported_side_by_side(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    run_export(build, ExportConfig())
    run_export(build, ExportConfig(run="second"))
    texts = {build.path(f"runs/{run}/model.onnx").read_text() for run in ("happier", "second")}
    assert len(texts) == 2
    assert "# second" in build.path("runs/second/README.md").read_text()
    assert all(report.skipped for report in run_export(build, ExportConfig()))


def test_an_export_that_is_refused_leaves_the_one_before_it(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "export_onnx", write_marked)
    run_export(build, ExportConfig())
    before = build.path(ONNX).read_text()
    write_run(build, seed=9)

    def refuse(_model: EmbeddingModel, path: Path, *, metadata: dict[str, str]) -> float:
        path.write_text(f"wrong {metadata}")
        raise InputError("the model as ONNX gives embeddings that differ")

    monkeypatch.setattr(exporting, "export_onnx", refuse)
    with pytest.raises(InputError, match="differ"):
        run_export(build, ExportConfig())
    assert build.path(ONNX).read_text() == before
    names = {path.name for path in build.path("runs/happier").rglob("*") if path.is_file()}
    assert names == {"README.md", "config.json", "model.onnx", "model.safetensors"}


def test_a_run_that_is_not_there_says_to_train(build: Workspace) -> None:
    with pytest.raises(MissingInputError, match="train --name mine"):
        run_export(build, ExportConfig(run="mine"))


@pytest.mark.fault(100, "damaged model")
@pytest.mark.usefixtures("quick")
def test_a_damaged_model_is_not_exported(build: Workspace) -> None:
    record(build)
    path = build.path("runs/happier/model.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedError, match="safetensors"):
        run_export(build, ExportConfig())
    build.manifest_path("train").unlink()
    with pytest.raises(DamagedError, match="safetensors"):
        run_export(build, ExportConfig())
    assert not build.path(ONNX).exists()


@pytest.mark.parametrize(("setting", "value"), [("to", "tflite"), ("run", "../x")])
def test_settings_that_cannot_be_are_refused(setting: str, value: str) -> None:
    with pytest.raises(ValueError, match="name" if setting == "run" else setting):
        ExportConfig(**{setting: value})  # type: ignore[arg-type]  # wrong on purpose


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


def test_the_card_has_what_the_benchmark_measured_of_this_model(
    build: Workspace,
) -> None:
    assert "No benchmark has measured this model yet" in card_of(build)
    run_benchmark(build, CONFIG)
    assert stage_status(build, card_stage("happier"), {}).state == "stale"
    text = card_of(build)
    results = read_results(build.path("benchmarks"))
    before, after = (results.row(one.name, "h_ap").mean for one in results.methods)
    assert re.search(
        rf"\| H-AP, all levels \| {100 * before:.1f} ± .* \| {100 * after:.1f} ± .* \|", text
    )
    assert "15 queries of 5 landmarks, 12 index images" in text
    # Of another model it has measured nothing.
    write_run(build, seed=9)
    assert "No benchmark has measured this model yet" in card_of(build)


def test_the_card_of_one_of_several_seeds_has_its_own_figures(build: Workspace) -> None:
    write_run(build, "happier-1", seed=2)
    for seed, run in enumerate(("happier", "happier-1")):
        finish_training(build, run, seed)
    run_benchmark(build, dataclasses.replace(CONFIG, runs=("happier-1", "happier")))
    results = read_results(build.path("benchmarks"))
    both = results.methods[1]
    other, own = (results.row(both.name, "h_ap", run=run).mean for run in both.runs)
    assert f"{100 * own:.1f}" != f"{100 * other:.1f}"
    assert re.search(rf"\| H-AP, all levels \| .* \| {100 * own:.1f} ± ", card_of(build))
