"""How data are loaded, batch by batch, and how random numbers are named."""

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator, Sized
from typing import TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset

from hgld.errors import DamagedError, InputError

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
        DamagedError: an item is not what was recorded.
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
    except (InputError, DamagedError) as error:
        # A worker's error arrives with the worker's traceback in its text; the last line counts.
        kind = type(error)
        raise kind(str(error).strip().rpartition(f"{kind.__name__}: ")[2]) from error


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
