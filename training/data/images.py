"""Pictures as tensors: augmented for training, centred for measuring."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import random_numbers, read_image

# Sides of a crop of 16% to 100% of the image, as published for HAPPIER.
_CROP_SCALE = (0.16, 1.0)
# The usual 256 : 224 of shorter side to centre crop.
_RESIZE_RATIO = 8 / 7


class TrainImages(Dataset[tuple[Tensor, Tensor]]):
    """Augmented images and labels of one epoch, in the epoch's order.

    Augmentation: a random crop of 16% to 100% of the area, resized to a square, and a flip with
    probability 1/2. The random numbers of the item at a position depend on the seed, the epoch
    and the position alone, so that a resumed epoch sees what an undisturbed one would have.
    """

    def __init__(self, images: LabelledImages, order: Tensor, image_size: int, stream: str) -> None:
        """Takes the images, and which of them comes at which position.

        Args:
            images: N images.
            order: (P,) int64, indices into the images; one may come several times.
            image_size: side of the square, in pixels.
            stream: names the random numbers, such as `seed 0, epoch 3`.
        """
        self._images = images
        self._order = order
        self._stream = stream
        self._augment = v2.Compose(
            [
                v2.RandomResizedCrop(image_size, scale=_CROP_SCALE, antialias=True),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        """Returns P."""
        return len(self._order)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        """Returns the image (3, S, S) uint8 and the labels (L,) int64 at a position.

        Raises:
            InputError: the file cannot be read.
        """
        index = int(self._order[position])
        image = read_image(self._images.path(index))
        with random_numbers(f"augmentation, {self._stream}, position {position}"):
            pixels: Tensor = self._augment(image)
        return pixels, self._images.labels[index]


class EvalImages(Dataset[Tensor]):
    """Images as they are measured: shorter side resized to 8/7 of the size, centre cropped."""

    def __init__(self, images: Sequence[str | Path | Image.Image], image_size: int) -> None:
        """Takes the images, which are read when they are asked for.

        Args:
            images: N paths of image files or PIL images.
            image_size: side of the square, in pixels.

        Raises:
            TypeError: something else.
        """
        if isinstance(images, str | Path | Image.Image):
            raise TypeError(
                f"images must be a sequence of paths or PIL images, got {images!r} alone; "
                f"put it in a list"
            )
        if not isinstance(images, Iterable):
            raise TypeError(
                f"images must be a sequence of paths or PIL images, got {images!r}; "
                f"of no images it is an empty list"
            )
        self._images = list(images)
        for image in self._images:
            if not isinstance(image, str | Path | Image.Image):
                raise TypeError(
                    f"images must be paths or PIL images, got {type(image).__name__}; "
                    f"Image.fromarray of PIL makes one of an array (H, W, 3)"
                )
        self._resize = v2.Compose(
            [
                v2.Resize(round(image_size * _RESIZE_RATIO), antialias=True),
                v2.CenterCrop(image_size),
                v2.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        """Returns N."""
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        """Returns an image, (3, S, S) uint8.

        Raises:
            InputError: it cannot be read.
        """
        image = read_image(self._images[index], name=f"images[{index}]")
        pixels: Tensor = self._resize(image)
        return pixels
