"""What happens to a training image on its way to pixels, by a recipe's settings."""

import math
from collections.abc import Iterator

from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from hgld.training.data.config import AugmentConfig
from hgld.training.data.images import AnyImage, read_image
from hgld.training.data.loading import random_numbers

# The widest Gaussian is cut off at twice its sigma.
_BLUR_KERNEL, _BLUR_SIGMA = 9, (0.1, 2.0)
_HUE_SHARE = 0.25
# ImageNet's, which models subtract: what is erased is zero to them.
_MEAN_COLOUR = [124.0, 116.0, 104.0]


class Augmentation:
    """Random crop, flip and what else settings ask for; uint8 pixels.

    In this order: a crop of `min_scale` to all of the area, its sides 3 : 4 to 4 : 3, resized to a
    square; flip; RandAugment; colour jitter; blur; erasing. All random numbers are torch's, of the
    named stream that is asked for: the same stream gives the same pixels, in any process. Under the
    default settings they are those of torchvision's `RandomResizedCrop` and `RandomHorizontalFlip`.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015 (crop); Cubuk et al.,
        RandAugment, NeurIPS 2020; Zhong et al., Random erasing data augmentation, AAAI 2020.
    """

    def __init__(self, config: AugmentConfig, image_size: int) -> None:
        """Prepares the alterations.

        Args:
            config: which ones.
            image_size: side of the square, in pixels.
        """
        self._spare, self._size = config.decode_spare, image_size
        self._crop = v2.RandomResizedCrop(image_size, scale=(config.min_scale, 1.0), antialias=True)
        self._others = v2.Compose(list(_others(config)))

    def __call__(self, source: AnyImage, stream: str) -> Tensor:
        """Returns the pixels of an image, (3, S, S) uint8.

        Args:
            source: see `read_image`.
            stream: names the random numbers.

        Raises:
            InputError: the image cannot be read.
            DamagedError: it is not what was recorded.
        """
        if self._spare:
            return self._of_reduced(source, stream)
        image = read_image(source)
        with random_numbers(stream):
            pixels: Tensor = self._others(self._crop(image))
        return pixels

    def _of_reduced(self, source: AnyImage, stream: str) -> Tensor:
        """Draws the crop by the header's size, and decodes no more pixels than it needs."""
        whole: list[tuple[int, int]] = []

        def least_side(width: int, height: int) -> int:
            whole.append((width, height))
            with random_numbers(stream):
                crop = self._crop.make_params([Image.new("1", (width, height))])
            needed: float = self._spare * self._size / min(crop["width"], crop["height"])
            return math.ceil(needed * min(width, height))

        image = read_image(source, min_side=least_side)
        width, height = whole[0] if whole else image.size
        if (width > height) != (image.width > image.height):
            width, height = height, width  # it was turned, which may be said after its pixels
        with random_numbers(stream):
            if image.size == (width, height):
                image = self._crop(image)
            else:
                crop = self._crop.make_params([Image.new("1", (width, height))])
                box = _scaled(crop, image.width / width, image.height / height)
                square = (self._size, self._size)
                # As the crop does on a picture of Pillow's, between pixels.
                image = image.resize(square, Image.Resampling.BILINEAR, box=box)
            pixels: Tensor = self._others(image)
        return pixels


def _scaled(crop: dict[str, int], across: float, down: float) -> tuple[float, float, float, float]:
    """Returns the box of a crop in an image that is `across` times as wide, `down` as high."""
    left, top = crop["left"] * across, crop["top"] * down
    return left, top, left + crop["width"] * across, top + crop["height"] * down


def _others(config: AugmentConfig) -> Iterator[nn.Module]:
    """Yields what comes after the crop."""
    if config.flip:
        yield v2.RandomHorizontalFlip()
    yield v2.PILToTensor()
    if config.rand_augment_ops:
        yield v2.RandAugment(config.rand_augment_ops, config.rand_augment_magnitude)
    if config.colour_jitter:
        strength = config.colour_jitter
        yield v2.ColorJitter(strength, strength, strength, _HUE_SHARE * strength)
    if config.blur:
        yield v2.RandomApply([v2.GaussianBlur(_BLUR_KERNEL, _BLUR_SIGMA)], p=config.blur)
    if config.erasing:
        yield v2.RandomErasing(config.erasing, value=_MEAN_COLOUR)
