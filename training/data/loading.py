"""How data are loaded, batch by batch, and how random numbers are named."""

import contextlib
import ctypes
import hashlib
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sized
from typing import Any, TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from hgld.errors import DamagedError, InputError
from hgld.training.model.devices import release_memory

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
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=range(start, len(cast("Sized", dataset))),
        **loader_settings(workers),
    )
    yield from loaded(loader, batch_size)


def loader_settings(workers: int) -> dict[str, Any]:
    """Returns what every loader is made with.

    Args:
        workers: processes that load, at most one a core; 0: this process itself.
    """
    on_gpu = torch.cuda.is_available()
    return {
        "num_workers": min(workers, os.cpu_count() or 1),
        "pin_memory": on_gpu,
        "worker_init_fn": live_with_parent if on_gpu else _live_behind_parent,
        # Of its own, so that a loader draws nothing from the global generator.
        "generator": torch.Generator().manual_seed(0),
    }


def loaded(loader: DataLoader[_T], batch_size: int) -> Iterator[_T]:
    """Yields the batches of a loader, and tells in one line why there is none.

    Args:
        loader: made with `loader_settings`.
        batch_size: items of a batch, for an error's text.

    Raises:
        InputError: an item cannot be read, or a process that loads was killed.
        DamagedError: an item is not what was recorded.
    """
    batches: Iterator[_T] = iter(())
    try:
        batches = _without_alarm(loader)
        while (batch := next(batches, None)) is not None:
            yield batch
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
            f"lower workers (now {loader.num_workers}), batch_size (now {batch_size}) or "
            f"image_size, then rerun"
        ) from error
    finally:
        _end_loading(batches)


def _end_loading(batches: Iterator[object]) -> None:
    """Ends the processes that load.

    torch does so when the iterator goes. An error's traceback puts that off, to the collection of a
    cycle, in which their queues go first: each process then takes five seconds to see that it ends.
    """
    end = getattr(batches, "_shutdown_workers", None)
    if end is not None:
        end()


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


def _without_alarm(loader: DataLoader[_T]) -> Iterator[_T]:
    """Starts to load, and has the death of a process told where the next batch is waited for.

    torch's own handler of SIGCHLD raises at whatever line the program is, in the middle of a step
    too, whose weights are then of no step; without it a death is noticed within five seconds. torch
    sets it once a program, so that a loader of somebody else's may have left it before.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if is_main and loader.num_workers else None
    if loader.num_workers:
        release_memory()
    try:
        return iter(loader)
    finally:
        if before is not None:
            raises = getattr(before, "__module__", None) == signal_handling.__name__
            signal.signal(signal.SIGCHLD, signal.SIG_DFL if raises else before)


_LOADER_DIED = re.compile(r"DataLoader worker \(pid")
# A tenth of a core that others want too. At 19 a loop on two free cores gains some percent more;
# beside two other programs, which then leave it nothing, it took three times as long.
_NICENESS = 10
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def live_with_parent(worker: int) -> None:  # noqa: ARG001 - torch passes the worker's number
    """Has a process that loads end with the one it loads for, and not before."""
    # What stops a terminal reaches each of its processes; the one that trains alone answers it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Elsewhere torch looks for the parent every five seconds, but for a worker that is writing.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before that
        os._exit(1)


def _live_behind_parent(worker: int) -> None:
    """Has a process that loads leave the cores to the model, which is computed on them as well.

    The threads of a model wait for one another many times a step: one that is put off puts off all.
    """
    live_with_parent(worker)
    os.nice(_NICENESS)
