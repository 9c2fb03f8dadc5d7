"""How images are read, batch by batch, and how random numbers are named."""

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import TypeVar, cast

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from hgld.errors import InputError

_T = TypeVar("_T")


def load_batches(
    dataset: Dataset[_T],
    *,
    batch_size: int,
    start: int = 0,
    workers: int = 0,
) -> Iterator[_T]:
    """Loads a data set in order, batch by batch.

    Args:
        dataset: with a length; its items are tensors or tuples of them.
        batch_size: items of a batch; the last may have fewer.
        start: first position to load.
        workers: processes that load, at most one a core; 0: this process itself.

    Yields:
        What an item is, with a batch dimension in front.

    Raises:
        InputError: an item cannot be read.
    """
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=range(start, len(cast("Sized", dataset))),
        num_workers=min(workers, os.cpu_count() or 1),
        pin_memory=torch.cuda.is_available(),
        # Ctrl-C reaches every process of a terminal; the training process alone answers it.
        worker_init_fn=_ignore_interrupts,
        # Of its own, so that a loader draws nothing from the global generator.
        generator=torch.Generator().manual_seed(0),
    )
    try:
        yield from loader
    except InputError as error:
        # A worker's error arrives with the worker's traceback in its text; the last line counts.
        raise InputError(str(error).strip().rpartition("InputError: ")[2]) from error


def read_image(source: str | Path | Image.Image, *, name: str = "") -> Image.Image:
    """Reads an image as RGB.

    Args:
        source: the path of an image file, or an image that may not have been read to its end yet.
        name: how an error names an image that is of no file.

    Raises:
        InputError: no such file, none that can be decoded to its end, an image that is closed or
            has no pixels.
    """
    try:
        return _decode(source)
    # A broken PNG is a SyntaxError to Pillow; an odd mode and a path that cannot be, a ValueError;
    # a closed image is one too, or an AssertionError of no text.
    except (
        OSError,
        SyntaxError,
        ValueError,
        AssertionError,
        Image.DecompressionBombError,
    ) as error:
        if isinstance(source, Image.Image):
            raise InputError(
                f"cannot read image {getattr(source, 'filename', '') or name or source}: "
                f"{str(error) or 'it is closed'}; pass one that is open and has pixels, or leave "
                f"it out"
            ) from error
        raise InputError(
            f"cannot read image {source}: {error}; put the right file there or leave it out (of a "
            f"build: remove its tar's shard in images/records/ and run `hgld images` to have the "
            f"tar extracted again)"
        ) from error


def _decode(source: str | Path | Image.Image) -> Image.Image:
    if not isinstance(source, Image.Image):
        with Image.open(source) as image:
            return image.convert("RGB")
    if 0 in source.size:
        raise ValueError(f"it has no pixels, {source.width} x {source.height}")
    return source.convert("RGB")


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


def _ignore_interrupts(worker: int) -> None:  # noqa: ARG001 - torch passes the worker's number
    signal.signal(signal.SIGINT, signal.SIG_IGN)
