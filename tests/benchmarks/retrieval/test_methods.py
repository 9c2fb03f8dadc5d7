import dataclasses
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import torch

from hgld.benchmarks.retrieval.methods import (
    ModelEmbeddings,
    RetrievalMethod,
    load_methods,
    require_runs,
)
from hgld.benchmarks.retrieval.results import read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.stage import StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.config import model_files, train_stage
from hgld.training.data.images import EvalImages
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import save_model
from tests.benchmarks.conftest import CountedEmbedding
from tests.benchmarks.retrieval.test_resuming import undated
from tests.hgld.engine.test_full_disk import Disk
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
    with pytest.raises(
        MissingInputError, match=r"runs/happier/model.safetensors is not there yet; run `hg"
    ):
        run_benchmark(workspace, CONFIG)
    write_run(workspace, "mine")
    with pytest.raises(MissingInputError, match=r"or set runs of \[benchmark\] to one of mine$"):
        run_benchmark(workspace, CONFIG)


def test_a_backbone_with_its_own_pooling_takes_no_other_size(build: Workspace) -> None:
    own = dataclasses.replace(MODEL, backbone="test_vit", pooling="backbone", image_size=160)
    save_model(build_model(own), build.path("runs/happier"))
    with pytest.raises(InputError, match="takes images of 160 px alone; leave image_size out"):
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
            text = rf"{re.escape(str(path))} has .*; run `hgld train` with --root"
            with pytest.raises(DamagedError, match=text):
                run_benchmark(build, CONFIG)
        path.write_bytes(whole)
    assert build.manifest("benchmark") is None
    run_benchmark(build, CONFIG)


def test_a_model_put_there_by_hand_is_taken_and_said_so(
    build: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    run_benchmark(build, CONFIG)
    text = f"{build.path(model_files('happier')[0])} is of no finished training of this build"
    assert text in caplog.text
    caplog.clear()
    record(build)
    require_runs(build, CONFIG.runs)
    assert "of no finished training" not in caplog.text


@pytest.mark.fault(101, "full disk in a benchmark")
def test_a_benchmark_that_fills_the_disk_goes_on_when_there_is_room(
    build: Workspace, disk: Disk, counted: CountedEmbedding
) -> None:
    run_benchmark(build, CONFIG)
    kept = undated(read_results(build))
    build.manifest_path("benchmark").unlink()
    shutil.rmtree(build.path("benchmarks"))
    build.path("benchmarks").symlink_to(disk.folder)
    counted.images.clear()
    disk.resize(7)  # for one block of four, of a page or two
    with pytest.raises(InputError, match=r"cannot write .*: No space left on device; make room"):
        run_benchmark(build, CONFIG)
    assert build.manifest("benchmark") is None
    before = len(counted.images)
    disk.resize(1000)
    run_benchmark(build, CONFIG)
    assert undated(read_results(build)) == kept
    # What had found room was not embedded again.
    assert len(counted.images) < before + 4


@pytest.mark.slow
@pytest.mark.fault(93, "loader killed by the system")
def test_a_loader_killed_in_a_benchmark_is_one_line_and_what_was_embedded_stays(
    build: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_benchmark(build, CONFIG)
    kept = undated(read_results(build))
    build.manifest_path("benchmark").unlink()
    shutil.rmtree(build.path("benchmarks"))
    whole = EvalImages.__getitem__

    def read(self: EvalImages, index: int) -> torch.Tensor:
        if len(self) == 12 and not (tmp_path / "killed").exists():  # the index images
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, index)

    monkeypatch.setattr(EvalImages, "__getitem__", read)
    config = dataclasses.replace(CONFIG, workers=1)
    with pytest.raises(InputError, match=r"was killed, .*; lower workers \(now 1\), batch_size"):
        run_benchmark(build, config)
    assert (tmp_path / "killed").exists()
    assert len(list(build.path("benchmarks/embeddings").iterdir())) == 1
    run_benchmark(build, config)
    assert undated(read_results(build)) == kept
