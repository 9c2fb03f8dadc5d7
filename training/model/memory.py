"""What becomes of memory that tensors on a CPU leave."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import torch

# Of malloc.h, and what glibc begins with.
_M_TRIM_THRESHOLD, _TRIM_THRESHOLD = -1, 128 * 1024
_M_MMAP_MAX, _MMAP_MAX = -4, 65_536
_NEVER, _NONE = -1, 0


@contextlib.contextmanager
def kept_memory(place: torch.device) -> Iterator[None]:
    """Keeps what tensors leave for those that come, within the block, where the model is on a CPU.

    By itself glibc gives the memory of a large tensor back to the system, which clears every page
    of the next one: of a step of training, a third of the time. On other systems nothing is done.

    Args:
        place: where the model runs.
    """
    libc = _glibc() if place.type == "cpu" else None
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, _NONE)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_MAX, _MMAP_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD)
        libc.malloc_trim(0)


def release_memory() -> None:
    """Gives the system back what was kept and is not in use.

    Before a process is forked: else it would hold on to all that this one writes over.
    """
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> Any:  # noqa: ANN401 - functions of C, without types
    """Returns the C library where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
