"""Transformers of any size: the same vectors as timm's own, made for each size and no other."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.engine.config import from_mapping
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.model.config import ModelConfig, Pooling
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.recipes import over_recipe
from tests.worlds.training_runs import save_model

PREFIX = {"dinov2-b14": 1, "dinov3-b16": 1 + 4, "siglip2-b16": 0, "pe-b16": 1}
"""Recipe to the tokens before the patches: a class token, and registers."""
SHALLOW: dict[str, Any] = {"depth": 2, "embed_dim": 64, "num_heads": 4}


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The architectures of the recipes, less deep and wide."""
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, **SHALLOW))


def model_of(
    recipe: str, pooling: Pooling, image_size: int, scales: tuple[float, ...] = (1.0,)
) -> EmbeddingModel:
    """Returns the model of a recipe with weights of which each counts: many start near 0."""
    config = from_mapping(TrainConfig, over_recipe({"recipe": recipe}), where="recipe").model
    changes = {"pooling": pooling, "image_size": image_size, "scales": scales}
    config = dataclasses.replace(config, weights="random", **changes)  # type: ignore[arg-type]
    model = build_model(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.backbone.parameters():
            weight.normal_(std=0.2, generator=generator)
    return model


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def made_for(model: EmbeddingModel, height: int, width: int) -> Any:  # noqa: ANN401 - of timm
    """Returns timm's own model with the same weights, and the places of one size only."""
    size = model.config.image_size
    settings: dict[str, Any] = {"num_classes": 0, "img_size": size, "dynamic_img_size": False}
    if model.config.pooling != "backbone":
        settings["global_pool"] = ""
    made = timm.create_model(model.config.backbone, **settings).eval()
    made.load_state_dict(model.backbone.state_dict())
    if (height, width) != (size, size):
        made.set_input_size((height, width))  # type: ignore[operator]
    return made


def expected_of(model: EmbeddingModel, images: Tensor, prefix: int) -> Tensor:
    """Returns the unit vectors by the definitions of the poolings."""
    made, pixels = made_for(model, *images.shape[2:]), (images / 255 - model.mean) / model.std
    tokens = made.forward_features(pixels)
    patches = tokens[:, prefix:]
    match model.config.pooling:
        case "gem":
            pooled = (patches.clamp(min=1e-6) ** 3).mean(dim=1) ** (1 / 3)
        case "average":
            pooled = patches.sum(dim=1) / patches.shape[1]
        case "cls":
            pooled = tokens[:, 0]
        case "cls+average":
            pooled = torch.cat([tokens[:, 0], patches.mean(dim=1)], dim=1)
        case "backbone":
            pooled = made(pixels)
    return functional.normalize(pooled, dim=1)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("pooling", ["gem", "average", "cls", "cls+average", "backbone"])
@pytest.mark.parametrize("recipe", PREFIX)
def test_a_recipe_gives_what_timm_gives_at_every_size_and_proportion(
    recipe: str, pooling: Pooling
) -> None:
    patch = int(recipe[-2:])
    # Neither this size nor the last is a whole number of patches.
    size = 6 * patch + 5
    if recipe == "siglip2-b16" and pooling in ("cls", "cls+average"):
        with pytest.raises(InputError, match="class token"):
            model_of(recipe, pooling, size)
        return
    model = model_of(recipe, pooling, size)
    assert model.takes_any_size
    found = []
    for height, width in ((6, 6), (8, 8), (4, 9), (9, 4)):
        images = noise(2, 3, height * patch + 5, width * patch + 5)
        with torch.no_grad():
            found.append(model(images))
            expected = expected_of(model, images, PREFIX[recipe])
        torch.testing.assert_close(found[-1], expected, atol=1e-5, rtol=0)
    assert found[0].shape == (2, 64 * (2 if pooling == "cls+average" else 1))
    assert found[0][0] @ found[0][1] < 0.9999  # not one vector for all


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("recipe", PREFIX)
def test_a_model_saved_when_it_took_one_size_gives_the_same(recipe: str, tmp_path: Path) -> None:
    images = noise(2, 3, 100, 100)
    earlier = model_of(recipe, "backbone", 100)
    earlier.backbone = made_for(earlier, 100, 100)
    save_model(earlier, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.takes_any_size
    assert not earlier.takes_any_size
    with torch.no_grad():
        assert torch.equal(loaded(images), earlier(images))


def test_a_windowed_transformer_takes_any_size_or_says_that_its_timm_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shallow = partial(timm.create_model, depths=(1, 1, 1, 1), embed_dim=24)

    def of_one_size(name: str, **options: Any) -> nn.Module:  # noqa: ANN401 - as timm's
        if "dynamic_img_size" in options:
            raise TypeError("unexpected keyword argument")
        return shallow(name, **options)

    config = ModelConfig(backbone="swin_tiny_patch4_window7_224", weights="random")
    images, scales = noise(1, 3, 224, 224), (0.5, 1.0)
    monkeypatch.setattr(timm, "create_model", shallow)
    flexible = build_model(config)
    assert flexible.takes_any_size
    assert flexible(noise(1, 3, 130, 75)).shape == (1, 192)
    monkeypatch.setattr(timm, "create_model", of_one_size)
    model = build_model(config)
    assert torch.equal(model(images), flexible(images))
    with pytest.raises(InputError, match="224"):
        build_model(dataclasses.replace(config, scales=scales))
