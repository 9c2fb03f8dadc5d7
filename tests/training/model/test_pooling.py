"""From feature maps and tokens to vectors, against timm's own and loops written here."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig, Pooling
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.pooling import generalised_mean
from tests.training.model.test_embedding import TINY, pictures

VIT = ModelConfig(backbone="test_vit", weights="random", pooling="cls", image_size=160)


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


def inputs_of(model: EmbeddingModel, images: torch.Tensor) -> tuple[Any, torch.Tensor]:
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


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_a_backbone_without_such_a_map_is_refused(backbone: str) -> None:
    config = ModelConfig(
        backbone=backbone, weights="random", image_size=160, pooling="average", inner_weight=0.5
    )
    with pytest.raises(InputError, match="inner_weight"):
        build_model(config)


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


@pytest.mark.parametrize(
    ("backbone", "pooling", "own"),
    [
        ("test_vit", "cls", "token"),
        ("test_vit", "tokens", "avg"),
        # Two tokens that are no part of the picture, and a norm after the mean.
        ("test_vit2", "tokens", "avg"),
        ("vit_tiny_patch16_224", "cls", "token"),
    ],
)
def test_tokens_are_pooled_as_timm_does(backbone: str, pooling: Pooling, own: str) -> None:
    import timm

    config = dataclasses.replace(VIT, backbone=backbone, pooling=pooling)
    model = build_model(config, seed=4)
    theirs: Any = timm.create_model(backbone, num_classes=0, img_size=160).eval()
    theirs.reset_classifier(0, own)
    theirs.load_state_dict(model.backbone.state_dict())
    images = pictures(2, 160)
    with torch.no_grad():
        expected = functional.normalize(theirs(inputs_of(model, images)[1]), dim=1)
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=0)
    assert not model.takes_any_size


def test_the_mean_of_tokens_leaves_out_those_that_are_no_part_of_the_picture() -> None:
    # Its own pooling, by attention, takes all of them.
    model = build_model(dataclasses.replace(VIT, backbone="test_vit3", pooling="tokens"))
    assert not any(name.startswith("backbone.attn_pool") for name in model.state_dict())
    images = pictures(1, 160)
    with torch.no_grad():
        backbone, pixels = inputs_of(model, images)
        tokens = backbone.forward_features(pixels)
        assert tokens.shape[1] == 1 + (160 // 16) ** 2
        expected = functional.normalize(tokens[:, 1:].mean(dim=1), dim=1)
        other = functional.normalize(tokens.mean(dim=1), dim=1)
        torch.testing.assert_close(model(images), expected, atol=1e-6, rtol=0)
    assert (other - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("backbone", "pooling", "other"),
    [
        ("test_resnet", "cls", "gem"),
        ("test_vit2", "cls", "tokens"),
        ("test_resnet", "tokens", "gem"),
        ("test_vit", "average", "cls"),
    ],
)
def test_a_pooling_that_makes_no_sense_of_a_backbone_says_which_does(
    backbone: str, pooling: Pooling, other: str
) -> None:
    config = dataclasses.replace(VIT, backbone=backbone, pooling=pooling)
    with pytest.raises(InputError, match=f"{backbone}.*{other}"):
        build_model(config)


def test_an_exponent_that_is_learned_starts_where_it_is_set_and_has_a_gradient() -> None:
    fixed = build_model(dataclasses.replace(TINY, gem_p=2.5))
    learned = build_model(dataclasses.replace(TINY, gem_p=2.5, learn_gem_p=True))
    images = pictures(2, 64)
    torch.testing.assert_close(learned(images), fixed(images))
    assert not torch.equal(build_model(TINY)(images), fixed(images))
    assert learned.gem_p is not None
    assert learned.gem_p.item() == 2.5

    learned(images)[:, 0].sum().backward()
    assert learned.gem_p.grad is not None
    features = torch.rand(1, 3, 2, 2, dtype=torch.float64, generator=torch.Generator()) + 0.2
    p = torch.tensor(2.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: generalised_mean(features, p=p), p)
    assert "gem_p" in learned.state_dict()
    assert fixed.state_dict().keys() == build_model(TINY).state_dict().keys()


def test_a_vision_transformer_is_made_for_the_size_asked_for() -> None:
    model = build_model(dataclasses.replace(VIT, backbone="vit_tiny_patch16_224", image_size=96))
    assert model(pictures(1, 96)).shape == (1, 192)
    with pytest.raises(AssertionError, match="height"):
        model(pictures(1, 224))
    places: Any = model.backbone.pos_embed
    assert isinstance(places, nn.Parameter)
    assert places.shape[1] == 1 + (96 // 16) ** 2
