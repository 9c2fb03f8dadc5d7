"""A run that trains a layer on vectors of a frozen backbone, or of a file."""

import dataclasses
import shutil
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hgld.engine.files import file_digest
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.steps import train_step
from hgld.training.config import TrainConfig
from hgld.training.data import images as reading
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.methods import TrainingMethod
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.run import vectors
from hgld.training.run.stage import run_train
from hgld.training.run.validation import measure_embeddings
from hgld.training.run.watch import split_images
from tests.training.index.test_embedding_files import parquet
from tests.training.model.test_saved import flipped
from tests.worlds.stopped import stopped_at
from tests.worlds.training_runs import CHECKPOINT, MODEL, TINY, log_of, stop_in_step

FROZEN = dataclasses.replace(TINY, frozen=True, centring=True, scales=(1.0, 1.5))


def vectors_of(images: LabelledImages, config: TrainConfig = FROZEN) -> Tensor:
    """Returns what the backbone gives images at all scales."""
    base = build_model(config.model.without_layer)
    return embed_images(base, images.files(), device="cpu").clone()


def trained(workspace: Workspace, **changes: Any) -> EmbeddingModel:  # noqa: ANN401
    config = dataclasses.replace(FROZEN, **changes)
    run_train(workspace, config)
    return load_model(workspace.path(f"runs/{config.name}"))


def test_the_model_is_the_layer_on_the_vectors_of_its_backbone_at_all_scales(
    tiny_build: Workspace,
) -> None:
    model, images = trained(tiny_build, hidden_dim=5), training_images(tiny_build)
    state = {name: value.double() for name, value in model.state_dict().items()}
    given = vectors_of(images).double()
    outer = given @ state["projection.weight"].T + state["projection.bias"]
    inner = given @ state["projection.hidden.0.weight"].T + state["projection.hidden.0.bias"]
    made = outer + inner.clamp(min=0) @ state["projection.hidden.2.weight"].T
    expected = functional.normalize(made, dim=1)
    found = embed_images(model, images.files(), device="cpu")
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)
    untrained = functional.normalize(given - given.mean(dim=0), dim=1)
    assert (found - untrained).abs().max() > 0.01


def test_no_picture_is_read_once_it_is_embedded_and_a_stopped_run_goes_on_to_the_same_bytes(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    whole = Workspace(shutil.copytree(tiny_build.root, tmp_path / "whole"))
    run_train(whole, FROZEN)
    stop_in_step(tiny_build, 5, FROZEN)
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 4
    for path in tiny_build.path("images/train").iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    run_train(tiny_build, FROZEN)
    assert file_digest(tiny_build.path(MODEL)) == file_digest(whole.path(MODEL))
    assert log_of(tiny_build) == log_of(whole)
    left = {path.name for path in tiny_build.path("runs/happier").iterdir()}
    kept = {"config.json", "made_with.json", "metrics.jsonl", "model.safetensors", "run.html"}
    assert left == kept


def test_embedding_that_was_stopped_goes_on_behind_the_blocks_that_are_there(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "BLOCK", 16)
    read, whole = list[object](), reading.read_image

    def noted(source: Any, **how: Any) -> Any:  # noqa: ANN401
        read.append(source.path.name)
        return whole(source, **how)

    monkeypatch.setattr(reading, "read_image", noted)
    with stopped_at(reading, "read_image", 20):
        run_train(tiny_build, FROZEN)
    assert len(read) == 19
    read.clear()
    run_train(tiny_build, FROZEN)
    assert len(read) == 24  # of 40
    read.clear()
    run_train(tiny_build, dataclasses.replace(FROZEN, name="other", learning_rate=1.0))
    assert read == []
    block, *_ = sorted(tiny_build.path("runs/_vectors").iterdir())
    block.write_bytes(flipped(block.read_bytes(), 8 * block.stat().st_size - 3))
    assert [one.path for one in train_step({}).verify(tiny_build, False, 0)] == [
        block.relative_to(tiny_build.root).as_posix()
    ]


@pytest.mark.parametrize(
    "method", [each() for each in typing.get_args(TrainingMethod)], ids=lambda one: str(one.name)
)
def test_every_method_trains_a_layer_that_starts_as_what_the_backbone_gives(
    tiny_build: Workspace, method: TrainingMethod
) -> None:
    config = dataclasses.replace(
        FROZEN,
        method=method,
        epochs=1,
        centring=False,
        validation_share=0.4,
        validate_every_steps=1,
    )
    _, held_out = split_images(training_images(tiny_build), config)
    assert held_out is not None
    given = vectors_of(held_out).half().float()
    run_train(tiny_build, config)
    line, *_ = log_of(tiny_build)
    expected = measure_embeddings(given, held_out.labels).line()
    assert line["step"] == 0
    assert line["validation"] == pytest.approx(expected, abs=1e-6)
    layer = load_model(tiny_build.path("runs/happier")).projection
    assert layer is not None
    assert not torch.equal(layer.weight, torch.eye(96))


@pytest.mark.parametrize("whitening", [True, False])
def test_a_layer_starts_as_a_whitening_or_without_the_mean_as_the_settings_have_it(
    tiny_build: Workspace, *, whitening: bool
) -> None:
    changes = {"embedding_dim": 8, "whitening": True} if whitening else {}
    layer = trained(tiny_build, learning_rate=1e-12, **changes).projection
    assert layer is not None
    given = vectors_of(training_images(tiny_build)).half().float()
    made = functional.linear(given, layer.weight, layer.bias)
    torch.testing.assert_close(made.mean(dim=0), torch.zeros(made.shape[1]), rtol=0, atol=1e-3)
    expected = torch.eye(8) if whitening else torch.cov(given.T)
    torch.testing.assert_close(torch.cov(made.T), expected, rtol=0, atol=1e-3)


def test_embeddings_of_a_file_need_no_picture_and_train_the_same_layer(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    images = training_images(tiny_build)
    given, ids = vectors_of(images), images.image_ids.to_pylist()
    # In another order, of other lengths, and of an image more.
    order = np.random.default_rng(0).permutation(len(ids)).tolist()
    rows = torch.cat([3 * given[order], torch.ones(1, given.shape[1])])
    path = parquet(tmp_path / "train.parquet", [*(ids[at] for at in order), "stray"], rows.numpy())
    with_pictures = trained(tiny_build, name="with")
    shutil.rmtree(tiny_build.path("images"))
    model = trained(tiny_build, name="without", embeddings=path)
    assert model.config.backbone == "vectors-96"
    made, expected = model.adapt(given), with_pictures.adapt(given)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-3)
    again = dataclasses.replace(FROZEN, name="without", embeddings=path)
    assert run_train(tiny_build, again).skipped
    assert stage_status(tiny_build, again.stage).state == "done"
    parquet(path, ids, given.numpy())  # the same vectors, and another file
    assert not run_train(tiny_build, again).skipped
    with pytest.raises(InputError, match="vectors"):
        model(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))


def test_wrong_embeddings_are_refused_and_nothing_is_left(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    ids = training_images(tiny_build).image_ids.to_pylist()
    rows = np.random.default_rng(0).random((len(ids), 4))
    twice, other = [ids[0], ids[0], *ids[2:]], [f"other-{one}" for one in ids]
    zero, endless = rows.copy(), rows.copy()
    zero[3], endless[3, 1] = 0, np.nan
    for names, values in ((twice, rows), (other, rows), (ids, zero), (ids, endless)):
        path = parquet(tmp_path / "train.parquet", names, values)
        with pytest.raises(InputError, match=r"embeddings|vectors"):
            run_train(tiny_build, dataclasses.replace(FROZEN, embeddings=path))
        assert not tiny_build.path(MODEL).exists()


def test_images_without_a_vector_take_no_part(tiny_build: Workspace, tmp_path: Path) -> None:
    images = training_images(tiny_build)
    kept = [at for at, one in enumerate(images.image_ids.to_pylist()) if "-100-" not in one]
    some = images.at(kept)
    rows = vectors_of(some).numpy()
    path = parquet(tmp_path / "train.parquet", some.image_ids.to_pylist(), rows)
    # An epoch has 11 groups of two images, one of them of the landmark that is left out.
    with pytest.raises(InputError, match="at most 20"):
        trained(tiny_build, embeddings=path, batch_size=22)
    assert trained(tiny_build, embeddings=path, batch_size=20).embedding_dim == 96
