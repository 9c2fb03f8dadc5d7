import multiprocessing
import os
import signal

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hgld.errors import InputError
from hgld.training.data.loading import (
    load_batches,
    loaded,
    loader_settings,
    random_numbers,
    seed_of,
)


class Numbers(Dataset[Tensor]):
    """0, 1, 2, ... as tensors; one of them cannot be read."""

    def __init__(self, count: int, broken: int | None = None) -> None:
        self._count, self._broken = count, broken

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Tensor:
        if index == self._broken:
            raise InputError(f"cannot read number {index}; write it down again")
        return torch.tensor(index)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_from_the_start_asked_for(workers: int) -> None:
    batches = load_batches(Numbers(8), batch_size=3, start=2, workers=workers)
    assert [batch.tolist() for batch in batches] == [[2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_item_gives_its_one_line_from_any_process(workers: int) -> None:
    batches = load_batches(Numbers(4, broken=3), batch_size=2, workers=workers)
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(InputError, match=r"^cannot read number 3; write it down again$"):
        next(batches)


def test_an_error_ends_the_processes_that_load_at_once() -> None:
    batches = load_batches(Numbers(4, broken=3), batch_size=2, workers=2)
    next(batches)
    with pytest.raises(InputError) as caught:
        next(batches)
    # While the error is held, and with it the loader: torch alone would wait for 5 s each.
    assert multiprocessing.active_children() == []
    assert caught.value.__cause__ is not None


class Niceness(Dataset[Tensor]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor(os.nice(0))


@pytest.mark.parametrize("has_gpu", [True, False])
def test_what_loads_leaves_the_cores_to_a_model_that_is_computed_on_them(
    has_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    settings = loader_settings(1) | {"pin_memory": False}  # there may be none to pin it for
    own = os.nice(0)
    (niceness,) = loaded(DataLoader(Niceness(), **settings), 1)
    assert niceness.item() == (own if has_gpu else min(19, own + 10))
    assert os.nice(0) == own


def test_batches_that_are_not_wanted_any_more_end_the_processes_too() -> None:
    batches = load_batches(Numbers(40), batch_size=2, workers=2)
    next(batches)
    assert len(multiprocessing.active_children()) == min(2, os.cpu_count() or 1)
    del batches
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(104, "reset by peer")])
def test_a_process_that_dies_while_it_hands_over_a_batch_is_told_as_killed(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = load_batches(Numbers(8), batch_size=2, workers=1)
    next(batches)

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(
        "torch.utils.data.dataloader._MultiProcessingDataLoaderIter._next_data", fail
    )
    with pytest.raises(InputError, match="workers"):
        next(batches)


def test_the_death_of_a_loader_is_told_between_steps_only() -> None:
    def handler(*_: object) -> None:
        raise AssertionError

    before = signal.signal(signal.SIGCHLD, handler)
    try:
        batches = load_batches(Numbers(4), batch_size=2, workers=1)
        next(batches)
        amid = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        assert len(list(batches)) == 1
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert amid is handler


def test_loading_draws_nothing_from_the_global_generator() -> None:
    state = torch.get_rng_state()
    list(load_batches(Numbers(4), batch_size=2))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_stream_gives_its_own_numbers_and_puts_the_generator_back() -> None:
    state = torch.get_rng_state()
    with random_numbers("a"):
        first = torch.rand(3)
    with random_numbers("b"):
        other = torch.rand(3)
    with random_numbers("a"):
        again = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_seed_is_the_same_on_every_machine() -> None:
    # The first 8 bytes of sha256("a"), ca978112ca1bbdca, less the last bit.
    assert seed_of("a") == 0xCA978112CA1BBDCA >> 1
