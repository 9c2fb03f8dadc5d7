import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hgld.errors import InputError
from hgld.training.data.loading import load_batches, random_numbers, seed_of


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
    with pytest.raises(InputError) as caught:
        next(batches)
    assert str(caught.value) == "cannot read number 3; write it down again"


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
