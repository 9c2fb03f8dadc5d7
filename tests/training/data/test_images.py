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

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.data.images import (
    AugmentedImages,
    EvalImages,
    RunPlace,
    load_batches,
    random_numbers,
    run_batches,
)
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.sampler import LandmarkSampler
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
    seen = EvalImages([picture], 32, crop_pct)[0]
    is_red = (seen[0] > 128).float().mean().sqrt()
    assert is_red == pytest.approx(min(0.5 / crop_pct, 1), abs=0.06)
    assert seen[:, 16, 16].tolist() == [255, 0, 0]
    embedded = embed_images(model, [picture], device="cpu")
    with torch.inference_mode():
        torch.testing.assert_close(embedded, model(seen[None]))


@pytest.mark.parametrize("size", [(1600, 1200), (500, 500)])
def test_a_large_jpeg_decoded_at_a_reduced_size_looks_the_same(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    noise = Image.effect_noise((size[0] // 32, size[1] // 32), 90)
    noise.resize(size, Image.Resampling.BICUBIC).convert("RGB").save(tmp_path / "a.jpg", quality=90)
    # The shorter side becomes 128, so that it is decoded at 256 or more.
    images = EvalImages([tmp_path / "a.jpg", Image.open(tmp_path / "a.jpg")], 112)
    reduced, full = images[0].float(), images[1].float()
    assert (reduced - full).abs().mean() < 0.6  # of 255; seen 0.2 to 0.39
    assert (reduced - full).abs().max() < 6  # seen 1 to 3


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
        list(load_batches(EvalImages(images.files(), 32), batch_size=4, workers=workers))


def test_an_open_picture_without_pixels_to_read_is_named_by_its_place_or_its_file(
    tmp_path: Path, images: LabelledImages
) -> None:
    (tmp_path / "half.png").write_bytes(images.path(0).read_bytes()[:600])
    closed = Image.new("RGB", (4, 4))
    closed.close()
    for image in (closed, Image.new("RGB", (0, 3)), Image.new("F", (4, 4))):
        with pytest.raises(InputError, match=r"images\[1\]"):
            EvalImages([Image.new("RGB", (40, 40)), image], 32)[1]
    with Image.open(tmp_path / "half.png") as half, pytest.raises(InputError, match=r"half\.png"):
        EvalImages([half], 32)[0]
