"""What a run starts from: a finished one, or images."""

import dataclasses

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.training.data.labels import training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from hgld.training.run import loop
from hgld.training.run.loop import run_train
from hgld.training.run.watch import split_images
from tests.worlds.training_runs import TINY

ONE_EPOCH = dataclasses.replace(TINY, epochs=1)


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
