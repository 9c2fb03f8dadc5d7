"""Pictures that are of no landmark: crops of a flower, and digits; both come with scikit-learn."""

import numpy as np
from PIL import Image

_SIDE_PX = 224
_CROP_SIDES_PX = (96, 256)


def flower_crops(count: int, seed: int = 0) -> list[Image.Image]:
    """Cuts squares from scikit-learn's photo of a dahlia, anywhere, of 96 to 256 px, made 224.

    They overlap: a hundred of them are far from a hundred independent pictures. The other photo
    that it brings, of a Chinese temple, is of a landmark.

    Args:
        count: how many.
        seed: of sizes and places.

    Returns:
        RGB, 224 x 224.
    """
    from sklearn.datasets import load_sample_image

    photo = Image.fromarray(load_sample_image("flower.jpg"))
    random = np.random.default_rng(seed)
    crops = []
    for side in random.integers(*_CROP_SIDES_PX, size=count, endpoint=True).tolist():
        left = int(random.integers(photo.width - side + 1))
        top = int(random.integers(photo.height - side + 1))
        box = (left, top, left + side, top + side)
        crops.append(photo.crop(box).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC))
    return crops


def digit_pictures(count: int, seed: int = 0) -> list[Image.Image]:
    """Draws written digits of 8 x 8 grey values as pictures, chosen at random.

    Args:
        count: how many, at most 1,797.
        seed: of the choice.

    Returns:
        RGB, 224 x 224, white on black.
    """
    from sklearn.datasets import load_digits

    digits = load_digits().images
    chosen = np.random.default_rng(seed).choice(len(digits), count, replace=False)
    # Grey values from 0 to 16.
    grey = (digits[np.sort(chosen)] * (255 / 16)).round().astype(np.uint8)
    size = (_SIDE_PX, _SIDE_PX)
    return [
        Image.fromarray(one).resize(size, Image.Resampling.BICUBIC).convert("RGB") for one in grey
    ]
