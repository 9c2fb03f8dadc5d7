from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.images import EvalImages, TrainImages
from hgld.training.data.labels import training_images


def test_an_augmented_item_depends_on_stream_and_position_alone(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    order = torch.tensor([5, 5, 2])
    first = TrainImages(images, order, 32, "seed 0, epoch 0")
    pixels = [first[position][0] for position in range(3)]

    assert pixels[0].shape == (3, 32, 32)
    assert pixels[0].dtype == torch.uint8
    assert torch.equal(first[2][1], images.labels[2])
    # The same image at two positions is cropped in two ways.
    assert not torch.equal(pixels[0], pixels[1])
    # Backwards, after other draws: the same.
    again = TrainImages(images, order, 32, "seed 0, epoch 0")
    torch.rand(7)
    for position in (2, 1, 0):
        assert torch.equal(again[position][0], pixels[position])
    other = TrainImages(images, order, 32, "seed 0, epoch 1")
    assert not torch.equal(other[0][0], pixels[0])


def test_augmentation_leaves_the_global_generator_alone(tiny_build: Workspace) -> None:
    dataset = TrainImages(training_images(tiny_build), torch.tensor([0]), 32, "seed 0, epoch 0")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    dataset[0]
    assert torch.equal(torch.rand(4), expected)


def test_evaluation_takes_the_centre_of_the_image(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    # 64 x 56: the shorter side becomes 32, the crop is the middle 28 columns of 37.
    picture = Image.new("RGB", (64, 56), (255, 0, 0))
    picture.paste((0, 0, 255), (10, 8, 54, 48))
    picture.save(images.path(0))

    pixels = EvalImages(images.files(), 28)[0]

    assert pixels.shape == (3, 28, 28)
    assert pixels[:, 14, 14].tolist() == [0, 0, 255]
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]


def test_grey_and_transparent_images_become_rgb(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    for index, mode in enumerate(("L", "RGBA", "CMYK", "1")):
        # Pillow reads by content, whatever the name says.
        kind = "JPEG" if mode == "CMYK" else "PNG"
        Image.new(mode, (40, 40)).save(images.path(index), kind)
        assert EvalImages(images.files(), 32)[index].shape == (3, 32, 32)


@pytest.mark.parametrize("content", [b"", b"<html>gone</html>", None])
def test_an_unreadable_image_is_named_with_what_to_do(
    tiny_build: Workspace, content: bytes | None
) -> None:
    images = training_images(tiny_build)
    path: Path = images.path(3)
    path.write_bytes(path.read_bytes()[:600] if content is None else content)

    with pytest.raises(InputError, match=r"put the right file there") as caught:
        EvalImages(images.files(), 32)[3]
    assert str(path) in str(caught.value)


def test_paths_texts_and_open_pictures_are_the_same_image(tiny_build: Workspace) -> None:
    path = training_images(tiny_build).path(0)
    with Image.open(path) as lazy:
        made = EvalImages([path, str(path), lazy, Image.open(path).convert("RGB")], 32)
        first, *others = (made[index] for index in range(len(made)))
    assert len(others) == 3
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ("a.jpg", r"must be a sequence of paths or PIL images, got 'a.jpg' alone; put it in a li"),
        ([torch.zeros(3, 32, 32)], "must be paths or PIL images, got Tensor"),
        ([None], "must be paths or PIL images, got NoneType"),
    ],
)
def test_what_is_neither_a_path_nor_a_picture_is_refused(images: Any, text: str) -> None:  # noqa: ANN401 - wrong on purpose
    with pytest.raises(TypeError, match=text):
        EvalImages(images, 32)


def test_an_open_picture_that_is_cut_short_is_named(tmp_path: Path, tiny_build: Workspace) -> None:
    whole = training_images(tiny_build).path(0).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[:600])
    with (
        Image.open(tmp_path / "half.png") as picture,
        pytest.raises(InputError, match=r"cannot read image .*half\.png: .* leave it out"),
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
    ("image", "text"),
    [
        (closed_image(), r"^cannot read image images\[1\]: Operation on closed image; pass one"),
        (Image.new("RGB", (0, 0)), r"image images\[1\]: it has no pixels, 0 x 0; pass one"),
        (Image.new("RGB", (0, 3)), r"image images\[1\]: it has no pixels, 0 x 3; pass one"),
        (Image.new("La", (4, 4)), r"image images\[1\]: conversion from La to L not supported; "),
        ("a\0b.jpg", "^cannot read image a\0b.jpg: embedded null byte; put the right file there"),
    ],
)
def test_an_image_without_pixels_to_read_is_named_by_its_place(
    image: str | Image.Image, text: str
) -> None:
    images = EvalImages([Image.new("RGB", (40, 40)), image], 32)
    assert images[0].shape == (3, 32, 32)
    with pytest.raises(InputError, match=text):
        images[1]


def test_an_image_that_was_closed_unread_is_named_by_its_file(tmp_path: Path) -> None:
    images = EvalImages([closed_image(tmp_path / "a.png")], 32)
    with pytest.raises(InputError, match=r"a\.png: (it is closed|Operation on closed image); pass"):
        images[0]
