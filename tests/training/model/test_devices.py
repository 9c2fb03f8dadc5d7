import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch

from hgld.errors import InputError
from hgld.training.model.devices import (
    _glibc,
    begin_peak_memory,
    choose_device,
    kept_memory,
    peak_memory_of,
    release_memory,
)

HAS_GLIBC = sys.platform == "linux" and _glibc() is not None
_PAGE = 4096


def run_alone(check: Callable[[], None]) -> None:
    """Calls a function in a process of its own, whose heap has no holes that tests before left.

    Where one is large enough, glibc takes it, and asks the system for nothing.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(check).result()


def faults(count: int, size: int) -> int:
    """Returns how many pages the system gives for tensors that come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(size, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="device 'warp' is not there"):
        choose_device("warp")


def is_kept_within_the_block_alone() -> None:
    size = 64 * 1024 * 1024  # above the most from which glibc asks the system itself
    pages = size // _PAGE
    with kept_memory(torch.device("cpu")):
        faults(1, size)
        assert faults(4, size) < pages / 4
        release_memory()
        assert faults(1, size) > pages / 2
    assert faults(4, size) > 2 * pages


def is_kept_after_a_block_within() -> None:
    size = 64 * 1024 * 1024
    with kept_memory(torch.device("cpu")):
        with kept_memory(torch.device("cpu")):
            faults(1, size)
        assert faults(4, size) < size // _PAGE / 4
    assert faults(4, size) > 2 * size // _PAGE


def is_not_kept_for_a_gpu() -> None:
    size = 64 * 1024 * 1024
    with kept_memory(torch.device("cuda")):
        faults(1, size)
        assert faults(4, size) > 2 * size // _PAGE


@pytest.mark.skipif(not HAS_GLIBC, reason="there is no glibc here, and nothing is kept")
@pytest.mark.parametrize(
    "check", [is_kept_within_the_block_alone, is_kept_after_a_block_within, is_not_kept_for_a_gpu]
)
def test_memory_is_kept_as_it_should_be(check: Callable[[], None]) -> None:
    run_alone(check)


def test_other_systems_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _glibc() is None
    with kept_memory(torch.device("cpu")):
        release_memory()


def peak_is_of_what_came_after_its_beginning() -> None:
    place = torch.device("cpu")
    begin_peak_memory(place)
    before = peak_memory_of(place)
    numbers = torch.ones(50_000_000)  # 191 MB
    most = peak_memory_of(place)
    assert before is not None
    assert most is not None
    assert most - before > 150
    del numbers
    release_memory()
    begin_peak_memory(place)
    after = peak_memory_of(place)
    assert after is not None
    assert most - after > 150


def test_the_peak_of_memory_is_of_what_came_after_its_beginning() -> None:
    if peak_memory_of(torch.device("cpu")) is None:
        pytest.skip("this system does not tell the peak of a process's memory")
    run_alone(peak_is_of_what_came_after_its_beginning)
