import sys

import pytest
import torch

from hgld.errors import InputError
from hgld.training.model.devices import (
    begin_peak_memory,
    choose_device,
    kept_memory,
    peak_memory_of,
)

CPU = torch.device("cpu")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="warp"):
        choose_device("warp")


def test_the_peak_of_memory_is_of_what_came_after_its_beginning() -> None:
    begin_peak_memory(CPU)
    before = peak_memory_of(CPU)
    if before is None:
        pytest.skip("needs a system that tells the peak of a process's memory: Linux")
    numbers = torch.ones(50_000_000)  # 191 MB
    most = peak_memory_of(CPU)
    assert most is not None
    assert most - before > 100
    del numbers
    begin_peak_memory(CPU)
    after = peak_memory_of(CPU)
    assert after is not None
    assert most - after > 100


def test_other_systems_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with kept_memory(CPU):
        pass
