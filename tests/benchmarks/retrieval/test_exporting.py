"""`hgld export`: what it leaves beside the model of a run."""

import dataclasses
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from hgld.benchmarks.retrieval import exporting
from hgld.benchmarks.retrieval.exporting import run_export
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.files import file_digest
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.flows.cli.commands import app
from hgld.tables import ANNOTATIONS
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.exporting.config import ExportConfig, card_stage, onnx_stage
from hgld.training.model.saved import load_model
from hgld.training.run.loop import run_train
from tests.benchmarks.retrieval.test_methods import record
from tests.training.conftest import build_images, tiny_build
from tests.training.model.test_embedding import pictures
from tests.training.run.test_loop import TINY
from tests.worlds.benchmark_builds import CONFIG, finish_training, write_run

__all__ = ["build_images", "tiny_build"]  # fixtures

PAGE = Path(__file__).parents[3] / "docs/models.md"
CARD = ExportConfig(to="card")
ONNX, README = "runs/happier/model.onnx", "runs/happier/README.md"

HANGS = """
import sys, time
from pathlib import Path
from hgld.benchmarks.retrieval import exporting
from hgld.engine.workspace import Workspace
from hgld.training.model.exporting.config import ExportConfig

def hang(model, path, *, metadata):
    path.write_bytes(b"half a model")
    Path(sys.argv[1], "hangs").touch()
    time.sleep(600)

exporting.export_onnx = hang
exporting.run_export(Workspace(Path(sys.argv[1])), ExportConfig())
"""


def write_marked(model: EmbeddingModel, path: Path, *, metadata: dict[str, str]) -> float:
    """Stands in for the exporter, which takes ten seconds and has tests of its own."""
    path.write_text(f"{model.embedding_dim} {metadata['hgld.weights_sha256']}")
    return 1e-6


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "export_onnx", write_marked)


def test_the_command_leaves_a_model_that_gives_what_torch_gives_and_a_card(
    build: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", logger="hgld")
    monkeypatch.chdir(build.root.parent)
    page = PAGE.read_text("utf-8")
    command, *_ = re.findall(r"^```bash\n(.*?)\n```", page, re.S | re.M)
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert f"export-happier: done, build/{ONNX}" in done.output.replace("\n", "")
    assert "card-happier: done, build/runs/happier/README.md" in done.output.replace("\n", "")
    session = onnxruntime.InferenceSession(str(build.path(ONNX)))
    images = pictures(3, 32)
    found = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    model = load_model(build.path("runs/happier"))
    torch.testing.assert_close(found, model(images), atol=1e-5, rtol=0)
    properties = session.get_modelmeta().custom_metadata_map
    digest = file_digest(build.path("runs/happier/model.safetensors"))
    assert properties["hgld.weights_sha256"] == digest
    assert re.search(r"differ by at most \S+ from torch's on random pictures; 0.0001", caplog.text)
    assert digest in build.path(README).read_text()
    assert stage_status(build, onnx_stage("happier"), {}).state == "done"

    Image.new("RGB", (60, 40), "red").save("my picture.jpg")
    examples = []
    for code in re.findall(r"^```python\n(.*?)^```", page, re.S | re.M):
        names: dict[str, Any] = {}
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the page is our own
        examples.append(names)
    assert [tuple(names["embeddings"].shape) for names in examples[::2]] == [(1, 8), (5, 8)]


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


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_killed_export_leaves_no_half_model_and_ends_as_an_undisturbed_one(
    build: Workspace,
) -> None:
    run_export(build, ExportConfig())
    expected = file_digest(build.path(ONNX))
    shutil.rmtree(build.path("stages"))
    for name in (ONNX, README):
        build.path(name).unlink()
    process = subprocess.Popen([sys.executable, "-c", HANGS, str(build.root)])
    deadline = time.monotonic() + 120
    while not build.path("hangs").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL

    assert not build.path(ONNX).exists()
    run_export(build, ExportConfig())
    assert file_digest(build.path(ONNX)) == expected
    assert sorted(path.name for path in build.path("runs/happier").iterdir()) == [
        "README.md",
        "config.json",
        "model.onnx",
        "model.safetensors",
    ]


def test_a_run_that_is_not_there_says_to_train(build: Workspace) -> None:
    text = r"runs/mine/model\.safetensors is not there yet; run `hgld train --name mine`"
    with pytest.raises(MissingInputError, match=text):
        run_export(build, ExportConfig(run="mine"))


@pytest.mark.fault(100, "damaged model")
@pytest.mark.usefixtures("quick")
def test_a_damaged_model_is_not_exported(build: Workspace) -> None:
    record(build)
    path = build.path("runs/happier/model.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedError, match=r"safetensors has other bytes .*; run `hgld train`"):
        run_export(build, ExportConfig())
    build.manifest_path("train").unlink()
    with pytest.raises(DamagedError, match=r"safetensors is damaged: .*train it again"):
        run_export(build, ExportConfig())
    assert not build.path(ONNX).exists()


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"to": "tflite"}, "to must be one of 'onnx', 'card'"), ({"run": "../x"}, "name must be let")],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ExportConfig(**settings)


def card_of(workspace: Workspace) -> str:
    run_export(workspace, CARD)
    return workspace.path(README).read_text()


def test_the_card_has_the_training_that_wrote_the_model(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    text = card_of(tiny_build)
    labels = ANNOTATIONS["train"]
    digest = tiny_build.finished(labels).outputs[labels.path]
    assert f"| `{labels.path}` | `{digest}` |" in text
    assert "The labels are of no release that is known here." in text
    assert f"| `learning_rate` | `{TINY.learning_rate}` |" in text
    assert re.search(r"Time of its steps: \S+ hours\.", text)
    assert "No benchmark has measured this model yet" in text

    release = {"version": "2.1.0", "date": "", "files": {}, "schema": {"version": 1, "digest": ""}}
    tiny_build.path("annotations/releases.json").write_text(json.dumps([release]))
    assert "The labels of release 2.1.0." in card_of(tiny_build)
    # Of a model from elsewhere nothing is said that is of this one.
    write_run(tiny_build)
    tiny_build.manifest_path("train").rename(tiny_build.path("stages/train.json.old"))
    assert "Not known here: no training that ended in this build" in card_of(tiny_build)


def test_the_card_has_what_the_benchmark_measured_of_this_model(build: Workspace) -> None:
    assert "No benchmark has measured this model yet" in card_of(build)
    run_benchmark(build, CONFIG)
    assert stage_status(build, card_stage("happier"), {}).state == "stale"
    text = card_of(build)
    results = json.loads(build.path("benchmarks/results.json").read_text())
    before, after = (method["measures"]["h_ap"]["mean"] for method in results["methods"])
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
    _, both = read_results(build).methods
    other, own = (run.measures["h_ap"].mean for run in both.runs)
    assert f"{100 * own:.1f}" != f"{100 * other:.1f}"
    assert re.search(rf"\| H-AP, all levels \| .* \| {100 * own:.1f} ± ", card_of(build))
