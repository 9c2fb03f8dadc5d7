from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import hgld.pictures
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig
from hgld.training.data.epochs import AugmentedImages, run_batches
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import training_images
from hgld.training.data.loading import load_batches
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model


def test_evaluation_takes_the_centre_of_the_image(tmp_path: Path) -> None:
    # 64 x 56: the shorter side becomes 32, the crop is the middle 28 columns of 37.
    picture = Image.new("RGB", (64, 56), (255, 0, 0))
    picture.paste((0, 0, 255), (10, 8, 54, 48))
    picture.save(tmp_path / "a.png")

    pixels = EvalImages([tmp_path / "a.png"], 28)[0]

    assert pixels.shape == (3, 28, 28)
    assert pixels[:, 14, 14].tolist() == [0, 0, 255]
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("crop_pct", [0.5, 0.875, 1.0])
def test_a_model_sees_its_share_of_the_shorter_side(crop_pct: float) -> None:
    # Red from a quarter to three quarters of the shorter side, of which the share is shown.
    picture = Image.new("RGB", (96, 64), (0, 0, 255))
    picture.paste((255, 0, 0), (32, 16, 64, 48))
    config = ModelConfig(backbone="test_resnet", weights="random", image_size=32, crop_pct=crop_pct)
    model = build_model(config)
    seen = EvalImages([picture], 32, crop_pct)[0]
    is_red = (seen[0] > 128).float().mean().sqrt()
    assert is_red == pytest.approx(min(0.5 / crop_pct, 1), abs=0.06)
    embedded = embed_images(model, [picture], device="cpu")
    with torch.inference_mode():
        torch.testing.assert_close(embedded, model(seen[None]))


@pytest.mark.parametrize(
    ("size", "side"), [((1600, 1200), 300), ((900, 640), 320), ((500, 500), 500)]
)
def test_a_large_jpeg_decoded_at_a_reduced_size_looks_the_same(
    tmp_path: Path, size: tuple[int, int], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = Image.effect_noise((size[0] // 32, size[1] // 32), 90)
    noise.resize(size, Image.Resampling.BICUBIC).convert("RGB").save(tmp_path / "a.jpg", quality=90)
    sides: list[int] = []
    rgb = hgld.pictures._rgb

    def watched(image: Image.Image) -> Image.Image:
        sides.append(min(image.size))
        return rgb(image)

    monkeypatch.setattr("hgld.pictures._rgb", watched)
    # The shorter side becomes 128, so that it is decoded at 256 or more.
    images = EvalImages([tmp_path / "a.jpg", Image.open(tmp_path / "a.jpg")], 112)
    reduced, full = images[0].float(), images[1].float()
    assert sides == [side, min(size)]
    assert (reduced - full).abs().mean() < 0.6  # of 255; seen 0.2 to 0.39
    assert (reduced - full).abs().max() < 6  # seen 1 to 3


def test_what_is_no_picture_is_named_with_what_to_do(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    for content in (b"", b"<html>gone</html>", whole[:-40]):
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.jpg"):
            EvalImages([tmp_path / "x.jpg"], 32)[0]


@pytest.mark.fault(74, "picture altered under training")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_was_altered_is_never_trained_on(
    tiny_build: Workspace, workers: int
) -> None:
    images = training_images(tiny_build)
    path = images.path(3)
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    dataset = AugmentedImages(images, Augmentation(AugmentConfig(), 32), seed=0)
    order = LandmarkSampler(images.labels[:, 0], batch_size=4)
    with pytest.raises(DamagedError, match=path.name):
        list(run_batches(dataset, order, epochs=2, workers=workers))
    with pytest.raises(DamagedError, match=path.name):
        list(load_batches(EvalImages(images.files(), 32), batch_size=4, workers=workers))

    path.write_bytes(content)
    assert len(list(run_batches(dataset, order, epochs=2, workers=workers))) == 2 * len(order)


@pytest.mark.fault(75, "picture gone in the midst of training")
def test_a_picture_that_goes_while_it_is_trained_on_is_named(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    images.path(3).unlink()
    with pytest.raises(DamagedError, match="--split train"):
        EvalImages(images.files(), 32)[3]


def test_paths_texts_and_open_pictures_are_the_same_image(tiny_build: Workspace) -> None:
    path = training_images(tiny_build).path(0)
    with Image.open(path) as lazy:
        made = EvalImages([path, str(path), lazy, Image.open(path).convert("RGB")], 32)
        first, *others = (made[index] for index in range(len(made)))
    assert len(others) == 3
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("images", "word"),
    [("a.jpg", "sequence"), ([torch.zeros(3, 32, 32)], "Tensor"), ([None], "NoneType")],
)
def test_what_is_neither_a_path_nor_a_picture_is_refused(images: Any, word: str) -> None:  # noqa: ANN401 - wrong on purpose
    with pytest.raises(TypeError, match=word):
        EvalImages(images, 32)


def test_an_open_picture_that_is_cut_short_is_named(tmp_path: Path, tiny_build: Workspace) -> None:
    whole = training_images(tiny_build).path(0).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[:600])
    with (
        Image.open(tmp_path / "half.png") as picture,
        pytest.raises(InputError, match=r"half\.png"),
    ):
        EvalImages([picture], 32)[0]


def closed_image(path: Path | None = None) -> Image.Image:
    image = Image.new("RGB", (4, 4))
    if path is not None:
        image.save(path)
        with Image.open(path) as image:
            pass  # closed before a pixel was read
    image.close()
    return image


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (closed_image(), r"images\[1\]"),
        (Image.new("RGB", (0, 3)), r"images\[1\]"),
        (Image.new("F", (4, 4)), r"images\[1\]"),
        ("a\0b.jpg", "a\0b.jpg"),
    ],
)
def test_an_image_without_pixels_to_read_is_named_by_its_place(
    image: str | Image.Image, word: str
) -> None:
    images = EvalImages([Image.new("RGB", (40, 40)), image], 32)
    assert images[0].shape == (3, 32, 32)
    with pytest.raises(InputError, match=word):
        images[1]


def test_an_image_that_was_closed_unread_is_named_by_its_file(tmp_path: Path) -> None:
    images = EvalImages([closed_image(tmp_path / "a.png")], 32)
    with pytest.raises(InputError, match=r"a\.png"):
        images[0]
