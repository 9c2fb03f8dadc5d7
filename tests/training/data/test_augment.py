import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

import hgld.pictures
from hgld.errors import InputError
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig
from hgld.training.data.loading import random_numbers

ALL = AugmentConfig(
    colour_jitter=0.4, rand_augment_ops=2, blur=0.5, erasing=0.5, decode_spare=1.0, min_scale=0.5
)
PLAIN = AugmentConfig(flip=False, min_scale=1.0)


def smooth_picture(width: int, height: int) -> Image.Image:
    noise = Image.effect_noise((width // 32 + 1, height // 32 + 1), 90).convert("RGB")
    return noise.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    smooth_picture(800, 600).save(tmp_path / "a.jpg", quality=92)
    return tmp_path / "a.jpg"


def streams(augment: Augmentation, source: Path | Image.Image, count: int) -> Tensor:
    return torch.stack([augment(source, f"s {number}") for number in range(count)]).float()


def test_by_default_the_pixels_are_those_of_crop_and_flip_as_published(photo: Path) -> None:
    published = v2.Compose(
        [
            v2.RandomResizedCrop(48, scale=(0.16, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
        ]
    )
    augment = Augmentation(AugmentConfig(), 48)
    for stream in ("a", "b", "c"):
        with random_numbers(stream), Image.open(photo) as image:
            assert torch.equal(augment(photo, stream), published(image))


@pytest.mark.parametrize("config", [AugmentConfig(), ALL])
def test_pixels_depend_on_the_stream_alone(photo: Path, config: AugmentConfig) -> None:
    augment = Augmentation(config, 32)
    first = augment(photo, "a")
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    assert not torch.equal(augment(photo, "b"), first)
    # None of them is drawn from another generator, nor from what came before.
    random.seed(1)
    np.random.seed(1)
    state = torch.get_rng_state()
    assert torch.equal(augment(photo, "a"), first)
    assert torch.equal(Augmentation(config, 32)(photo, "a"), first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(flip=False, min_scale=1.0, colour_jitter=0.4),
        AugmentConfig(flip=False, min_scale=1.0, rand_augment_ops=2, rand_augment_magnitude=15),
        AugmentConfig(flip=False, min_scale=1.0, blur=1.0),
        AugmentConfig(flip=False, min_scale=1.0, erasing=1.0),
        AugmentConfig(min_scale=1.0),
        AugmentConfig(flip=False, min_scale=0.3),
    ],
)
def test_each_setting_alters_the_picture_and_none_is_on_unasked(config: AugmentConfig) -> None:
    picture = smooth_picture(64, 64)
    whole = streams(Augmentation(PLAIN, 64), picture, 8)
    altered = streams(Augmentation(config, 64), picture, 8)
    assert (altered != whole).flatten(1).any(dim=1).sum() >= 2  # of 8; a flip comes at a half


def test_colour_jitter_keeps_to_its_strength() -> None:
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    config = AugmentConfig(flip=False, min_scale=1.0, colour_jitter=0.2)
    means = streams(Augmentation(config, 8), grey, 60).mean(dim=(1, 2, 3))
    # Brightness by 80% to 120%; contrast, saturation and hue leave plain grey as it is.
    assert 79 <= means.min() < 90
    assert 110 < means.max() <= 120


def test_what_is_erased_has_the_mean_colour_and_comes_in_its_share() -> None:
    black = Image.new("RGB", (32, 32))
    augment = Augmentation(AugmentConfig(flip=False, min_scale=1.0, erasing=0.5), 32)
    pixels = streams(augment, black, 60)
    erased = pixels[:, 0] > 0  # (60, 32, 32)
    share = erased.float().mean(dim=(1, 2))
    assert 15 <= (share > 0).sum() <= 45
    assert ((share == 0) | ((share > 0.01) & (share < 0.37))).all()
    assert {tuple(colour) for colour in pixels.permute(0, 2, 3, 1)[erased].tolist()} == {
        (124, 116, 104)
    }


def test_the_share_of_blurred_pictures_is_the_one_asked_for() -> None:
    picture = smooth_picture(64, 64)
    whole = streams(Augmentation(PLAIN, 64), picture, 40)
    config = AugmentConfig(flip=False, min_scale=1.0, blur=0.25)
    altered = (streams(Augmentation(config, 64), picture, 40) != whole).flatten(1).any(dim=1)
    assert 3 <= altered.sum() <= 18


def test_the_least_share_of_the_crop_is_kept() -> None:
    # White in the middle 40% of black: at a share of 0.9 all of it is in every crop.
    picture = Image.new("RGB", (100, 100))
    picture.paste((255, 255, 255), (30, 30, 70, 70))
    near = streams(Augmentation(AugmentConfig(min_scale=0.9), 20), picture, 20)
    far = streams(Augmentation(AugmentConfig(min_scale=0.05), 20), picture, 20)
    assert near.mean(dim=(1, 2, 3)).std() < far.mean(dim=(1, 2, 3)).std()
    assert near[:, :, 10, 10].min() == 255
    assert far[:, :, 10, 10].min() == 0


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_decoded_at_a_reduced_size_gives_the_same_crops(
    tmp_path: Path, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth_picture(1600, 1200).save(tmp_path / "a.jpg", quality=92, exif=exif)
    sides: list[int] = []
    rgb = hgld.pictures._rgb

    def watched(image: Image.Image) -> Image.Image:
        sides.append(min(image.size))
        return rgb(image)

    monkeypatch.setattr("hgld.pictures._rgb", watched)
    full = streams(Augmentation(AugmentConfig(), 64), tmp_path / "a.jpg", 12)
    assert set(sides) == {1200}
    sides.clear()
    reduced = streams(Augmentation(AugmentConfig(decode_spare=2.0), 64), tmp_path / "a.jpg", 12)
    # A crop has 415 pixels a side or more, and keeps 128 of them.
    assert set(sides) == {150, 300, 600}
    difference = (reduced - full).abs()
    assert 0 < difference.mean() < 1.5  # of 255; seen 0.4
    assert difference.amax(dim=(1, 2, 3)).max() < 40  # seen 15: another crop has 200


def test_where_nothing_is_to_spare_a_reduced_size_changes_nothing(photo: Path) -> None:
    # At 800 x 600 no crop has four times 256 pixels; a picture of Pillow's, or a PNG, has no other.
    full = streams(Augmentation(AugmentConfig(), 256), photo, 4)
    assert torch.equal(streams(Augmentation(AugmentConfig(decode_spare=2.0), 256), photo, 4), full)
    with Image.open(photo) as image:
        image.convert("RGB").save(photo.with_suffix(".png"))
        reduced = Augmentation(AugmentConfig(decode_spare=1.0), 32)
        plain = Augmentation(AugmentConfig(), 32)
        for source in (photo.with_suffix(".png"), image.convert("RGB")):
            assert torch.equal(streams(reduced, source, 4), streams(plain, source, 4))


def test_what_is_no_picture_is_named_when_it_would_be_reduced_too(tmp_path: Path) -> None:
    for content in (b"", b"<html>gone</html>", b"\xff\xd8\xff\xe0 and no more"):
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.jpg"):
            Augmentation(AugmentConfig(decode_spare=2.0), 32)(tmp_path / "x.jpg", "a")
