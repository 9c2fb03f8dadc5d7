"""Embedding pictures, of a build or of one's own."""

import dataclasses
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pictures import PictureFile
from hgld.training.data.images import AnyImage, EvalImages
from hgld.training.data.labels import training_images
from hgld.training.model.embed import autocast, embed_images, native_precision
from hgld.training.model.embedding import build_model
from tests.training.model.test_embedding import TINY, VIT

ONE_SIZE = dataclasses.replace(VIT, backbone="test_vit_relpos")


@pytest.fixture
def files(tiny_build: Workspace) -> list[PictureFile]:
    """Seven pictures of a build."""
    return training_images(tiny_build).files()[:7]


def test_images_are_embedded_in_order_whatever_the_batch(files: list[PictureFile]) -> None:
    dataset = EvalImages(files, TINY)
    model = build_model(TINY)
    with torch.no_grad():
        expected = torch.cat([model(dataset[index][None]) for index in range(len(dataset))])
    for batch_size in (3, 64):
        embeddings = embed_images(model.train(), files, batch_size=batch_size, device="cpu")
        torch.testing.assert_close(embeddings, expected, atol=1e-5, rtol=0)
        assert not embeddings.requires_grad
    rounded = embed_images(model, files, device="cpu", precision="bfloat16")
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, expected)
    assert (rounded * expected).sum(dim=1).min() > 0.999
    assert embed_images(model, [], device="cpu").shape == (0, 96)


X86 = {"avx512_f": True, "avx512_bf16": False}


@pytest.mark.parametrize(
    ("told", "expected"),
    [(X86 | {"amx_bf16": True}, "bfloat16"), ({"bf16": True}, "bfloat16"), (X86, "float32")],
)
def test_bfloat16_is_for_processors_that_compute_in_it(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, bool], expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    place = torch.device("cpu")
    assert native_precision(place) == expected
    with autocast(place, "auto"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, expected)
    assert native_precision(torch.device("mps")) == "float32"


def test_bfloat16_is_for_gpus_that_compute_in_it_and_not_for_those_that_emulate_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for is_new, expected in ((True, "bfloat16"), (False, "float32")):
        is_supported = lambda including_emulation=True, own=is_new: own or including_emulation  # noqa: E731
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
        assert native_precision(torch.device("cuda")) == expected


def test_pictures_of_ones_own_and_worker_processes_give_the_same(files: list[PictureFile]) -> None:
    settings: dict[str, Any] = {"batch_size": 2, "device": "cpu"}
    model = build_model(TINY)
    expected = embed_images(model, files, **settings)
    opened = [Image.open(file.path).convert("RGB") for file in files[:3]]
    mixed: list[AnyImage] = [*opened, *files[3:5], *(str(file.path) for file in files[5:])]
    for workers in (0, 2):
        assert torch.equal(embed_images(model, mixed, workers=workers, **settings), expected)


@pytest.mark.parametrize(
    ("changed", "error", "word"),
    [
        ({"image_size": 33.5}, ValueError, "image_size"),
        ({"scales": ()}, ValueError, "scales"),
        ({"scales": (0.01,)}, ValueError, "scales"),
        ({"workers": -1}, ValueError, "workers"),
        ({"precision": "float8"}, ValueError, "precision"),
        ({"model": "runs/happier"}, TypeError, "model"),
        ({"images": "a.jpg"}, TypeError, "images"),
        ({"device": "warp"}, InputError, "device"),
        ({"model": build_model(ONE_SIZE), "image_size": 96}, ValueError, "160"),
        ({"model": build_model(ONE_SIZE), "scales": (0.5, 1.0)}, ValueError, "160"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    changed: dict[str, Any], error: type[Exception], word: str
) -> None:
    arguments: dict[str, Any] = {"model": build_model(TINY), "images": [], "device": "cpu"}
    with pytest.raises(error, match=word):
        embed_images(**arguments | changed)


def test_embeddings_of_several_scales_are_the_sum_of_those_of_each(
    files: list[PictureFile],
) -> None:
    model = build_model(TINY)
    sides: list[int] = []
    model.backbone.register_forward_pre_hook(lambda _module, args: sides.append(args[0].shape[-1]))
    scales = (2**-0.5, 1.0, 2**0.5)
    found = embed_images(model, files, scales=scales, batch_size=4, device="cpu")
    assert sides == [23, 32, 45, 23, 32, 45]
    dataset = EvalImages(files, TINY)
    for index in range(len(files)):
        total = torch.zeros(96)
        for side in (23, 32, 45):
            pixels = functional.interpolate(
                dataset[index][None].float(), (side, side), mode="bilinear", antialias=True
            )
            with torch.no_grad():
                total += functional.normalize(model.describe(pixels))[0]
        torch.testing.assert_close(found[index], total / total.norm(), atol=1e-5, rtol=0)


def test_a_model_sees_pictures_at_the_scales_that_it_was_made_for_or_is_asked_for(
    files: list[PictureFile],
) -> None:
    one_scale = build_model(TINY)
    model = build_model(dataclasses.replace(TINY, scales=(1.0, 1.5)))
    expected = embed_images(one_scale, files, scales=(1.0, 1.5), device="cpu")
    assert torch.equal(embed_images(model, files, device="cpu"), expected)
    images = torch.stack([EvalImages(files, TINY)[index] for index in range(len(files))])
    with torch.no_grad():
        torch.testing.assert_close(model(images), expected)
        once = embed_images(model, files, scales=(1.0,), device="cpu")
        torch.testing.assert_close(once, one_scale(images))
        # In training each picture is seen once.
        torch.testing.assert_close(model.train()(images), one_scale(images))
    larger = EvalImages(files, dataclasses.replace(TINY, image_size=48))
    found = embed_images(one_scale, files, image_size=48, device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(found[:1], one_scale(larger[0][None]))


@pytest.fixture
def photos() -> list[Image.Image]:
    """Pictures of three proportions, no two alike, larger than the model's size."""
    sides = [(96, 72), (72, 96), (96, 40), (96, 72), (72, 96), (96, 96), (96, 72)]
    noise = [Image.effect_noise(one, 90).convert("RGB") for one in sides]
    colours = ("red", "green", "blue", "white", "black", "orange", "navy")
    pairs = zip(noise, colours, strict=True)
    return [Image.blend(one, Image.new("RGB", one.size, colour), 0.5) for one, colour in pairs]


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1.5)])
def test_pictures_that_keep_their_proportions_are_embedded_in_order(
    photos: list[Image.Image], scales: tuple[float, ...]
) -> None:
    model = build_model(dataclasses.replace(TINY, resize="longest", scales=scales))
    seen: list[tuple[int, ...]] = []
    model.backbone.register_forward_pre_hook(
        lambda _module, args: seen.append(tuple(args[0].shape[-2:]))
    )
    found = embed_images(model, photos, batch_size=4, device="cpu")
    # 72 / 96 and 40 / 96 of 32, then 1.5 times as many of both; 19.5 becomes 20.
    sizes = {(24, 32), (32, 24), (13, 32), (32, 32)}
    larger = {(36, 48), (48, 36), (20, 48), (48, 48)}
    assert {*seen} == (sizes | larger if len(scales) > 1 else sizes)
    dataset = EvalImages(photos, model.config)
    with torch.no_grad():
        expected = torch.cat([model(dataset[index][None]) for index in range(len(photos))])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found @ found.T - torch.eye(len(photos))).max() < 1 - 1e-4  # no two alike


def test_proportions_are_refused_of_a_model_of_one_size() -> None:
    with pytest.raises(InputError, match="resize"):
        build_model(dataclasses.replace(ONE_SIZE, resize="longest"))
