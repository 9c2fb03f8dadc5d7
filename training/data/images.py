"""How pictures become batches: loaded, altered at random for training, or resized by a rule.

Random numbers are named by their place in a run (`random_numbers`), so that nothing depends on what
was drawn before.
"""

import contextlib
import hashlib
import math
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from hgld.errors import DamagedError, InputError, PictureError
from hgld.pictures import PictureFile, convert_picture, decode_picture
from hgld.training.data.labels import LabelledImages
from hgld.training.model.config import Interpolation, ModelConfig

if TYPE_CHECKING:
    from hgld.training.data.sampler import LandmarkSampler

_T = TypeVar("_T")
_LOADER_DIED = re.compile(r"DataLoader worker \(pid")
# A tenth of a core that others want too. At 19 a loop on two free cores gains some percent more;
# beside two other programs, which then leave it nothing, it took three times as long.
_NICENESS = 10
_HUE_SHARE = 0.25
"""Of the jitter of brightness, contrast and saturation: a hue that turns makes other things."""
AnyImage = str | Path | Image.Image | PictureFile
"""What is read as an image: a file, one of a build as it was recorded, or one of Pillow's."""


class RunPlace(NamedTuple):
    """Where an image comes in a run."""

    epoch: int
    position: int
    """In the epoch, of all ranks' images."""
    image: int
    """Its index."""


def load_batches(
    dataset: Dataset[Any], *, batch_size: int, workers: int = 0
) -> Iterator[tuple[list[int], Tensor, list[tuple[Any, ...]]]]:
    """Loads a data set in order; of several shapes each in a batch of its own.

    Args:
        dataset: with a length; its items are tensors, or tuples that begin with one.
        batch_size: items loaded at a time, of any shapes.
        workers: processes that load, at most one a core; 0: this process itself.

    Yields:
        The places of n items in the data set, ascending; their tensors, with a dimension of n in
        front; and the rest of each item.

    Raises:
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    count = len(cast("Sized", dataset))
    places = (
        list(range(first, min(first + batch_size, count))) for first in range(0, count, batch_size)
    )
    start = 0
    for shapes, values, rest in _loaded(dataset, places, workers, _packed):
        parts = torch.split(values, [math.prod(shape) for shape in shapes])
        for shape in dict.fromkeys(shapes):
            rows = [row for row, other in enumerate(shapes) if other == shape]
            is_all = len(rows) == len(shapes)
            batch = values if is_all else torch.cat([parts[row] for row in rows])
            yield [start + row for row in rows], batch.view(-1, *shape), [rest[row] for row in rows]
        start += len(shapes)


def run_batches(
    dataset: Dataset[_T], order: "LandmarkSampler", *, epochs: int, start: int = 0, workers: int = 0
) -> Iterator[_T]:
    """Loads the batches of all epochs, without those that are done.

    The processes that load stay for all epochs, and are ahead of an epoch's end: nothing waits
    there. They are started when the first batch is asked for.

    Args:
        dataset: its items are asked for by a `RunPlace`; they are tensors or tuples of them.
        order: which images come in which batch; of a rank, its share.
        epochs: of the whole run.
        start: batches of the whole run that are done, those of earlier epochs too.
        workers: processes that load, at most one a core; 0: this process itself.

    Yields:
        What an item is, with a batch dimension in front; pinned where there is a GPU.

    Raises:
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    yield from _loaded(dataset, _places(order, epochs, start), workers, default_collate)


def _places(order: "LandmarkSampler", epochs: int, start: int) -> Iterator[list[RunPlace]]:
    first, done = divmod(start, len(order))
    for epoch in range(first, epochs):
        for number, batch in enumerate(order.epoch(epoch)[done:].tolist(), start=done):
            positions = order.positions(number)
            yield [RunPlace(epoch, *place) for place in zip(positions, batch, strict=True)]
        done = 0


def _packed(items: Sequence[Any]) -> tuple[list[tuple[int, ...]], Tensor, list[tuple[Any, ...]]]:
    """Returns the shapes of items, their numbers one after the other, and the rest of each.

    One tensor a batch: from another process each takes a file handle for as long as it waits, and
    where there is none left, processes wait for one another for ever.
    """
    rows = [(item,) if isinstance(item, Tensor) else item for item in items]
    values = torch.cat([first.flatten() for first, *_ in rows])
    return [tuple(first.shape) for first, *_ in rows], values, [tuple(rest) for _, *rest in rows]


def _loaded(
    dataset: Dataset[Any],
    places: Iterator[list[Any]],
    workers: int,
    collate: Callable[[list[Any]], _T],
) -> Iterator[_T]:
    """Yields the items at places as batches, and tells in one line why there is none."""
    on_gpu = torch.cuda.is_available()
    loader = DataLoader(
        dataset,
        batch_sampler=places,
        collate_fn=collate,
        num_workers=min(workers, os.cpu_count() or 1),
        pin_memory=on_gpu,
        worker_init_fn=None if on_gpu else _give_way,
        # Of its own, so that a loader draws nothing from the global generator.
        generator=torch.Generator().manual_seed(0),
    )
    batches = None
    try:
        batches = iter(loader)
        if loader.num_workers and threading.current_thread() is threading.main_thread():
            # torch's own handler raises at whatever line the program is when a process that loads
            # dies. Without it the death is told where the next batch is waited for.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        yield from batches
    except (InputError, DamagedError) as error:
        # A worker's error arrives with the worker's traceback in its text; the last line counts.
        kind = type(error)
        raise kind(str(error).strip().rpartition(f"{kind.__name__}: ")[2]) from error
    # EOFError: it died while it handed over a batch.
    except (RuntimeError, MemoryError, ConnectionError, EOFError) as error:
        if isinstance(error, RuntimeError) and not _LOADER_DIED.match(str(error)):
            raise
        raise InputError(
            f"a process that reads images was killed, as the system does where memory runs out; "
            f"lower workers (now {loader.num_workers}), batch_size or image_size, then rerun"
        ) from error
    finally:
        # An error's traceback would put this off, to the collection of a cycle, in which the queues
        # of the processes go first: each then takes five seconds to see that it ends.
        if end := getattr(batches, "_shutdown_workers", None):
            end()


def _give_way(worker: int) -> None:  # noqa: ARG001 - torch passes the worker's number
    """Has a process that loads leave the cores to the model, which is computed on them as well.

    The threads of a model wait for one another many times a step: one that is put off puts off all.
    """
    os.nice(_NICENESS)


@contextlib.contextmanager
def random_numbers(stream: str) -> Iterator[None]:
    """Lets torch's CPU generator draw the numbers of a named stream, then go on as before."""
    with torch.random.fork_rng(devices=[]):
        # Not `torch.manual_seed`, which would reseed the GPUs as well.
        torch.default_generator.manual_seed(seed_of(stream))
        yield


def seed_of(stream: str) -> int:
    """Returns a seed of 63 bits for a named stream, the same on every machine."""
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big") >> 1


def read_image(source: AnyImage, *, name: str = "") -> Image.Image:
    """Reads an image as upright RGB (`hgld.pictures`), at its full size.

    Args:
        source: an image, which may not have been read to its end yet where it is one of Pillow's.
        name: how an error names an image that is of no file.

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
        return decode_picture(content)
    except PictureError as error:
        raise InputError(f"cannot read image {named}: it {error}; {advice}") from error
    # A path that cannot be is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read image {named}: {reason}; {advice}") from error


def resize_picture(image: Image.Image, config: ModelConfig) -> Tensor:
    """Applies the resize rule of a model to a picture (`ModelConfig.resize_words`).

    The pixels are those of torchvision's `Resize`, `CenterCrop` and `Pad` on a PIL image.

    Args:
        image: upright RGB.
        config: `resize`, `image_size`, `crop_pct` and `interpolation` count.

    Returns:
        (3, S, S) uint8, or with `longest` (3, H, W), of which the larger is S.

    Example:
        >>> image = Image.new("RGB", (60, 40))
        >>> resize_picture(image, ModelConfig(image_size=32)).shape
        torch.Size([3, 32, 32])
        >>> resize_picture(image, ModelConfig(image_size=32, resize="longest")).shape
        torch.Size([3, 21, 32])
    """
    from torchvision.transforms.v2 import functional

    size, sides = config.image_size, image.size
    match config.resize:
        case "squash":
            width = height = size
        case "crop":
            side = round(size / config.crop_pct)
            width, height = (int(side * one / min(sides)) for one in sides)
        case "longest" | "pad":
            width, height = (max(1, int(size * one / max(sides))) for one in sides)
    image = image.resize((width, height), Image.Resampling[config.interpolation.upper()])
    if config.resize in ("crop", "pad"):
        image = functional.center_crop(image, [size, size])  # it pads with black
    pixels: Tensor = functional.pil_to_tensor(image)
    return pixels


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
        interpolation: Interpolation = "bilinear",
        seed: int = 0,
    ) -> None:
        """Takes the images, and what happens to them.

        Args:
            images: N images.
            image_size: side S of the square, in pixels.
            min_crop: least share of the area that a crop has, above 0 and up to 1.
            colour_jitter: how far brightness, contrast and saturation change, as a share of 1
                (0.4: from 60% to 140%), and hue by a quarter of that.
            interpolation: filter of the resize.
            seed: of the random numbers.
        """
        # Five seconds of the processor, which no run that is done should take.
        from torchvision.transforms import v2

        self._images, self._seed = images, seed
        filter_ = v2.InterpolationMode(interpolation)
        steps = [
            v2.RandomResizedCrop(image_size, scale=(min_crop, 1.0), interpolation=filter_),
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
    """Images as they are measured: by the resize rule of a model."""

    def __init__(self, images: Sequence[AnyImage], config: ModelConfig) -> None:
        """Takes the images, which are read when they are asked for.

        Args:
            images: N paths of image files, files of a build or PIL images.
            config: see `resize_picture`.

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
        self._config = config

    def __len__(self) -> int:
        """Returns N."""
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        """Returns an image, (3, S, S) uint8; with `longest` (3, H, W).

        Raises:
            InputError: it cannot be read.
            DamagedError: it is of a build, and not what was recorded.
        """
        image = read_image(self._images[index], name=f"images[{index}]")
        return resize_picture(image, self._config)
