from collections import Counter

import pytest
import torch
from torch import Tensor

from hgld.training.data.config import PerSuperCategory
from hgld.training.data.sampler import LandmarkSampler
from hgld.training.data.supercategories import SuperCategorySampler


def labels_of(*supercategories: tuple[int, ...]) -> Tensor:
    """Images of each landmark of each super-category, mixed up; (N, 2)."""
    rows, landmark = [], 0
    for supercategory, counts in enumerate(supercategories):
        for count in counts:
            rows += [[100 + landmark, 7 * supercategory]] * count
            landmark += 1
    labels = torch.tensor(rows)
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]


PAIRS = PerSuperCategory(samples_per_landmark=2)


def test_a_batch_has_k_super_categories_with_equally_many_groups_of_one_landmark() -> None:
    labels = labels_of((2,) * 8, (2,) * 8, (2,) * 4)
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=16, seed=1)

    # 8 + 8 + 4 groups in parts of 4: 2 + 2 + 1 parts, of which two batches take two kinds each.
    assert len(sampler) == 2
    assert sampler.waiting_groups == 4
    for epoch in range(5):
        for batch in sampler.epoch(epoch):
            landmark, coarse = labels[batch].reshape(8, 2, 2).unbind(-1)
            assert (landmark[:, 0] == landmark[:, 1]).all()
            assert sorted(Counter(coarse[:, 0].tolist()).values()) == [4, 4]
            assert (coarse[:4] == coarse[0, 0]).all()  # side by side


def test_each_landmark_has_the_groups_it_has_without_super_categories() -> None:
    # As many batches as parts allow, so that nothing waits.
    labels = labels_of((9, 4, 5, 2), (8, 7, 6, 2), (4, 4, 5, 3, 2, 3))
    config = PerSuperCategory(samples_per_landmark=2, max_per_landmark=6)
    sampler = SuperCategorySampler(labels, config, batch_size=8)
    assert sampler.waiting_groups < 4
    plain = LandmarkSampler(labels[:, 0], batch_size=2, samples_per_landmark=2, max_per_landmark=6)
    seen = torch.zeros(14, dtype=torch.int64)
    for epoch in range(40):
        images = sampler.epoch(epoch).flatten()
        counts = (labels[images, 0] - 100).bincount(minlength=14)
        most = (labels[plain.epoch(epoch).flatten(), 0] - 100).bincount(minlength=14)
        assert (counts <= most).all()
        assert int((most - counts).sum()) == 2 * sampler.waiting_groups
        assert len(set(images.tolist())) == len(images)  # as each has two images or more
        seen += counts
    assert (seen > 0).all()


def test_what_is_left_of_small_super_categories_goes_into_parts_together() -> None:
    # Of four super-categories with one landmark each no part of two groups is whole.
    labels = labels_of((2, 2, 2, 2), (2,), (2,), (2,), (2,))
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=8)
    assert len(sampler) == 2
    seen = [sorted(set(labels[batch, 1].tolist())) for batch in sampler.epoch(0)]
    assert [len(coarse) for coarse in seen] == [3, 3]
    assert sorted(set(seen[0] + seen[1])) == [0, 7, 14, 21, 28]


def test_a_large_super_category_is_in_every_batch_and_never_twice() -> None:
    labels = labels_of((2,) * 40, (2,) * 4, (2,) * 4)
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=8)
    # 20 + 2 + 2 parts: each batch has one of the large, and one of the others.
    assert len(sampler) == 4
    for epoch in range(3):
        for batch in sampler.epoch(epoch):
            counts = labels[batch, 1].bincount(minlength=15)
            assert counts[0] == 4
            assert sorted(counts[[7, 14]].tolist()) == [0, 4]


def test_another_super_category_waits_each_epoch() -> None:
    labels = labels_of((2, 2), (2, 2), (2, 2))
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=8)
    assert (len(sampler), sampler.waiting_groups) == (1, 2)
    seen = torch.zeros(15)
    for epoch in range(60):
        seen += (labels[sampler.epoch(epoch)[0], 1].bincount(minlength=15) > 0).float()
    # Each of the three in two of three epochs: 40 +- 3.7 (one standard deviation).
    assert (seen[[0, 7, 14]] > 24).all()
    assert (seen[[0, 7, 14]] < 56).all()


def test_which_super_categories_meet_changes_from_batch_to_batch() -> None:
    labels = labels_of(*[(2,) * 12] * 6)
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=8)
    assert len(sampler) == 18
    met = {
        tuple(sorted(set(labels[batch, 1].tolist())))
        for epoch in range(4)
        for batch in sampler.epoch(epoch)
    }
    assert len(met) == 15  # all pairs of six


def test_super_categories_are_drawn_by_the_parts_they_have() -> None:
    # 12, 4 and 4 parts in 8 batches of two: the large one is in all, the others in four each.
    labels = labels_of((2,) * 24, (2,) * 8, (2,) * 8)
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=8)
    assert len(sampler) == 8
    halves = torch.zeros(2)
    for epoch in range(100):
        batches = labels[sampler.epoch(epoch), 1]
        assert ((batches == 0).sum(dim=1) == 4).all()
        halves += torch.stack([(half == 7).any(dim=1).sum() for half in (batches[:4], batches[4:])])
    # Each half has 2 of its 4 by chance, the sum of 100 epochs 200 +- 10 (one standard deviation).
    assert (halves - 200).abs().max() < 50


def test_batches_depend_on_the_seed_and_the_epoch_alone() -> None:
    labels = labels_of((9, 4, 5, 2), (8, 7, 6, 2), (4, 4, 5, 3, 2, 3))
    first = SuperCategorySampler(labels, PAIRS, batch_size=8, seed=1)
    expected = first.epoch(2)
    first.epoch(0)
    assert torch.equal(first.epoch(2), expected)
    again = SuperCategorySampler(labels, PAIRS, batch_size=8, seed=1)
    assert torch.equal(again.epoch(2), expected)
    assert not torch.equal(first.epoch(1), expected)
    other = SuperCategorySampler(labels, PAIRS, batch_size=8, seed=2)
    assert not torch.equal(other.epoch(2), expected)


def test_the_batches_of_a_seed_are_those_that_models_were_trained_on() -> None:
    # Written down once: a trained model's digest depends on it.
    labels = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1], [4, 2], [5, 2]]).repeat_interleave(2, 0)
    sampler = SuperCategorySampler(labels, PAIRS, batch_size=4, seed=1)
    assert sampler.epoch(0).tolist() == [[7, 6, 2, 3], [0, 1, 9, 8], [10, 11, 5, 4]]


def test_dropped_landmarks_are_counted() -> None:
    config = PerSuperCategory(samples_per_landmark=2, few="drop")
    sampler = SuperCategorySampler(labels_of((2, 2, 1), (2, 1, 1)), config, batch_size=4)
    assert (sampler.left_out_landmarks, sampler.left_out_images) == (3, 3)
    assert len(sampler) == 1


@pytest.mark.parametrize(
    ("labels", "batch_size", "error", "word"),
    [
        (labels_of((2, 2), (2, 2)), 6, ValueError, "supercategories_per_batch"),
        (labels_of((2, 2), (2, 2)), 16, ValueError, "batch_size"),
        (labels_of((2, 2, 2)), 4, ValueError, "super-categories"),
        (torch.zeros(4, dtype=torch.int64), 4, ValueError, r"got \(4,\)"),
        (torch.zeros(4, 1, dtype=torch.int64), 4, ValueError, r"got \(4, 1\)"),
        (torch.rand(4, 2), 4, TypeError, "integers"),
        ([[1, 2]], 4, TypeError, "list"),
        # A landmark of two super-categories.
        (torch.tensor([[0, 1], [0, 2], [1, 1], [1, 1]]), 4, ValueError, "image 1"),
    ],
)
def test_impossible_batches_are_refused(
    labels: Tensor, batch_size: int, error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        SuperCategorySampler(labels, PAIRS, batch_size=batch_size)
