import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

import hgld.pictures
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.images import AugmentedImages, EvalImages
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.loading import RunPlace, load_batches, random_numbers, run_batches
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model


@pytest.fixture
def images(tiny_build: Workspace) -> LabelledImages:
    return training_images(tiny_build)


def pixels_of(images: LabelledImages, count: int, **settings: Any) -> Tensor:  # noqa: ANN401
    """Returns one image at some positions, (count, 3, 24, 24)."""
    altered = AugmentedImages(images, 24, **settings)
    return torch.stack([altered[RunPlace(0, number, 5)][0] for number in range(count)]).float()


def test_by_default_the_pixels_are_those_of_crop_and_flip_as_published(
    images: LabelledImages,
) -> None:
    published = v2.Compose(
        [
            v2.RandomResizedCrop(24, scale=(0.16, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
        ]
    )
    altered = AugmentedImages(images, 24, seed=3)
    for place in (RunPlace(0, 0, 5), RunPlace(2, 7, 5)):
        stream = f"augmentation, seed 3, epoch {place.epoch}, position {place.position}"
        pixels, labels = altered[place]
        with random_numbers(stream), Image.open(images.path(5)) as image:
            assert torch.equal(pixels, published(image.convert("RGB")))
        assert torch.equal(labels, images.labels[5])


@pytest.mark.parametrize("colour_jitter", [0.0, 0.4])
def test_an_item_depends_on_its_place_and_the_seed_only(
    images: LabelledImages, colour_jitter: float
) -> None:
    places = [RunPlace(0, 0, 5), RunPlace(0, 1, 5), RunPlace(0, 2, 2), RunPlace(1, 0, 5)]
    first = AugmentedImages(images, 24, colour_jitter=colour_jitter)
    pixels = [first[place][0] for place in places]
    # The same image at two positions, and in two epochs, is cropped in two ways.
    assert not torch.equal(pixels[0], pixels[1])
    assert not torch.equal(pixels[0], pixels[3])
    # Backwards, after other draws: the same.
    again = AugmentedImages(images, 24, colour_jitter=colour_jitter)
    torch.rand(7)
    state = torch.get_rng_state()
    for number in (3, 2, 1, 0):
        assert torch.equal(again[places[number]][0], pixels[number])
    assert torch.equal(torch.get_rng_state(), state)
    other = AugmentedImages(images, 24, colour_jitter=colour_jitter, seed=4)
    assert not torch.equal(other[places[0]][0], pixels[0])


def rewritten(images: LabelledImages, index: int, picture: Image.Image) -> LabelledImages:
    """Returns images of which one is another picture."""
    picture.save(images.path(index))
    content = images.path(index).read_bytes()
    sizes, digests = images.sizes.to_pylist(), images.sha256s.to_pylist()
    sizes[index], digests[index] = len(content), hashlib.sha256(content).hexdigest()
    return dataclasses.replace(images, sizes=pa.array(sizes), sha256s=pa.array(digests))


def test_a_crop_has_its_least_share_of_the_area(images: LabelledImages) -> None:
    # White in the middle 40% of black: at a share of 0.9 all of it is in every crop.
    picture = Image.new("RGB", (100, 100))
    picture.paste((255, 255, 255), (30, 30, 70, 70))
    images = rewritten(images, 5, picture)
    near, far = (pixels_of(images, 20, min_crop=least) for least in (0.9, 0.05))
    assert near.mean(dim=(1, 2, 3)).std() < far.mean(dim=(1, 2, 3)).std()
    assert near[:, :, 12, 12].min() == 255
    assert far[:, :, 12, 12].min() == 0


def test_colours_change_up_to_their_strength(images: LabelledImages) -> None:
    images = rewritten(images, 5, Image.new("RGB", (8, 8), (100, 100, 100)))
    means = pixels_of(images, 60, colour_jitter=0.2).mean(dim=(1, 2, 3))
    # Brightness by 80% to 120%; contrast, saturation and hue leave plain grey as it is.
    assert 79 <= means.min() < 90
    assert 110 < means.max() <= 120


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


@pytest.mark.parametrize(("size", "side"), [((1600, 1200), 300), ((500, 500), 500)])
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
@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_was_altered_is_never_trained_on(
    images: LabelledImages, workers: int
) -> None:
    path = images.path(3)
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    order = LandmarkSampler(images.labels[:, 0], batch_size=4)
    with pytest.raises(DamagedError, match=path.name):
        list(run_batches(AugmentedImages(images, 32), order, epochs=2, workers=workers))
    with pytest.raises(DamagedError, match=path.name):
        list(load_batches(EvalImages(images.files(), 32), batch_size=4, workers=workers))


@pytest.mark.fault(75, "picture gone in the middle of training")
def test_a_picture_that_goes_while_it_is_trained_on_is_named(images: LabelledImages) -> None:
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
