"""Pictures as tensors: altered at random for training, centred for measuring."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from hgld.errors import InputError, PictureError
from hgld.pictures import PictureFile, convert_picture, decode_picture
from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import RunPlace, random_numbers
from hgld.training.model.config import CROP_PCT

# A JPEG is decoded at a reduced size where its shorter side stays twice what it is resized to: what
# 1600 x 1200 pixels become at 224 px then differs by 0.3 of 255 in the mean and 3 at most, in two
# thirds of the time. Without the factor it is 0.7 and 10, in half of the time.
_SPARE = 2
_HUE_SHARE = 0.25
"""Of the jitter of brightness, contrast and saturation: a hue that turns makes other things."""

AnyImage = str | Path | Image.Image | PictureFile
"""What is read as an image: a file, one of a build as it was recorded, or one of Pillow's."""


def read_image(source: AnyImage, *, name: str = "", min_side: int = 0) -> Image.Image:
    """Reads an image as upright RGB (`hgld.pictures`).

    Args:
        source: an image, which may not have been read to its end yet where it is one of Pillow's.
        name: how an error names an image that is of no file.
        min_side: see `decode_picture`; an image of Pillow's keeps its size.

    Raises:
        InputError: no such file, none that can be decoded to its end, an image that is closed or
            has no pixels.
        DamagedError: a file of a build is gone, or is not what was recorded.
    """
    if isinstance(source, Image.Image):
        named = getattr(source, "filename", "") or name or source
        advice = "pass one that is open and has pixels, or leave it out"
    else:
        named, advice = source, "put the right file there or leave it out"
    try:
        if isinstance(source, Image.Image):
            return convert_picture(source)
        content = source.read() if isinstance(source, PictureFile) else Path(source).read_bytes()
        return decode_picture(content, min_side=min_side)
    except PictureError as error:
        raise InputError(f"cannot read image {named}: it {error}; {advice}") from error
    # A path that cannot be is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read image {named}: {reason}; {advice}") from error


class AugmentedImages(Dataset[tuple[Tensor, Tensor]]):
    """Images altered at random, and their labels, asked for by their place in a run.

    An image becomes a crop of `min_crop` to all of its area, its sides 3 : 4 to 4 : 3, resized to a
    square; every second one is mirrored; colours change, if they are to. The random numbers of an
    item depend on the seed, the epoch and the position only, so that a run that goes on, or has
    another number of processes, sees what an undisturbed one would have.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015 (crop).
    """

    def __init__(
        self,
        images: LabelledImages,
        image_size: int,
        *,
        min_crop: float = 0.16,
        colour_jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Takes the images, and what happens to them.

        Args:
            images: N images.
            image_size: side S of the square, in pixels.
            min_crop: least share of the area that a crop has, above 0 and up to 1.
            colour_jitter: how far brightness, contrast and saturation change, as a share of 1
                (0.4: from 60% to 140%), and hue by a quarter of that.
            seed: of the random numbers.
        """
        self._images, self._seed = images, seed
        steps = [
            v2.RandomResizedCrop(image_size, scale=(min_crop, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
        ]
        if colour_jitter:
            hue = _HUE_SHARE * colour_jitter
            steps.append(v2.ColorJitter(colour_jitter, colour_jitter, colour_jitter, hue))
        self._alter = v2.Compose(steps)

    def __getitem__(self, place: RunPlace) -> tuple[Tensor, Tensor]:
        """Returns the image (3, S, S) uint8 and the labels (L,) int64 at a place.

        Raises:
            InputError: the file cannot be read.
            DamagedError: it is not what was recorded.
        """
        image = read_image(self._images.picture(place.image))
        stream = f"augmentation, seed {self._seed}, epoch {place.epoch}, position {place.position}"
        with random_numbers(stream):
            pixels: Tensor = self._alter(image)
        return pixels, self._images.labels[place.image]


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
        is_one = isinstance(images, str | Path | Image.Image) or not isinstance(images, Iterable)
        self._images = [] if is_one else list(images)
        wrong: list[object] = [one for one in self._images if not isinstance(one, AnyImage)]
        if is_one or wrong:
            raise TypeError(
                f"images must be a sequence of paths or PIL images, got "
                f"{type((wrong or [images])[0]).__name__}; put a single one in a list, and make "
                f"one of an array (H, W, 3) with Image.fromarray of PIL"
            )
        side = round(image_size / crop_pct)
        self._min_side = _SPARE * side
        self._resize = v2.Compose(
            [v2.Resize(side, antialias=True), v2.CenterCrop(image_size), v2.PILToTensor()]
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
