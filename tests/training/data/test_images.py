import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.images import (
    AugmentedImages,
    EvalImages,
    RunPlace,
    load_batches,
    random_numbers,
    resize_picture,
    run_batches,
)
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.model.config import Interpolation, Resize
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from tests.training.model.test_embedding import TINY


@pytest.fixture
def images(tiny_build: Workspace) -> LabelledImages:
    return training_images(tiny_build)


def pixels_of(images: LabelledImages, count: int, **settings: Any) -> Tensor:  # noqa: ANN401
    """Returns one image at some positions, (count, 3, 24, 24)."""
    altered = AugmentedImages(images, 24, **settings)
    return torch.stack([altered[RunPlace(0, number, 5)][0] for number in range(count)]).float()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_pixels_are_those_of_crop_and_flip_as_published_by_any_filter(
    images: LabelledImages, interpolation: Interpolation
) -> None:
    filter_ = InterpolationMode(interpolation)
    published = v2.Compose(
        [
            v2.RandomResizedCrop(24, scale=(0.16, 1.0), interpolation=filter_, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
        ]
    )
    altered = AugmentedImages(images, 24, interpolation=interpolation, seed=3)
    for place in (RunPlace(0, 0, 5), RunPlace(2, 7, 5)):
        stream = f"augmentation, seed 3, epoch {place.epoch}, position {place.position}"
        pixels, labels = altered[place]
        with random_numbers(stream), Image.open(images.path(5)) as image:
            assert torch.equal(pixels, published(image.convert("RGB")))
        assert torch.equal(labels, images.labels[5])


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
    assert near[:, :, 12, 12].min() == 255
    assert far[:, :, 12, 12].min() == 0


def test_colours_change_up_to_their_strength(images: LabelledImages) -> None:
    images = rewritten(images, 5, Image.new("RGB", (8, 8), (100, 100, 100)))
    means = pixels_of(images, 60, colour_jitter=0.2).mean(dim=(1, 2, 3))
    # Brightness by 80% to 120%; contrast, saturation and hue leave plain grey as it is.
    assert 79 <= means.min() < 90
    assert 110 < means.max() <= 120


@pytest.mark.parametrize("crop_pct", [0.5, 0.875, 1.0])
def test_a_model_sees_its_share_of_the_shorter_side_about_the_middle(crop_pct: float) -> None:
    # Red from a quarter to three quarters of the shorter side, of which the share is shown.
    picture = Image.new("RGB", (96, 64), (0, 0, 255))
    picture.paste((255, 0, 0), (32, 16, 64, 48))
    model = build_model(dataclasses.replace(TINY, crop_pct=crop_pct))
    seen = EvalImages([picture], model.config)[0]
    is_red = (seen[0] > 128).float().mean().sqrt()
    assert is_red == pytest.approx(min(0.5 / crop_pct, 1), abs=0.06)
    assert seen[:, 16, 16].tolist() == [255, 0, 0]
    embedded = embed_images(model, [picture], device="cpu")
    with torch.inference_mode():
        torch.testing.assert_close(embedded, model(seen[None]))


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draws noise at two scales, so that pictures and filters of a resize can be told apart."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), "uint8"))
    fine = Image.fromarray(random.integers(0, 256, (height, width, 3), "uint8"))
    return Image.blend(coarse.resize((width, height), Image.Resampling.BICUBIC), fine, 0.3)


def padded(image: Image.Image) -> Image.Image:
    """Returns a picture in the middle of a square of 64 px, by torchvision's own `Pad`."""
    sides = [64 - side for side in image.size]
    left, top = (side // 2 for side in sides)
    pad = v2.Pad([left, top, sides[0] - left, sides[1] - top])
    made: Image.Image = pad(image)
    return made


@pytest.mark.parametrize("filter_", [InterpolationMode.BILINEAR, InterpolationMode.BICUBIC])
@pytest.mark.parametrize("resize", ["squash", "crop", "longest", "pad"])
@pytest.mark.parametrize("sides", [(672, 448), (333, 500), (64, 64), (90, 20), (301, 300)])
def test_a_rule_gives_the_pixels_and_vectors_of_torchvisions_own(
    filter_: InterpolationMode, resize: Resize, sides: tuple[int, int]
) -> None:
    longest = v2.Resize(None, filter_, max_size=64)
    steps = {
        "squash": [v2.Resize((64, 64), filter_)],
        "crop": [v2.Resize(73, filter_), v2.CenterCrop(64)],  # 64 / 0.875
        "longest": [longest],
        "pad": [longest, padded],
    }
    picture = photo(*sides)
    expected = v2.Compose([*steps[resize], v2.PILToTensor()])(picture)
    settings = {"image_size": 64, "resize": resize, "interpolation": filter_.value}
    model = build_model(dataclasses.replace(TINY, **settings))
    assert torch.equal(resize_picture(picture, model.config), expected)
    found = embed_images(model, [picture], device="cpu")
    with torch.inference_mode():
        torch.testing.assert_close(found, model(expected[None]), atol=1e-5, rtol=0)


def test_pad_is_black_about_the_whole_picture_and_a_side_keeps_a_pixel() -> None:
    white = Image.new("RGB", (90, 20), "white")
    pixels = resize_picture(white, dataclasses.replace(TINY, resize="pad"))[0]
    # 20 x 32 / 90 is 7 rows, after (32 - 7) // 2 black ones.
    assert (pixels == 255).all(dim=1).nonzero().flatten().tolist() == list(range(12, 19))
    assert (pixels == 0).all(dim=1).sum() == 25
    line = Image.new("RGB", (3, 500), "white")
    assert resize_picture(line, dataclasses.replace(TINY, resize="longest")).shape == (3, 32, 1)


def test_a_path_and_a_picture_of_one_large_jpeg_become_the_same_pixels(tmp_path: Path) -> None:
    photo(1600, 1200).save(tmp_path / "a.jpg", quality=90)
    with Image.open(tmp_path / "a.jpg") as opened:
        found = EvalImages([tmp_path / "a.jpg", opened, opened.convert("RGB")], TINY)
        assert torch.equal(found[0], found[1])
        assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("workers", [0, 2])
def test_pictures_of_several_shapes_are_batched_by_shape_and_keep_their_places(
    workers: int,
) -> None:
    sides = [(64, 48), (48, 64), (64, 48), (64, 64), (48, 64), (64, 48)]
    dataset = EvalImages(
        [photo(*one, seed) for seed, one in enumerate(sides)],
        dataclasses.replace(TINY, resize="longest"),
    )
    batches = list(load_batches(dataset, batch_size=4, workers=workers))
    assert [places for places, *_ in batches] == [[0, 2], [1], [3], [4], [5]]
    for places, pixels, _ in batches:
        assert torch.equal(pixels, torch.stack([dataset[place] for place in places]))


@pytest.mark.fault(74, "picture altered under training")
@pytest.mark.fault(75, "picture gone in the middle of training")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_was_altered_or_goes_is_never_trained_on(
    images: LabelledImages, workers: int
) -> None:
    path = images.path(3)
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    order = LandmarkSampler(images.labels[:, 0], batch_size=4)
    with pytest.raises(DamagedError, match=path.name):
        list(run_batches(AugmentedImages(images, 32), order, epochs=2, workers=workers))
    path.unlink()
    with pytest.raises(DamagedError, match="--split train"):
        list(load_batches(EvalImages(images.files(), TINY), batch_size=4, workers=workers))


def test_an_open_picture_without_pixels_to_read_is_named_by_its_place_or_its_file(
    tmp_path: Path, images: LabelledImages
) -> None:
    (tmp_path / "half.png").write_bytes(images.path(0).read_bytes()[:600])
    closed = Image.new("RGB", (4, 4))
    closed.close()
    for image in (closed, Image.new("RGB", (0, 3)), Image.new("F", (4, 4))):
        with pytest.raises(InputError, match=r"images\[1\]"):
            EvalImages([Image.new("RGB", (40, 40)), image], TINY)[1]
    with Image.open(tmp_path / "half.png") as half, pytest.raises(InputError, match=r"half\.png"):
        EvalImages([half], TINY)[0]
