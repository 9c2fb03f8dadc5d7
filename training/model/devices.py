"""Where a model runs, how precisely, and in what memory."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

import torch
from torch import nn

from hgld.errors import InputError
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.training.model.config import Precision

_Model = TypeVar("_Model", bound=nn.Module)

# Of malloc.h, and what glibc begins with.
_M_TRIM_THRESHOLD, _TRIM_THRESHOLD = -1, 128 * 1024
_M_MMAP_MAX, _MMAP_MAX = -4, 65_536
_NEVER, _NONE = -1, 0

# Has an entry within a block of `kept_memory`: the setting is the process's own.
_keeping: list[bool] = []


def choose_device(device: str) -> torch.device:
    """Returns the device a setting names; `auto` is the first GPU where there is one.

    Raises:
        InputError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    # A build without CUDA answers with an AssertionError.
    except (TypeError, RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!r} is not there; use auto, cpu or, with a GPU, cuda"
        ) from error
    return place


def place_model(model: _Model, place: torch.device) -> _Model:
    """Moves a model to a device, its convolutions in the layout that is fastest there."""
    nn.utils.convert_conv2d_weight_memory_format(model.to(place), torch.channels_last)
    return model


def autocast(place: torch.device, precision: Precision) -> torch.autocast:
    """Returns a context in which matrix products run at the precision.

    float16 ends at 65,504, and gradients of less than 6e-8 vanish in it: training in it takes a
    scaler of the loss. bfloat16 has the range of float32.

    Raises:
        ValueError: no such precision.
    """
    if precision not in get_args(Precision):
        known = ", ".join(map(repr, get_args(Precision)))
        raise ValueError(f"precision must be one of {known}, got {precision!r}")
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(place.type, dtype, enabled=precision != "float32")


@contextlib.contextmanager
def enough_memory(place: torch.device, batch_size: int, image_size: int) -> Iterator[None]:
    """Turns a lack of memory within the block into an error that says what to lower.

    Args:
        place: where the model runs.
        batch_size: images at a time.
        image_size: their side, in pixels.

    Raises:
        InputError: a tensor found no room.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch's own is a RuntimeError
        is_lack = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not is_lack and "DefaultCPUAllocator" not in str(error):
            raise
        raise InputError(
            f"{place} has not enough memory for batch_size {batch_size} at image_size "
            f"{image_size}; lower one of them, then rerun"
        ) from error


@contextlib.contextmanager
def kept_memory(place: torch.device) -> Iterator[None]:
    """Keeps what tensors leave for those that come, within the block, where the model is on a CPU.

    By itself glibc gives the memory of a large tensor back to the system, which clears every page
    of the next one: of a step of training, a third of the time, and of embedding half of it. On
    other systems nothing is done. Of blocks within one another the outermost counts.

    Args:
        place: where the model runs.
    """
    libc = _glibc() if place.type == "cpu" else None
    if libc is None or _keeping:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, _NONE)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    _keeping.append(True)
    try:
        yield
    finally:
        _keeping.pop()
        libc.mallopt(_M_MMAP_MAX, _MMAP_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD)
        libc.malloc_trim(0)


def begin_peak_memory(place: torch.device) -> None:
    """Counts the peak of the memory from here on; see `peak_memory_of`."""
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    else:
        reset_peak_memory()


def peak_memory_of(place: torch.device) -> float | None:
    """Returns the most memory since then, in MB.

    Args:
        place: a GPU, of which it is what its tensors take, or the CPU, where it is all of this
            process, but not those that read pictures.

    Returns:
        None where the system does not tell.
    """
    if place.type == "cuda":
        return round(torch.cuda.max_memory_allocated(place) / 2**20, 1)
    return peak_memory_mb()


def _glibc() -> Any:  # noqa: ANN401 - functions of C, without types
    """Returns the C library where it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
