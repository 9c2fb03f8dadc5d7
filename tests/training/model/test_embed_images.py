"""Embedding pictures, of a build or of one's own."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.labels import training_images
from hgld.training.model.config import ModelConfig, Precision
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model

TINY = ModelConfig(backbone="test_resnet", weights="random", image_size=32)


@pytest.mark.parametrize("batch_size", [7, 64])
def test_images_are_embedded_in_order_whatever_the_batch(
    tiny_build: Workspace, batch_size: int
) -> None:
    files = training_images(tiny_build).files()
    dataset = EvalImages(files, 32)
    model = build_model(TINY)
    model.train()

    embeddings = embed_images(model, files, batch_size=batch_size, device="cpu")

    with torch.no_grad():
        expected = torch.cat([model(dataset[index][None]) for index in range(len(dataset))])
    torch.testing.assert_close(embeddings, expected, atol=1e-5, rtol=0)
    assert not embeddings.requires_grad


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_embeddings_of_sixteen_bits_are_close_to_float32(
    tiny_build: Workspace, precision: Precision
) -> None:
    files = training_images(tiny_build).files()
    model = build_model(TINY)
    exact = embed_images(model, files, device="cpu")
    rounded = embed_images(model, files, device="cpu", precision=precision)

    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded * exact).sum(dim=1).min() > 0.999


def test_pictures_of_ones_own_are_embedded_like_files(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:5]
    model = build_model(TINY)
    expected = embed_images(model, files, device="cpu")
    opened = [Image.open(file.path).convert("RGB") for file in files]
    mixed: list[AnyImage] = [*opened[:2], *files[2:]]
    for images in (opened, [str(file.path) for file in files], mixed):
        assert torch.equal(embed_images(model, images, device="cpu"), expected)
    torch.testing.assert_close(expected.norm(dim=1), torch.ones(5))
    assert expected.device.type == "cpu"


def test_worker_processes_embed_the_same(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:6]
    opened = [Image.open(file.path).convert("RGB") for file in files[3:]]
    images: list[AnyImage] = [*files[:3], *opened]
    model = build_model(TINY)
    settings: dict[str, Any] = {"batch_size": 2, "device": "cpu"}
    expected = embed_images(model, images, **settings)
    assert torch.equal(embed_images(model, images, workers=2, **settings), expected)


def test_images_are_seen_at_the_size_asked_for_or_the_models_own(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:2]
    model = build_model(TINY)
    sides: list[int] = []
    model.backbone.register_forward_pre_hook(lambda _module, args: sides.append(args[0].shape[-1]))
    embed_images(model, files, device="cpu")
    embed_images(model, files, image_size=48, device="cpu")
    assert sides == [32, 48]


def test_no_images_give_no_rows() -> None:
    embeddings = embed_images(build_model(TINY), [], device="cpu")
    assert embeddings.shape == (0, 96)
    assert embeddings.dtype == torch.float32


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, workers: int) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    images = [tmp_path / "good.png", tmp_path / "bad.png"]
    with pytest.raises(InputError, match=r"bad\.png"):
        embed_images(build_model(TINY), images, workers=workers, device="cpu")
    with pytest.raises(InputError, match=r"nowhere\.png"):
        embed_images(build_model(TINY), ["nowhere.png"], workers=workers, device="cpu")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("batch_size", 0),
        ("image_size", 0),
        ("image_size", 33.5),
        ("scales", ()),
        ("scales", (1.0, 0.0)),
        ("scales", (float("nan"),)),
        ("scales", (0.01,)),
        ("workers", -1),
        ("precision", "float8"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting: str, value: Any) -> None:  # noqa: ANN401
    images = [Image.new("RGB", (40, 40))]
    with pytest.raises(ValueError, match=setting):
        embed_images(build_model(TINY), images, device="cpu", **{setting: value})


@pytest.mark.parametrize(
    ("changed", "error", "word"),
    [
        ({"model": "runs/happier"}, TypeError, "model"),
        ({"images": "a.jpg"}, TypeError, "images"),
        ({"images": Path("a.jpg")}, TypeError, "images"),
        ({"images": None}, TypeError, "images"),
        ({"device": None}, InputError, "device"),
    ],
)
def test_arguments_of_another_kind_are_refused(
    changed: dict[str, Any], error: type[Exception], word: str
) -> None:
    arguments: dict[str, Any] = {"model": build_model(TINY), "images": [], "device": "cpu"}
    with pytest.raises(error, match=word):
        embed_images(**arguments | changed)


def test_a_backbone_with_its_own_pooling_embeds_at_its_own_size_only() -> None:
    config = ModelConfig(backbone="test_vit", weights="random", pooling="backbone", image_size=160)
    model, images = build_model(config), [Image.new("RGB", (40, 40))]
    assert embed_images(model, images, image_size=160, device="cpu").shape == (1, 64)
    with pytest.raises(ValueError, match="160"):
        embed_images(model, images, image_size=96, device="cpu")
    with pytest.raises(ValueError, match="160"):
        embed_images(model, images, scales=(0.5, 1.0), device="cpu")


def test_embeddings_of_several_scales_are_the_sum_of_those_of_each(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:5]
    model = build_model(TINY)
    sides: list[int] = []
    model.backbone.register_forward_pre_hook(lambda _module, args: sides.append(args[0].shape[-1]))
    scales = (2**-0.5, 1.0, 2**0.5)
    found = embed_images(model, files, scales=scales, batch_size=3, device="cpu")

    assert sides == [23, 32, 45, 23, 32, 45]
    dataset = EvalImages(files, 32)
    for index in range(len(files)):
        total = torch.zeros(96)
        for side in (23, 32, 45):
            pixels = functional.interpolate(
                dataset[index][None].float(), (side, side), mode="bilinear", antialias=True
            )
            with torch.no_grad():
                total += functional.normalize(model.describe(pixels))[0]
        torch.testing.assert_close(found[index], total / total.norm(), atol=1e-5, rtol=0)


def test_one_scale_is_the_image_as_it_is(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:5]
    model = build_model(TINY)
    expected = embed_images(model, files, device="cpu")
    assert torch.equal(embed_images(model, files, scales=(1.0,), device="cpu"), expected)
    twice = embed_images(model, files, scales=(1.0, 1.0), device="cpu")
    torch.testing.assert_close(twice, expected)
    half = embed_images(model, files, scales=(0.5,), device="cpu")
    assert (half - expected).abs().max() > 1e-3


def test_a_model_sees_pictures_at_the_scales_that_it_was_made_for(tiny_build: Workspace) -> None:
    files = training_images(tiny_build).files()[:5]
    config = dataclasses.replace(TINY, scales=(1.0, 1.5))
    one_scale, model = build_model(TINY), build_model(config)
    expected = embed_images(one_scale, files, scales=(1.0, 1.5), device="cpu")
    assert torch.equal(embed_images(model, files, device="cpu"), expected)
    images = torch.stack([EvalImages(files, 32)[index] for index in range(5)])
    with torch.no_grad():
        torch.testing.assert_close(model(images), expected)
        alone = embed_images(model, files, scales=(1.0,), device="cpu")
        torch.testing.assert_close(alone, one_scale(images))
        # In training each picture is seen once.
        torch.testing.assert_close(model.train()(images), one_scale(images))
