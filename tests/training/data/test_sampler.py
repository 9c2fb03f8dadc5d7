from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from hgld.training.data.sampler import LandmarkSampler, SuperCategorySampler


def mixed(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(5))]


def landmarks_of(*counts: int) -> Tensor:
    """Images of landmark 0, 1, ... mixed up."""
    return mixed(torch.repeat_interleave(torch.tensor(counts)))


def labels_of(*supercategories: tuple[int, ...]) -> Tensor:
    """Images of each landmark of each super-category, mixed up; (N, 2)."""
    each = [(n, count) for n, counts in enumerate(supercategories) for count in counts]
    rows = [[100 + at, 7 * coarse] for at, (coarse, count) in enumerate(each) for _ in range(count)]
    return mixed(torch.tensor(rows))


def pairs(labels: Tensor, **settings: Any) -> SuperCategorySampler:  # noqa: ANN401
    """Returns a sampler of two super-categories, and of groups of two images."""
    return SuperCategorySampler(labels, samples_per_landmark=2, **settings)


@pytest.mark.parametrize("most", [8, 11])  # which counts as the multiple below it
def test_a_batch_is_made_of_whole_groups_and_an_image_comes_once(most: int) -> None:
    landmarks = landmarks_of(9, 5, 4, 20, 6, 7)
    batches = LandmarkSampler(landmarks, batch_size=4, max_per_landmark=most).epoch(3)
    # 2 + 1 + 1 + 2 + 1 + 1 groups of 4
    assert batches.shape == (8, 4)
    groups = landmarks[batches]
    assert (groups == groups[:, :1]).all()
    assert len(set(batches.flatten().tolist())) == 32
    assert groups.flatten().bincount().tolist() == [8, 4, 4, 8, 4, 4]


def test_a_landmark_of_too_few_images_repeats_them_in_turn() -> None:
    landmarks = landmarks_of(3, 1, 4)
    for group in LandmarkSampler(landmarks, batch_size=4).epoch(0):
        repeats = sorted(Counter(group.tolist()).values())
        assert repeats == {0: [1, 1, 2], 1: [4], 2: [1] * 4}[int(landmarks[group[0]])]


def test_every_image_gets_its_turn_over_the_epochs() -> None:
    sampler = LandmarkSampler(landmarks_of(30, 30), batch_size=8)
    seen = torch.cat([sampler.epoch(epoch).flatten() for epoch in range(40)])
    assert len(set(seen.tolist())) == 60


def test_two_groups_of_a_landmark_lie_in_different_halves_of_the_epoch() -> None:
    landmarks = landmarks_of(*[8] * 64)
    order = landmarks[LandmarkSampler(landmarks, batch_size=4).epoch(0)[:, 0]]
    places = [torch.nonzero(order == landmark).flatten() for landmark in range(64)]
    # Exactly halves of the 128 groups, as each half has one of each landmark.
    assert all(first < 64 <= second for first, second in places)


def test_the_batches_of_a_seed_are_those_that_models_were_trained_on() -> None:
    # Written down once: a trained model's digest depends on them. Ids from any range, with gaps.
    ids = torch.tensor([0, 203_094, 9_000_000_000])[[0, 1, 0, 1, 0, 1, 0, 1, 2]]
    sampler = LandmarkSampler(ids, batch_size=4, seed=1)
    assert sampler.epoch(0).tolist() == [[0, 6, 2, 4], [5, 1, 3, 7], [8, 8, 8, 8]]
    labels = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1], [4, 2], [5, 2]]).repeat_interleave(2, 0)
    assert pairs(labels, batch_size=4, seed=1).epoch(0).tolist() == [
        *([7, 6, 2, 3], [0, 1, 9, 8], [10, 11, 5, 4])
    ]


LANDMARK = torch.repeat_interleave(torch.arange(24), torch.arange(24) % 9 + 1)
"""24 landmarks of 1 to 9 images."""


def of_landmarks(rank: int = 0, world_size: int = 1, seed: int = 7) -> LandmarkSampler:
    share = {"rank": rank, "world_size": world_size}
    return LandmarkSampler(LANDMARK, batch_size=8, samples_per_landmark=2, seed=seed, **share)


def of_supercategories(rank: int = 0, world_size: int = 1, seed: int = 7) -> LandmarkSampler:
    labels = torch.stack([LANDMARK, LANDMARK % 5], dim=1)
    return pairs(labels, batch_size=8, seed=seed, rank=rank, world_size=world_size)


Make = Callable[..., LandmarkSampler]
both = pytest.mark.parametrize("make", [of_landmarks, of_supercategories])


@both
@pytest.mark.parametrize("world_size", [2, 4])
def test_the_shares_of_all_ranks_are_the_batch_of_one_process(make: Make, world_size: int) -> None:
    whole = make()
    ranks = [make(rank, world_size) for rank in range(world_size)]
    assert {len(rank) for rank in ranks} == {len(whole)}
    shares = [rank.epoch(3) for rank in ranks]
    assert torch.equal(torch.cat(shares, dim=1), whole.epoch(3))
    for share in shares:  # of whole groups
        landmarks = LANDMARK[share].reshape(-1, 2)
        assert (landmarks[:, 0] == landmarks[:, 1]).all()
    places = [place for rank in ranks for place in rank.positions(2)]
    assert places == list(whole.positions(2)) == list(range(16, 24))


def test_a_batch_has_k_super_categories_with_equally_many_groups_of_one_landmark() -> None:
    labels = labels_of((2,) * 8, (2,) * 8, (2,) * 4)
    sampler = pairs(labels, batch_size=16, seed=1)
    # 8 + 8 + 4 groups in parts of 4: 2 + 2 + 1 parts, of which two batches take two kinds each.
    assert len(sampler) == 2
    for epoch in range(5):
        for batch in sampler.epoch(epoch):
            landmark, coarse = labels[batch].reshape(8, 2, 2).unbind(-1)
            assert (landmark[:, 0] == landmark[:, 1]).all()
            assert sorted(Counter(coarse[:, 0].tolist()).values()) == [4, 4]
            assert (coarse[:4] == coarse[0, 0]).all()  # side by side


def test_each_landmark_has_the_groups_it_has_without_super_categories() -> None:
    labels = labels_of((9, 4, 5, 2), (8, 7, 6, 2), (4, 4, 5, 3, 2, 3))
    sampler = pairs(labels, max_per_landmark=6, batch_size=8)
    plain = LandmarkSampler(labels[:, 0], batch_size=2, samples_per_landmark=2, max_per_landmark=6)
    seen = torch.zeros(14, dtype=torch.int64)
    for epoch in range(40):
        images = sampler.epoch(epoch).flatten()
        counts = (labels[images, 0] - 100).bincount(minlength=14)
        most = (labels[plain.epoch(epoch).flatten(), 0] - 100).bincount(minlength=14)
        assert (counts <= most).all()
        assert int((most - counts).sum()) < 8  # of as many batches as the parts allow
        assert len(set(images.tolist())) == len(images)  # as each has two images or more
        seen += counts
    assert (seen > 0).all()


def test_what_is_left_of_small_super_categories_goes_into_parts_together() -> None:
    # Of four super-categories with one landmark each no part of two groups is whole.
    labels = labels_of((2, 2, 2, 2), (2,), (2,), (2,), (2,))
    seen = [
        sorted(set(labels[batch, 1].tolist())) for batch in pairs(labels, batch_size=8).epoch(0)
    ]
    assert [len(coarse) for coarse in seen] == [3, 3]
    assert sorted(set(seen[0] + seen[1])) == [0, 7, 14, 21, 28]


@pytest.mark.parametrize(
    ("labels", "settings", "word"),
    [
        (labels_of((9, 4), (1,)), {"batch_size": 10, "world_size": 3}, "world_size"),
        (labels_of((9, 4), (1,)), {"batch_size": 20}, "batch_size"),
        (labels_of((40,)), {"batch_size": 8}, "landmarks"),
        (labels_of((2, 2), (2, 2)), {"batch_size": 6}, "supercategories_per_batch"),
        (labels_of((2, 2, 2)), {"batch_size": 4}, "super-categories"),
        # A landmark of two super-categories.
        (torch.tensor([[0, 1], [0, 2], [1, 1], [1, 1]]), {"batch_size": 4}, "super-category"),
    ],
)
def test_impossible_batches_are_refused(
    labels: Tensor, settings: dict[str, int], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        pairs(labels, **settings)
