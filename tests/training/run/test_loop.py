"""A run of training from its settings to its model: what it starts from, writes, and refuses."""

import dataclasses
import itertools
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
from hgld.training.config import train_stage
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.run.checkpoint import RunFiles
from hgld.training.run.stage import run_train
from hgld.training.run.validation import measure_embeddings
from hgld.training.run.watch import split_images
from tests.training.model.test_saved import flipped
from tests.worlds.training_runs import (
    CHECKPOINT,
    MODEL,
    STEPS,
    TINY,
    Undisturbed,
    in_step,
    log_of,
    stop_in_step,
    trained_once,
)

ONE_EPOCH = dataclasses.replace(TINY, epochs=1)


def test_training_writes_a_model_that_can_be_used_and_a_log(
    trained_build: Workspace, undisturbed: Undisturbed
) -> None:
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


def test_a_finished_run_is_skipped_until_a_setting_that_changes_weights_is_another(
    trained_build: Workspace, undisturbed: Undisturbed
) -> None:
    other = dataclasses.replace(ONE_EPOCH, name="seed-1", seed=1)  # stands beside it
    assert not run_train(trained_build, other).skipped
    assert run_train(trained_build, other).skipped
    assert run_train(trained_build, dataclasses.replace(TINY, log_every_steps=9)).skipped
    assert stage_status(trained_build, train_stage("happier")).state == "done"
    assert undisturbed.is_that_of(trained_build)
    assert not run_train(trained_build, dataclasses.replace(TINY, seed=1)).skipped
    assert file_digest(trained_build.path(MODEL)) != undisturbed.digest


def test_equal_runs_give_equal_files_whoever_reads_the_images(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    torch.manual_seed(99)
    run_train(tiny_build, dataclasses.replace(TINY, workers=1))
    assert undisturbed.is_that_of(tiny_build)


@pytest.mark.fault(177, "loss that is not finite")
def test_a_loss_that_is_not_finite_stops_with_what_to_do(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, whole = iter(range(1, 100)), losses.sup_hap_loss

    def diverge(embeddings: Tensor, labels: Tensor, *, alpha: float, **_: object) -> Tensor:
        return whole(embeddings, labels, alpha=alpha) * (torch.inf if next(calls) == 5 else 1)

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
    now, ticks, saved = [0.0], itertools.count(), list[int]()
    save = RunFiles.save

    def noted(self: RunFiles, path: Path, content: dict[str, Any]) -> None:
        saved.append(content["step"])
        save(self, path, content)

    monkeypatch.setattr(RunFiles, "save", noted)
    monkeypatch.setattr(losses, "sup_hap_loss", in_step(4, lambda: now.append(0.7)))
    monkeypatch.setattr(
        "hgld.training.run.loop.time.monotonic", lambda: sum(now) + 1e-4 * next(ticks)
    )
    run_train(tiny_build, dataclasses.replace(TINY, checkpoint_every_s=0.5))
    assert saved == [4, STEPS]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"batch_size": 64}, "batch_size"),
    ({"backbone": "test_vit2", "pooling": "cls"}, "class token"),
    ({"backbone": "test_vit_relpos", "image_size": 160, "crop_size": 96}, "crop_size"),
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
    assert len(before) == 6
    for change, word in REFUSED:
        with pytest.raises(InputError, match=word):
            run_train(trained_build, dataclasses.replace(TINY, **change))
        after = {path: path.read_bytes() for path in trained_build.path("runs").rglob("*.*")}
        assert after == before
    assert run_train(trained_build, TINY).skipped


def test_a_transformer_learns_on_small_crops_and_sees_whole_pictures_at_scales(
    tiny_build: Workspace,
) -> None:
    changes = {"backbone": "test_vit", "image_size": 64, "crop_size": 40, "scales": (1.0, 1.5)}
    config = dataclasses.replace(ONE_EPOCH, **changes)  # type: ignore[arg-type]
    run_train(tiny_build, config)
    model = load_model(tiny_build.path(MODEL))
    assert model.config == config.model
    places: Any = model.backbone.pos_embed
    assert places.shape == (1, 1 + 4 * 4, 64)  # of pictures of 64 px
    start: Any = build_model(config.model).backbone.pos_embed
    assert not torch.equal(places, start)  # learned on crops of 2 x 2 patches


def test_a_run_starts_from_an_earlier_one_at_another_size(trained_build: Workspace) -> None:
    changes = {"name": "larger", "init": "runs/happier", "image_size": 48, "learning_rate": 1e-12}
    larger = dataclasses.replace(ONE_EPOCH, **changes)  # type: ignore[arg-type]
    run_train(trained_build, larger)
    first, second = (
        load_model(trained_build.path(f"runs/{name}")) for name in ("happier", "larger")
    )
    assert second.image_size == 48
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert run_train(trained_build, larger).skipped
    for change in ({"init": "runs/none"}, {"embedding_dim": 4}):
        with pytest.raises(InputError, match="init"):
            run_train(trained_build, dataclasses.replace(larger, **change))


def test_a_linear_layer_starts_as_a_whitening_where_it_is_asked_to(tiny_build: Workspace) -> None:
    whitened = dataclasses.replace(ONE_EPOCH, embedding_dim=4, whitening=True, learning_rate=1e-12)
    run_train(tiny_build, whitened)
    model = load_model(tiny_build.path("runs/happier"))
    pooled = []
    assert model.projection is not None
    model.projection.register_forward_hook(lambda _module, _inputs, out: pooled.append(out))
    embed_images(model, training_images(tiny_build).files(), device="cpu")
    vectors = torch.cat(pooled)
    torch.testing.assert_close(vectors.mean(0), torch.zeros(4), rtol=0, atol=1e-2)
    torch.testing.assert_close(torch.cov(vectors.T), torch.eye(4), rtol=0.05, atol=0.05)


def test_the_mean_is_taken_once_training_is_over_and_not_from_an_earlier_run(
    tiny_build: Workspace,
) -> None:
    def trained(name: str, **settings: Any) -> EmbeddingModel:  # noqa: ANN401
        run_train(tiny_build, dataclasses.replace(plain_run, name=name, **settings))
        return load_model(tiny_build.path(f"runs/{name}"))

    plain_run = dataclasses.replace(ONE_EPOCH, validation_share=0.3)
    plain, model = trained("plain"), trained("centred", centring=True)
    assert plain.centre is None
    for one, other in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
    # Of the images that it was trained on, not of those that were held out.
    images, _ = split_images(training_images(tiny_build), plain_run)
    mean = embed_images(plain, images.files(), device="cpu").mean(dim=0)
    torch.testing.assert_close(model.centre, mean)
    still: dict[str, Any] = {"init": "runs/centred", "learning_rate": 1e-12}
    torch.testing.assert_close(trained("again", centring=True, **still).centre, mean)
    assert trained("without", **still).centre is None


WATCHED = dataclasses.replace(
    TINY,
    validation_share=0.4,
    validate_every_steps=2,
    epochs=4,
    crop_pct=0.6,
    tensorboard=True,
    keep="best",
)
"""Four steps: of the landmarks that are left, an epoch makes one batch."""


def h_aps(workspace: Workspace) -> dict[int, float]:
    """Returns the H-AP of each step at which the run was measured."""
    return {
        line["step"]: line["validation"]["h_ap"]
        for line in log_of(workspace)
        if "validation" in line
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run of `WATCHED` that nothing stops."""
    return trained_once(tmp_path_factory, "watched", WATCHED)


def test_a_run_is_measured_on_held_out_landmarks_as_it_goes_and_shows_itself(
    watched: Undisturbed,
) -> None:
    workspace = Workspace(watched.root)
    files = RunFiles(workspace.path("runs/happier"))
    measured = h_aps(workspace)
    assert list(measured) == [0, 2, 4]
    assert all(0 < value <= 1 for value in measured.values())
    _, held_out = split_images(training_images(workspace), WATCHED)
    assert held_out is not None
    model = load_model(workspace.path(MODEL))
    seen = measure_embeddings(embed_images(model, held_out.files()), held_out.labels)
    # The weights that are kept are the best.
    assert max(measured.values()) == pytest.approx(seen.means["h_ap"])
    page = (files.folder / "run.html").read_text()
    assert "H-AP" in page
    assert "reload" not in page  # it has ended, and loads itself no more
    assert any((files.folder / "tensorboard").iterdir())
    assert not files.best.exists()


@pytest.mark.parametrize("number", [1, 4])
def test_a_stopped_run_goes_on_with_the_same_measurements_and_weights(
    tiny_build: Workspace, watched: Undisturbed, number: int
) -> None:
    stop_in_step(tiny_build, number, WATCHED)
    run_train(tiny_build, WATCHED)
    assert watched.is_that_of(tiny_build)


def test_the_best_weights_become_the_model_and_not_the_last(tiny_build: Workspace) -> None:
    # At this rate the first step is the best by far.
    spoilt = dataclasses.replace(WATCHED, learning_rate=0.03, epochs=3, tensorboard=False)
    models = []
    for keep in ("best", "last"):
        run_train(tiny_build, dataclasses.replace(spoilt, keep=keep))
        measured = h_aps(tiny_build)
        models.append(tiny_build.path(MODEL).read_bytes())
    assert max(measured, key=lambda step: measured[step]) < max(measured)
    assert models[0] != models[1]


def test_best_weights_that_are_damaged_are_never_taken(tiny_build: Workspace) -> None:
    # At this rate nothing changes: the best weights are those before the first step.
    still = dataclasses.replace(WATCHED, learning_rate=1e-12, tensorboard=False)
    stop_in_step(tiny_build, 4, still)
    files = RunFiles(tiny_build.path("runs/happier"))
    content = files.best.read_bytes()
    files.best.write_bytes(flipped(content, 4 * len(content)))
    with pytest.raises(DamagedError, match=r"best\.pt"):
        run_train(tiny_build, still)
