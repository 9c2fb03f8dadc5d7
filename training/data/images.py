"""Pictures as tensors: augmented for training, centred for measuring."""

import io
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from hgld.errors import InputError, PictureError
from hgld.pictures import PictureFile, convert_picture, decode_picture
from hgld.training.model.config import CROP_PCT

# A JPEG is decoded at a reduced size where its shorter side stays twice what it is resized to: what
# 1600 x 1200 pixels become at 224 px then differs by 0.3 of 255 in the mean and 3 at most, in two
# thirds of the time. Without the factor it is 0.7 and 10, in half of the time.
_SPARE = 2

AnyImage = str | Path | Image.Image | PictureFile
"""What is read as an image: a file, one of a build as it was recorded, or one of Pillow's."""


SideOf = Callable[[int, int], int]
"""Width and height in a JPEG's header to the least shorter side that it is decoded at."""

# What Pillow has been seen to raise at a header; decoding says then what is wrong.
_NO_HEADER = (OSError, SyntaxError, ValueError, LookupError, struct.error)


def read_image(source: AnyImage, *, name: str = "", min_side: int | SideOf = 0) -> Image.Image:
    """Reads an image as upright RGB (`hgld.pictures`).

    Args:
        source: an image, which may not have been read to its end yet where it is one of Pillow's.
        name: how an error names an image that is of no file.
        min_side: see `decode_picture`, or what tells it by the size of a JPEG; an image of
            Pillow's keeps its size.

    Raises:
        InputError: no such file, none that can be decoded to its end, an image that is closed or
            has no pixels.
        DamagedError: a file of a build is gone, or is not what was recorded.
    """
    is_open = isinstance(source, Image.Image)
    advice = (
        "pass one that is open and has pixels, or leave it out"
        if is_open
        else "put the right file there or leave it out"
    )
    named = getattr(source, "filename", "") or name if is_open else ""
    try:
        return _decoded(source, min_side)
    except PictureError as error:
        raise InputError(f"cannot read image {named or source}: it {error}; {advice}") from error
    # A path that cannot be is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read image {named or source}: {reason}; {advice}") from error


def _decoded(source: AnyImage, min_side: int | SideOf) -> Image.Image:
    if isinstance(source, Image.Image):
        return convert_picture(source)
    content = source.read() if isinstance(source, PictureFile) else Path(source).read_bytes()
    side = min_side if isinstance(min_side, int) else _side_of(content, min_side)
    return decode_picture(content, min_side=side)


def _side_of(content: bytes, side_of: SideOf) -> int:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            size = image.size
    except _NO_HEADER:
        return 0
    return side_of(*size)


class EvalImages(Dataset[Tensor]):
    """Images as they are measured: resized, and of that the middle square."""

    def __init__(
        self, images: Sequence[AnyImage], image_size: int, crop_pct: float = CROP_PCT
    ) -> None:
        """Takes the images, which are read when they are asked for.

        Args:
            images: N paths of image files, files of a build or PIL images.
            image_size: side of the square, in pixels.
            crop_pct: what share of the shorter side it is.

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
            if not isinstance(image, AnyImage):
                raise TypeError(
                    f"images must be paths or PIL images, got {type(image).__name__}; "
                    f"Image.fromarray of PIL makes one of an array (H, W, 3)"
                )
        side = round(image_size / crop_pct)
        self._min_side = _SPARE * side
        self._resize = v2.Compose(
            [
                v2.Resize(side, antialias=True),
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
            DamagedError: it is of a build, and not what was recorded.
        """
        name = f"images[{index}]"
        image = read_image(self._images[index], name=name, min_side=self._min_side)
        pixels: Tensor = self._resize(image)
        return pixels
