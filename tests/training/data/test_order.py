"""Shares of ranks, and going on in the middle of an epoch, of either sampler."""

from collections.abc import Callable

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from hgld.training.data.config import PerSuperCategory
from hgld.training.data.order import BatchOrder
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.data.supercategories import SuperCategorySampler

LANDMARK = torch.repeat_interleave(torch.arange(24), torch.arange(24) % 9 + 1)
"""24 landmarks of 1 to 9 images."""
LABELS = torch.stack([LANDMARK, LANDMARK % 5], dim=1)


def of_landmarks(rank: int = 0, world_size: int = 1, seed: int = 7) -> BatchOrder:
    return LandmarkSampler(
        LANDMARK,
        batch_size=8,
        samples_per_landmark=2,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )


def of_supercategories(rank: int = 0, world_size: int = 1, seed: int = 7) -> BatchOrder:
    return SuperCategorySampler(
        LABELS,
        PerSuperCategory(samples_per_landmark=2),
        batch_size=8,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )


Make = Callable[..., BatchOrder]
both = pytest.mark.parametrize("make", [of_landmarks, of_supercategories])


@both
@pytest.mark.parametrize("world_size", [2, 4])
def test_the_shares_of_all_ranks_are_the_batch_of_one_process(make: Make, world_size: int) -> None:
    whole = make()
    ranks = [make(rank, world_size) for rank in range(world_size)]
    assert {len(rank) for rank in ranks} == {len(whole)}
    for epoch in (0, 3):
        shares = [rank.epoch(epoch) for rank in ranks]
        assert torch.equal(torch.cat(shares, dim=1), whole.epoch(epoch))
        for share in shares:  # of whole groups
            landmarks = LANDMARK[share].reshape(-1, 2)
            assert (landmarks[:, 0] == landmarks[:, 1]).all()
    for batch in (0, 2):
        places = [place for rank in ranks for place in rank.positions(batch)]
        assert places == list(whole.positions(batch)) == list(range(8 * batch, 8 * batch + 8))


@both
def test_a_loader_begins_in_the_middle_of_an_epoch(make: Make) -> None:
    sampler = make()
    loader = DataLoader(TensorDataset(LANDMARK), batch_sampler=sampler, num_workers=2)
    sampler.set_epoch(1, start_batch=3)
    expected = LANDMARK[sampler.epoch(1)[3:]].tolist()
    assert [batch.tolist() for (batch,) in loader] == expected
    assert len(expected) == len(sampler) - 3
    sampler.set_epoch(2)  # from its start
    assert list(sampler) == sampler.epoch(2).tolist()


@both
def test_a_state_taken_in_the_middle_goes_on_there_in_another_process(make: Make) -> None:
    sampler = make()
    sampler.set_epoch(2, start_batch=1)
    undisturbed = list(sampler)
    batches = iter(sampler)
    trained_on = [next(batches) for _ in range(3)]
    next(batches)  # of which the loader has asked for one more
    state = sampler.state_dict(batches_done=3)

    again = make(seed=7)
    again.load_state_dict(state)
    assert trained_on + list(again) == undisturbed
    # And what goes on may be stopped again.
    assert again.state_dict(0) == state
    assert again.state_dict(2)["start_batch"] == 6


@both
def test_a_state_taken_at_the_end_of_an_epoch_begins_the_next(make: Make) -> None:
    sampler = make()
    state = sampler.state_dict(len(sampler))
    assert (state["epoch"], state["start_batch"]) == (1, 0)
    sampler.load_state_dict(state)
    assert list(sampler) == sampler.epoch(1).tolist()


@both
def test_the_state_of_one_rank_is_that_of_all(make: Make) -> None:
    state = make(0, 2).state_dict(2)
    other = make(1, 2)
    other.load_state_dict(state)
    assert list(other) == other.epoch(0)[2:].tolist()
    alone = make()  # on fewer processes
    alone.load_state_dict(state)
    assert list(alone) == alone.epoch(0)[2:].tolist()


@both
def test_a_state_of_another_order_is_refused(make: Make) -> None:
    state = make(seed=8).state_dict()
    with pytest.raises(ValueError, match="same"):
        make().load_state_dict(state)
    with pytest.raises(ValueError, match="state_dict"):
        make().load_state_dict({"epoch": 0})


def test_a_state_knows_which_landmarks_share_a_super_category() -> None:
    other = LABELS.clone()
    other[:, 1] = LANDMARK % 4
    config = PerSuperCategory(samples_per_landmark=2)
    state = SuperCategorySampler(other, config, batch_size=8, seed=7).state_dict()
    with pytest.raises(ValueError, match="same"):
        of_supercategories().load_state_dict(state)


@both
def test_what_is_no_share_or_no_start_is_refused(make: Make) -> None:
    for share, word in (((2, 2), "rank"), ((-1, 2), "rank"), ((0, 3), "world_size")):
        with pytest.raises(ValueError, match=word):
            make(*share)
    with pytest.raises(TypeError, match="world_size"):
        make(0, 2.0)
    sampler = make()
    for start in (len(sampler) + 1, -1):
        with pytest.raises(ValueError, match="start_batch"):
            sampler.set_epoch(0, start)


def train(
    sampler: BatchOrder, kept: dict[str, object], stop_after: int, workers: int = 0
) -> list[list[int]]:
    """A program outside the project: three epochs, a checkpoint after each step, and a stop."""
    loader = DataLoader(
        TensorDataset(torch.arange(len(LANDMARK))),
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    trained_on: list[list[int]] = []
    if kept:
        sampler.load_state_dict(kept)
    for epoch in range(sampler.current_epoch, 3):
        if epoch > sampler.current_epoch:
            sampler.set_epoch(epoch)
        for done, (images,) in enumerate(loader, start=1):
            trained_on.append(images.tolist())
            kept.update(sampler.state_dict(batches_done=done))
            if len(trained_on) == stop_after:
                return trained_on
    return trained_on


@both
def test_a_program_that_is_stopped_anywhere_trains_on_what_an_undisturbed_one_would(
    make: Make,
) -> None:
    whole = train(make(), {}, stop_after=10**6)
    count = len(make())
    assert len(whole) == 3 * count
    for first in (1, count - 1, count, count + 1, 3 * count - 1):
        kept: dict[str, object] = {}
        # Processes that load ask for batches ahead of those that are trained on.
        parts = train(make(), kept, first, workers=int(first == count - 1))
        parts += train(make(), kept, 2)  # and stopped again
        parts += train(make(), kept, 10**6)
        assert parts == whole
