"""How images are loaded, batch by batch, and how random numbers are named."""

import contextlib
import hashlib
import os
import re
import signal
import threading
from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset

from hgld.errors import DamagedError, InputError

if TYPE_CHECKING:
    from hgld.training.data.sampler import LandmarkSampler

_T = TypeVar("_T")
_LOADER_DIED = re.compile(r"DataLoader worker \(pid")
# A tenth of a core that others want too. At 19 a loop on two free cores gains some percent more;
# beside two other programs, which then leave it nothing, it took three times as long.
_NICENESS = 10


class RunPlace(NamedTuple):
    """Where an image comes in a run."""

    epoch: int
    position: int
    """In the epoch, of all ranks' images."""
    image: int
    """Its index."""


def load_batches(dataset: Dataset[_T], *, batch_size: int, workers: int = 0) -> Iterator[_T]:
    """Loads a data set in order, batch by batch.

    Args:
        dataset: with a length; its items are tensors or tuples of them.
        batch_size: items of a batch; the last may have fewer.
        workers: processes that load, at most one a core; 0: this process itself.

    Yields:
        What an item is, with a batch dimension in front.

    Raises:
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    count = len(cast("Sized", dataset))
    places = (
        list(range(first, min(first + batch_size, count))) for first in range(0, count, batch_size)
    )
    yield from _loaded(dataset, places, workers)


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
    yield from _loaded(dataset, _places(order, epochs, start), workers)


def _places(order: "LandmarkSampler", epochs: int, start: int) -> Iterator[list[RunPlace]]:
    first, done = divmod(start, len(order))
    for epoch in range(first, epochs):
        for number, batch in enumerate(order.epoch(epoch)[done:].tolist(), start=done):
            positions = order.positions(number)
            yield [RunPlace(epoch, *place) for place in zip(positions, batch, strict=True)]
        done = 0


def _loaded(dataset: Dataset[_T], places: Iterator[list[Any]], workers: int) -> Iterator[_T]:
    """Yields the items at places as batches, and tells in one line why there is none."""
    on_gpu = torch.cuda.is_available()
    loader = DataLoader(
        dataset,
        batch_sampler=places,
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
