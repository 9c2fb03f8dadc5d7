import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.engine.files import file_digest
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, DivergedError, InputError
from hgld.tables import ANNOTATIONS
from hgld.training.config import STAGE, TrainConfig, model_files
from hgld.training.data.labels import training_images
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.loop import run_train
from tests.training.conftest import BuildImages

TINY = TrainConfig(
    backbone="test_resnet",
    weights="random",
    image_size=32,
    batch_size=8,
    samples_per_landmark=2,
    max_per_landmark=4,
    epochs=4,
    learning_rate=1e-3,
    precision="float32",
    device="cpu",
    workers=0,
    log_every_steps=1,
    checkpoint_every_steps=3,
)
"""Eight steps: an epoch has 2 + 2 + 2 + 2 + 2 + 1 groups of two, and a batch four of them."""

(MODEL, SETTINGS), METRICS = model_files("happier"), "runs/happier/metrics.jsonl"
CHECKPOINT = "runs/happier/checkpoint.pt"

HANGS = """
import dataclasses, sys, time
from pathlib import Path
from hgld.engine.workspace import Workspace
from tests.training.run.test_loop import TINY
from hgld import losses
from hgld.training.run.loop import run_train

whole, calls = losses.sup_hap_loss, 0

def hang_in_a_step(*args, **kwargs):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        Path(sys.argv[1], "hangs").touch()
        time.sleep(600)
    return whole(*args, **kwargs)

losses.sup_hap_loss = hang_in_a_step
run_train(Workspace(Path(sys.argv[1])), eval(sys.argv[3]))
"""
"""Trains, and stays for ever in the step of the number given."""


def log_of(workspace: Workspace) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in workspace.path(METRICS).read_text().splitlines()]
    for line in lines:
        assert line.pop("images_per_s") > 0
        assert line.pop("peak_memory_mb") > 0
    return lines


def stop_in_step(workspace: Workspace, step: int, signal_number: int, config: str = "TINY") -> int:
    """Trains in another process, sends it a signal in a step, and returns how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS, str(workspace.root), str(step), config],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not workspace.path("hangs").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal_number)
    return process.wait(timeout=60)


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


def test_a_model_that_takes_one_size_takes_no_smaller_crops(tiny_build: Workspace) -> None:
    one_size = {"backbone": "test_vit", "pooling": "cls", "image_size": 160}
    config = dataclasses.replace(TINY, crop_size=96, **one_size)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"crop_size must be image_size \(160\) or left out"):
        run_train(tiny_build, config)
    assert not tiny_build.path("runs/happier").exists()


def test_training_writes_a_model_that_can_be_used_and_a_log(tiny_build: Workspace) -> None:
    report = run_train(tiny_build, TINY)

    assert not report.skipped
    assert report.manifest.files == [MODEL, SETTINGS]
    lines = log_of(tiny_build)
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert [line["epoch"] for line in lines] == [0, 0, 1, 1, 2, 2, 3, 3]
    for line in lines:
        total = 0.9 * line["sup_hap"] + 0.1 * line["clustering"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
    assert lines[0]["learning_rate"] == TINY.learning_rate
    # Half way down the cosine at the fifth of eight steps.
    assert lines[4]["learning_rate"] == pytest.approx(TINY.learning_rate / 2)
    assert not tiny_build.path(CHECKPOINT).exists()
    files = training_images(tiny_build).files()
    trained = embed_images(load_model(tiny_build.path(MODEL)), files, device="cpu")
    untrained = embed_images(build_model(TINY.model), files, device="cpu")
    assert (trained - untrained).abs().max() > 0.01


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
    run_train(tiny_build, TINY)

    assert seen == [2] * 8
    assert all(0 < line["sup_hap"] < 1 for line in log_of(tiny_build))


def test_training_lowers_the_loss(tiny_build: Workspace) -> None:
    run_train(tiny_build, dataclasses.replace(TINY, epochs=20))
    loss = [line["loss"] for line in log_of(tiny_build)]
    assert sum(loss[-5:]) < 0.8 * sum(loss[:5])


def test_a_finished_run_is_skipped_and_another_setting_trains_again(
    tiny_build: Workspace,
) -> None:
    run_train(tiny_build, TINY)
    before = file_digest(tiny_build.path(MODEL))

    assert run_train(tiny_build, dataclasses.replace(TINY, log_every_steps=9)).skipped
    assert stage_status(tiny_build, STAGE).state == "done"
    assert not run_train(tiny_build, dataclasses.replace(TINY, seed=1)).skipped
    assert file_digest(tiny_build.path(MODEL)) != before


def test_equal_runs_give_equal_files(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    before = file_digest(tiny_build.path(MODEL))
    tiny_build.manifest_path("train").unlink()
    torch.manual_seed(99)
    assert not run_train(tiny_build, TINY).skipped
    assert file_digest(tiny_build.path(MODEL)) == before


def test_images_read_by_workers_give_the_same_weights(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    before = file_digest(tiny_build.path(MODEL))
    tiny_build.manifest_path("train").unlink()
    assert not run_train(tiny_build, dataclasses.replace(TINY, workers=2)).skipped
    assert file_digest(tiny_build.path(MODEL)) == before


def test_runs_of_two_names_stand_side_by_side(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    other = dataclasses.replace(TINY, name="seed-1", seed=1, epochs=1)
    run_train(tiny_build, other)

    assert run_train(tiny_build, TINY).skipped
    assert run_train(tiny_build, other).skipped
    assert tiny_build.path("runs/seed-1/model.safetensors").exists()


@pytest.mark.fault(181, "training killed in a step")
@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights_and_log(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    expected, log = file_digest(tiny_build.path(MODEL)), log_of(tiny_build)
    for path in (tiny_build.manifest_path("train"), tiny_build.path(MODEL)):
        path.unlink()

    # In step 6, in the middle of an epoch: the checkpoint is of step 3, the log goes to step 5.
    assert stop_in_step(tiny_build, 6, signal.SIGKILL) == -signal.SIGKILL

    assert not tiny_build.path(MODEL).exists()
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 3
    assert [line["step"] for line in log_of(tiny_build)] == [1, 2, 3, 4, 5]
    run_train(tiny_build, TINY)
    assert file_digest(tiny_build.path(MODEL)) == expected
    assert log_of(tiny_build) == log


@pytest.mark.fault(180, "Ctrl-C in training")
@pytest.mark.slow
def test_ctrl_c_ends_the_step_and_leaves_a_checkpoint_of_it(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_train(tiny_build, TINY)
    expected, log = file_digest(tiny_build.path(MODEL)), log_of(tiny_build)
    tiny_build.manifest_path("train").unlink()

    def interrupt(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        calls = iter(range(100))

        def interrupted(*args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - passed on as they are
            if next(calls) == 4:
                os.kill(os.getpid(), signal.SIGINT)
            return loss(*args, **kwargs)

        return interrupted

    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", interrupt(losses.sup_hap_loss))
        with pytest.raises(KeyboardInterrupt):
            run_train(tiny_build, TINY)

    # Not one of the checkpoints of every third step.
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 5
    run_train(tiny_build, TINY)
    assert file_digest(tiny_build.path(MODEL)) == expected
    assert log_of(tiny_build) == log


@pytest.mark.fault(179, "checkpoint of other settings")
def test_a_checkpoint_of_other_settings_is_set_aside(tiny_build: Workspace) -> None:
    run_train(tiny_build, TINY)
    expected = file_digest(tiny_build.path(MODEL))
    tiny_build.manifest_path("train").unlink()
    RunFiles(tiny_build.path("runs/happier")).save("f" * 64, {"step": 7, "model": {}})

    run_train(tiny_build, TINY)

    assert file_digest(tiny_build.path(MODEL)) == expected
    assert tiny_build.path("runs/happier/checkpoint-ffffffffffff.pt").exists()


@pytest.mark.fault(178, "picture that cannot be read in training")
def test_an_unreadable_image_stops_the_run_and_once_mended_it_goes_on(
    tiny_build: Workspace,
) -> None:
    run_train(tiny_build, TINY)
    expected = file_digest(tiny_build.path(MODEL))
    tiny_build.manifest_path("train").unlink()
    path = training_images(tiny_build).path(first_met_after(tiny_build, 3))
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))  # of the same size: seen when it is read

    with pytest.raises(DamagedError, match=f"{re.escape(str(path))} has other bytes"):
        run_train(tiny_build, TINY)

    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] >= 3
    path.write_bytes(content)
    run_train(tiny_build, TINY)
    assert file_digest(tiny_build.path(MODEL)) == expected


def first_met_after(workspace: Workspace, steps: int) -> int:
    """Returns an image that comes up in training, and not in the first steps."""
    landmarks = training_images(workspace).labels[:, 0]
    sampler = LandmarkSampler(landmarks, batch_size=8, samples_per_landmark=2, max_per_landmark=4)
    order = torch.cat([sampler.epoch(epoch) for epoch in range(TINY.epochs)])
    early: list[int] = order[:steps].flatten().tolist()
    late: list[int] = order[steps:].flatten().tolist()
    return min(set(late) - set(early))


@pytest.mark.fault(177, "loss that is not finite")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_what_to_do(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    calls = iter(range(100))

    def diverge(embeddings: Tensor, _labels: Tensor, *, alpha: float, **_: object) -> Tensor:
        return embeddings.sum() * (value if next(calls) == 4 else alpha)

    monkeypatch.setattr(losses, "sup_hap_loss", diverge)
    with pytest.raises(DivergedError, match=r"diverged at step 5: .*lower learning_rate \(now"):
        run_train(tiny_build, TINY)
    assert not tiny_build.path(MODEL).exists()
    # The last checkpoint is from before, and whole.
    content = torch.load(tiny_build.path(CHECKPOINT), weights_only=True)
    assert content["step"] == 3
    assert all(tensor.isfinite().all() for tensor in content["model"].values())


def test_bfloat16_trains_to_finite_float32_weights(tiny_build: Workspace) -> None:
    run_train(tiny_build, dataclasses.replace(TINY, precision="bfloat16"))
    state = load_model(tiny_build.path(MODEL)).state_dict()
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert {tensor.dtype for tensor in state.values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"batch_size": 64}, r"batch_size must be at most 22, .* got 64"),
        ({"backbone": "resnet_tiny"}, "backbone must be a model that timm knows"),
        ({"device": "warp"}, "device 'warp' is not there"),
    ],
)
def test_settings_that_do_not_suit_the_data_are_refused_before_the_first_step(
    tiny_build: Workspace, change: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        run_train(tiny_build, dataclasses.replace(TINY, **change))
    assert not tiny_build.path("runs").exists()


def test_one_landmark_is_refused(build_images: BuildImages) -> None:
    with pytest.raises(InputError, match=r"\[train\] training needs images of at least 2 landmark"):
        run_train(build_images({"train": {7: 20}}), TINY)


def test_no_images_on_disk_are_refused(build_images: BuildImages) -> None:
    with pytest.raises(InputError, match="no image of train has both a label and a file"):
        run_train(build_images({"train": {}}), TINY)
