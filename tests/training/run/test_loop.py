"""A run of training from its settings to its model: what it writes, and what it refuses."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.engine.files import file_digest
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DivergedError, InputError
from hgld.tables import ANNOTATIONS
from hgld.training.config import STAGE
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loop import run_train
from tests.training.conftest import BuildImages
from tests.ways import files_entered
from tests.worlds.training_runs import (
    CHECKPOINT,
    METRICS,
    MODEL,
    SETTINGS,
    STEPS,
    TINY,
    Stopped,
    Undisturbed,
    in_step,
    log_of,
    raising,
)

__all__ = ["CHECKPOINT", "METRICS", "MODEL", "TINY"]  # which other rooms take from here


def test_training_writes_a_model_that_can_be_used_and_a_log(
    trained_build: Workspace, undisturbed: Undisturbed
) -> None:
    manifest = trained_build.manifest("train")
    assert manifest is not None
    assert {*manifest.records} == {MODEL, SETTINGS}
    lines = undisturbed.log
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["epoch"] for line in lines] == [0, 0, 1, 1, 2, 2]
    for line in lines:
        total = 0.9 * line["sup_hap"] + 0.1 * line["clustering"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
    assert lines[0]["learning_rate"] == TINY.learning_rate
    # Half way down the cosine at the fourth of six steps.
    assert lines[3]["learning_rate"] == pytest.approx(TINY.learning_rate / 2)
    assert not trained_build.path(CHECKPOINT).exists()
    files = training_images(trained_build).files()[:9]
    trained = embed_images(load_model(trained_build.path(MODEL)), files, device="cpu")
    untrained = embed_images(build_model(TINY.model), files, device="cpu")
    assert (trained - untrained).abs().max() > 0.01


def test_training_lowers_the_loss(tiny_build: Workspace) -> None:
    run_train(tiny_build, dataclasses.replace(TINY, epochs=8))
    loss = [line["loss"] for line in log_of(tiny_build)]
    assert sum(loss[-4:]) < 0.9 * sum(loss[:4])


def test_a_finished_run_is_skipped_until_a_setting_that_changes_weights_is_another(
    trained_build: Workspace, undisturbed: Undisturbed
) -> None:
    assert run_train(trained_build, dataclasses.replace(TINY, log_every_steps=9)).skipped
    assert stage_status(trained_build, STAGE).state == "done"
    assert undisturbed.is_that_of(trained_build)
    assert not run_train(trained_build, dataclasses.replace(TINY, seed=1)).skipped
    assert file_digest(trained_build.path(MODEL)) != undisturbed.digest


def test_runs_of_two_names_stand_side_by_side(
    trained_build: Workspace, undisturbed: Undisturbed
) -> None:
    other = dataclasses.replace(TINY, name="seed-1", seed=1, epochs=1)
    run_train(trained_build, other)
    assert run_train(trained_build, TINY).skipped
    assert run_train(trained_build, other).skipped
    assert undisturbed.is_that_of(trained_build)
    assert trained_build.path("runs/seed-1/model.safetensors").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_equal_runs_give_equal_files_whoever_reads_the_images(
    tiny_build: Workspace, undisturbed: Undisturbed, workers: int
) -> None:
    torch.manual_seed(99)
    run_train(tiny_build, dataclasses.replace(TINY, workers=workers))
    assert undisturbed.is_that_of(tiny_build)


def test_crops_may_be_smaller_than_what_the_model_sees_later(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    forward = EmbeddingModel.forward

    def watched(self: EmbeddingModel, images: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(images.shape))
        return forward(self, images)

    monkeypatch.setattr(EmbeddingModel, "forward", watched)
    run_train(tiny_build, dataclasses.replace(TINY, crop_size=24, epochs=1))
    assert set(seen) == {(8, 3, 24, 24)}
    assert load_model(tiny_build.path(MODEL)).image_size == 32


def test_training_takes_the_levels_of_the_annotations(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ANNOTATIONS["train"]
    levels = (dataset.levels[0], dataset.levels[2])
    monkeypatch.setitem(ANNOTATIONS, "train", dataclasses.replace(dataset, levels=levels))
    seen: list[int] = []
    whole = losses.sup_hap_loss

    def counted(embeddings: Tensor, labels: Tensor, *, alpha: float, **_: object) -> Tensor:
        seen.append(labels.shape[1])
        return whole(embeddings, labels, alpha=alpha)

    monkeypatch.setattr(losses, "sup_hap_loss", counted)
    run_train(tiny_build, dataclasses.replace(TINY, epochs=1))
    assert seen == [2, 2]
    assert all(0 < line["sup_hap"] < 1 for line in log_of(tiny_build))


def test_bfloat16_trains_to_finite_float32_weights(tiny_build: Workspace) -> None:
    run_train(tiny_build, dataclasses.replace(TINY, precision="bfloat16", epochs=1))
    state = load_model(tiny_build.path(MODEL)).state_dict()
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}


@pytest.mark.fault(177, "loss that is not finite")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_what_to_do(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    calls, whole = iter(range(1, 100)), losses.sup_hap_loss

    def diverge(embeddings: Tensor, labels: Tensor, *, alpha: float, **_: object) -> Tensor:
        return whole(embeddings, labels, alpha=alpha) * (value if next(calls) == 5 else 1)

    monkeypatch.setattr(losses, "sup_hap_loss", diverge)
    with pytest.raises(DivergedError, match="learning_rate"):
        run_train(tiny_build, TINY)
    assert not tiny_build.path(MODEL).exists()
    # The last checkpoint is from before, and whole.
    content = torch.load(tiny_build.path(CHECKPOINT), weights_only=True)
    assert content["step"] == 4
    assert all(tensor.isfinite().all() for tensor in content["model"].values())


def test_a_checkpoint_comes_when_its_time_has_come(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1e-4
        return now[0]

    def wait() -> None:
        now[0] += 0.7

    saved: list[int] = []
    save = RunFiles.save

    def noted(self: RunFiles, path: Path, content: dict[str, Any]) -> None:
        saved.append(content["step"])
        save(self, path, content)

    monkeypatch.setattr(RunFiles, "save", noted)
    monkeypatch.setattr(losses, "sup_hap_loss", in_step(4, wait))
    monkeypatch.setattr("hgld.training.run.loop.time.monotonic", clock)
    run_train(tiny_build, dataclasses.replace(TINY, checkpoint_every_s=0.5))
    assert saved == [4, STEPS]


def test_one_picture_passes_few_files_on_its_way_into_a_batch(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)  # imports what is heavy: followed, that would take long
    reached: list[int] = []

    def train() -> None:
        with pytest.MonkeyPatch.context() as patch:
            stop = raising(Stopped())
            patch.setattr("hgld.training.run.loop.take_step", lambda *_, **__: stop())
            patch.setattr("hgld.training.run.watch.RunWatch.show", lambda *_, **__: None)
            with pytest.raises(Stopped):
                run_train(tiny_build, dataclasses.replace(TINY, name="again"))
        reached.append(1)

    entered = files_entered(train)
    assert reached
    assert "hgld/pictures.py" in entered
    assert len(entered) <= 32


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"batch_size": 64}, "batch_size"),
    ({"backbone": "resnet_tiny"}, "backbone"),
    ({"backbone": "test_vit"}, "test_vit"),  # it gives no feature map
    (
        {"backbone": "test_vit", "pooling": "backbone", "image_size": 160, "crop_size": 96},
        "crop_size",
    ),
    ({"weights": "no/such.pth"}, "weights"),
    ({"device": "warp", "epochs": 2}, "device"),
    ({"validation_share": 0.01}, "share"),
    ({"learning_rate": 1e-2}, "checkpoint"),  # which is of yet other settings
]


@pytest.mark.fault(97, "refused settings leave a finished model")
def test_settings_that_do_not_suit_are_refused_and_touch_nothing_of_the_run_before(
    trained_build: Workspace,
) -> None:
    # As a run of other settings, stopped since, would have left it.
    files = RunFiles(trained_build.path("runs/happier"))
    files.save(files.checkpoint, {"fingerprint": "f" * 64, "step": 1})
    before = {path: path.read_bytes() for path in trained_build.path("runs").rglob("*.*")}
    assert len(before) == 5
    for change, word in REFUSED:
        with pytest.raises(InputError, match=word):
            run_train(trained_build, dataclasses.replace(TINY, **change))
        after = {path: path.read_bytes() for path in trained_build.path("runs").rglob("*.*")}
        assert after == before
    assert run_train(trained_build, TINY).skipped


@pytest.mark.parametrize(("images", "word"), [({7: 20}, "landmarks"), ({}, "train")])
def test_one_landmark_or_no_picture_is_refused(
    build_images: BuildImages, images: dict[int, int], word: str
) -> None:
    workspace = build_images({"train": images})
    with pytest.raises(InputError, match=word):
        run_train(workspace, TINY)
    assert not workspace.path("runs").exists()
