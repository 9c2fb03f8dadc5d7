"""The allocator of this system keeps memory that training frees and takes again."""

import multiprocessing
import resource
import sys
from collections.abc import Callable

import pytest
import torch

from hgld.training.model.devices import kept_memory

_PAGE = 4096
_SIZE = 64 * 1024 * 1024  # above the most from which glibc asks the system itself


def faults(count: int) -> int:
    """Returns how many pages the system gives for tensors that come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(_SIZE, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def check_memory() -> None:
    """Checks, in a process of its own, whose heap has no holes that tests before left.

    Where one is large enough, glibc takes it, and asks the system for nothing.
    """
    place, pages = torch.device("cpu"), _SIZE // _PAGE
    with kept_memory(torch.device("cuda")):  # not for a GPU
        faults(1)
        assert faults(4) > 2 * pages
    with kept_memory(place):
        with kept_memory(place):
            faults(1)
            assert faults(4) < pages / 4
        assert faults(4) < pages / 4  # after a block within, too
    assert faults(4) > 2 * pages


def _run_spawned(check: Callable[[], None]) -> None:
    process = multiprocessing.get_context("spawn").Process(target=check)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux and its glibc")
def test_memory_is_kept_within_the_block_and_not_for_a_gpu() -> None:
    _run_spawned(check_memory)
