import sys

import pytest
import torch

from hgld.training.model.devices import begin_peak_memory, kept_memory, peak_memory_of

CPU = torch.device("cpu")


def test_the_peak_of_memory_is_of_what_came_after_its_beginning() -> None:
    begin_peak_memory(CPU)
    before = peak_memory_of(CPU)
    if before is None:
        pytest.skip("needs a system that tells the peak of a process's memory: Linux")
    numbers = torch.ones(50_000_000)  # 191 MB
    most = peak_memory_of(CPU)
    del numbers
    begin_peak_memory(CPU)
    after = peak_memory_of(CPU)
    assert most is not None
    assert after is not None
    assert most > 100 + max(before, after)


def test_other_systems_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with kept_memory(CPU):
        pass
