"""What a run starts from: a checkpoint of another one, a finished one, or images."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.engine.workspace import Workspace
from hgld.errors import DivergedError, InputError, MissingInputError
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from hgld.training.run import loop
from hgld.training.run.loop import run_train
from hgld.training.run.watch import split_images
from tests.worlds.training_runs import CHECKPOINT, METRICS, STEPS, TINY, log_of, stop_in_step

ONE_EPOCH = dataclasses.replace(TINY, epochs=1)


def test_a_run_that_diverged_goes_on_as_a_branch_with_a_lower_learning_rate(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, whole = iter(range(100)), losses.sup_hap_loss

    def diverge(embeddings: Tensor, labels: Tensor, *, alpha: float, **_: object) -> Tensor:
        return whole(embeddings, labels, alpha=alpha) * (math.nan if next(calls) == 4 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(losses, "sup_hap_loss", diverge)
        with pytest.raises(DivergedError):
            run_train(tiny_build, TINY)
    kept = tiny_build.path(CHECKPOINT).read_bytes()
    started = [line for line in log_of(tiny_build) if line["step"] <= 3]

    lower = dataclasses.replace(TINY, name="lower", branch="happier", learning_rate=1e-4)
    run_train(tiny_build, lower)
    lines = log_of(tiny_build, METRICS.replace("happier", "lower"))
    assert lines[:3] == started
    assert [line["step"] for line in lines] == [*range(1, STEPS + 1)]
    # At the same place of the cosine.
    half = (1 + math.cos(math.pi * 3 / STEPS)) / 2
    assert lines[3]["learning_rate"] == pytest.approx(1e-4 * half)
    assert tiny_build.path(CHECKPOINT).read_bytes() == kept
    assert run_train(tiny_build, lower).skipped


def test_a_branch_of_what_has_no_checkpoint_or_another_model_is_refused(
    tiny_build: Workspace,
) -> None:
    branch = dataclasses.replace(TINY, name="lower", branch="happier")
    with pytest.raises(InputError, match="checkpoint"):
        run_train(tiny_build, branch)
    stop_in_step(tiny_build, 4)
    with pytest.raises(InputError, match="happier"):
        run_train(tiny_build, dataclasses.replace(branch, embedding_dim=4))
    with pytest.raises(ValueError, match="branch"):
        dataclasses.replace(branch, name="happier")


def test_a_run_starts_from_an_earlier_one_at_another_size(trained_build: Workspace) -> None:
    larger = dataclasses.replace(
        ONE_EPOCH, name="larger", init="runs/happier", image_size=48, learning_rate=1e-12
    )
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


def test_a_linear_layer_starts_as_a_whitening_where_it_is_asked_to(
    tiny_build: Workspace,
) -> None:
    whitened = dataclasses.replace(ONE_EPOCH, embedding_dim=4, whitening=True, learning_rate=1e-12)
    run_train(tiny_build, whitened)
    model = load_model(tiny_build.path("runs/happier"))
    files = training_images(tiny_build).files()
    pooled = []
    assert model.projection is not None
    model.projection.register_forward_hook(lambda _module, _inputs, out: pooled.append(out))
    embed_images(model, files, device="cpu")
    vectors = torch.cat(pooled)
    torch.testing.assert_close(vectors.mean(0), torch.zeros(4), rtol=0, atol=1e-2)
    torch.testing.assert_close(torch.cov(vectors.T), torch.eye(4), rtol=0.05, atol=0.05)


def test_the_mean_is_taken_once_training_is_over_and_not_from_an_earlier_run(
    tiny_build: Workspace,
) -> None:
    plain_run = dataclasses.replace(ONE_EPOCH, validation_share=0.3)
    centred = dataclasses.replace(plain_run, name="centred", centring=True)
    run_train(tiny_build, plain_run)
    run_train(tiny_build, centred)
    plain, model = (load_model(tiny_build.path(f"runs/{name}")) for name in ("happier", "centred"))
    assert plain.centre is None
    for one, other in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
    # Of the images that it was trained on, not of those that were held out.
    images, _ = split_images(training_images(tiny_build), centred)
    mean = embed_images(plain, images.files(), device="cpu").mean(dim=0)
    torch.testing.assert_close(model.centre, mean)

    again = dataclasses.replace(centred, name="again", init="runs/centred", learning_rate=1e-12)
    run_train(tiny_build, again)
    torch.testing.assert_close(load_model(tiny_build.path("runs/again")).centre, mean)
    without = dataclasses.replace(again, name="without", centring=False)
    run_train(tiny_build, without)
    assert load_model(tiny_build.path("runs/without")).centre is None


def test_a_build_without_labels_is_refused_before_weights_are_fetched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(_model: object) -> None:
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(loop, "fetch_weights", fetch)
    with pytest.raises(MissingInputError, match="annotations"):
        run_train(workspace, dataclasses.replace(TINY, weights="hub"))
