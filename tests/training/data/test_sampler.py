from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from hgld.training.data.config import PerLandmark, PerSuperCategory
from hgld.training.data.sampler import LandmarkSampler, make_sampler
from hgld.training.data.supercategories import SuperCategorySampler


def labels_of(*counts: int) -> Tensor:
    """Images of landmark 0, 1, ... mixed up."""
    landmarks = torch.repeat_interleave(torch.tensor(counts))
    return landmarks[torch.randperm(len(landmarks), generator=torch.Generator().manual_seed(5))]


def groups_of(sampler: LandmarkSampler, epoch: int, samples: int) -> Tensor:
    return sampler.epoch(epoch).reshape(-1, samples)


def test_a_batch_is_made_of_whole_groups_of_one_landmark() -> None:
    landmarks = labels_of(9, 5, 4, 20, 6, 7)
    sampler = LandmarkSampler(landmarks, batch_size=8, samples_per_landmark=4)

    batches = sampler.epoch(0)

    assert batches.shape == (len(sampler), 8)
    groups = landmarks[batches].reshape(-1, 4)
    assert (groups == groups[:, :1]).all()


def test_a_landmark_gives_at_most_the_maximum_and_no_image_twice() -> None:
    landmarks = labels_of(9, 5, 4, 20, 6, 7)
    sampler = LandmarkSampler(landmarks, batch_size=4, max_per_landmark=8)

    images = sampler.epoch(3).flatten()

    # 2 + 1 + 1 + 2 + 1 + 1 groups of 4
    assert len(sampler) == 8
    assert len(set(images.tolist())) == len(images) == 32
    assert landmarks[images].bincount().tolist() == [8, 4, 4, 8, 4, 4]


def test_a_maximum_that_is_no_multiple_counts_as_the_one_below() -> None:
    sampler = LandmarkSampler(labels_of(30, 30), batch_size=4, max_per_landmark=11)
    assert len(sampler) == 4


def test_a_landmark_of_too_few_images_repeats_them_in_turn() -> None:
    landmarks = labels_of(3, 1, 4)
    groups = groups_of(LandmarkSampler(landmarks, batch_size=4), 0, 4)

    for group in groups:
        landmark = int(landmarks[group[0]])
        repeats = sorted(Counter(group.tolist()).values())
        assert repeats == {0: [1, 1, 2], 1: [4], 2: [1, 1, 1, 1]}[landmark]


def test_every_image_gets_its_turn_over_the_epochs() -> None:
    landmarks = labels_of(30, 30)
    sampler = LandmarkSampler(landmarks, batch_size=8)
    seen = torch.cat([sampler.epoch(epoch).flatten() for epoch in range(40)])
    assert len(set(seen.tolist())) == 60


def test_batches_depend_on_the_seed_and_the_epoch_alone() -> None:
    landmarks = labels_of(9, 5, 4, 20, 6, 7)
    sampler = LandmarkSampler(landmarks, batch_size=8, seed=1)
    first = sampler.epoch(2)
    sampler.epoch(0)

    assert torch.equal(sampler.epoch(2), first)
    assert torch.equal(LandmarkSampler(landmarks, batch_size=8, seed=1).epoch(2), first)
    assert not torch.equal(sampler.epoch(1), first)
    assert not torch.equal(LandmarkSampler(landmarks, batch_size=8, seed=2).epoch(2), first)


def test_two_groups_of_a_landmark_lie_in_different_halves_of_the_epoch() -> None:
    landmarks = labels_of(*[8] * 64)
    order = landmarks[groups_of(LandmarkSampler(landmarks, batch_size=4), 0, 4)[:, 0]]
    places = [torch.nonzero(order == landmark).flatten() for landmark in range(64)]
    assert all(len(place) == 2 for place in places)
    # Exactly halves of the 128 groups, as each half has one of each landmark.
    assert all(place[0] < 64 <= place[1] for place in places)


def test_groups_that_fill_no_batch_are_left_out() -> None:
    sampler = LandmarkSampler(labels_of(4, 4, 4, 4, 4), batch_size=8)
    assert len(sampler) == 2
    assert sampler.epoch(0).shape == (2, 8)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"batch_size": 10}, "batch_size"),  # no multiple of samples_per_landmark
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 8.0}, "batch_size"),
        ({"batch_size": 20}, "batch_size"),  # more than three landmarks give
        ({"batch_size": 8, "max_per_landmark": 3}, "max_per_landmark"),
        ({"batch_size": 8, "max_per_landmark": 8.5}, "max_per_landmark"),
        ({"batch_size": 8, "samples_per_landmark": 0}, "samples_per_landmark"),
        ({"batch_size": 8, "samples_per_landmark": -1}, "samples_per_landmark"),
    ],
)
def test_impossible_batches_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LandmarkSampler(labels_of(9, 4, 1), **settings)


@pytest.mark.parametrize(
    ("counts", "few"), [((40,), "repeat"), ((3, 9, 1), "drop")], ids=["one", "one left"]
)
def test_one_landmark_is_too_few(counts: tuple[int, ...], few: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="landmarks"):
        LandmarkSampler(labels_of(*counts), batch_size=4, few=few)


RAW = torch.tensor([203_094, 0, 9_000_000_000])
"""Landmark ids as GLDv2 gives them: from any range, with gaps."""


def test_raw_landmark_ids_give_the_batches_of_their_labels() -> None:
    labels = labels_of(9, 5, 6)
    # Labels in the order of the ids: 0, 203,094, nine billion.
    ids = RAW.sort().values[labels]
    settings: dict[str, Any] = {"batch_size": 8, "seed": 3}
    expected = LandmarkSampler(labels, **settings)
    sampler = LandmarkSampler(ids, **settings)
    assert len(sampler) == len(expected)
    for epoch in range(3):
        assert torch.equal(sampler.epoch(epoch), expected.epoch(epoch))


def test_a_gap_between_ids_is_no_landmark() -> None:
    ids = torch.tensor([5, 5, 90, 90])
    sampler = LandmarkSampler(ids, batch_size=4, samples_per_landmark=2)
    assert [sorted(batch) for batch in sampler] == [[0, 1, 2, 3]]
    with pytest.raises(ValueError, match="landmarks"):
        LandmarkSampler(torch.full((40,), 7), batch_size=8)


def test_the_batches_of_labels_are_those_that_models_were_trained_on() -> None:
    # Written down before ids of any kind were taken: a trained model's digest depends on it.
    sampler = LandmarkSampler(torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 2]), batch_size=4, seed=1)
    assert sampler.epoch(0).tolist() == [[0, 6, 2, 4], [5, 1, 3, 7], [8, 8, 8, 8]]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_takes_it_as_its_batch_sampler(workers: int) -> None:
    landmarks = RAW[labels_of(9, 5, 6)]
    sampler = LandmarkSampler(landmarks, batch_size=8)
    loader = DataLoader(TensorDataset(landmarks), batch_sampler=sampler, num_workers=workers)
    assert len(loader) == len(sampler) > 1
    for epoch in (0, 4):
        sampler.set_epoch(epoch)
        seen = [batch for (batch,) in loader]
        assert [batch.tolist() for batch in seen] == landmarks[sampler.epoch(epoch)].tolist()


def test_iteration_gives_the_epoch_that_was_set() -> None:
    sampler = LandmarkSampler(labels_of(30, 30), batch_size=8)
    assert list(sampler) == sampler.epoch(0).tolist()
    sampler.set_epoch(2)
    assert list(sampler) == list(sampler) == sampler.epoch(2).tolist()
    assert sampler.epoch(2).tolist() != sampler.epoch(0).tolist()


@pytest.mark.parametrize(
    ("landmarks", "error", "word"),
    [
        (torch.rand(9), TypeError, "integers"),
        (torch.ones(9, dtype=torch.bool), TypeError, "integers"),
        (torch.arange(9).numpy(), TypeError, "numpy"),
        ([0, 0, 1, 1], TypeError, "list"),
        (torch.zeros(9, 3, dtype=torch.int64), ValueError, "shape"),
    ],
)
def test_what_are_no_landmarks_is_refused(
    landmarks: object, error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        LandmarkSampler(landmarks, batch_size=4)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("epoch", "error"), [(1.0, TypeError), ("1", TypeError), (None, TypeError), (-1, ValueError)]
)
def test_what_is_no_epoch_is_refused(epoch: object, error: type[Exception]) -> None:
    sampler = LandmarkSampler(labels_of(30, 30), batch_size=8)
    for take in (sampler.set_epoch, sampler.epoch):
        with pytest.raises(error, match="epoch"):
            take(epoch)  # type: ignore[arg-type]  # wrong on purpose


def test_an_epoch_of_any_whole_type_gives_the_same_batches() -> None:
    sampler = LandmarkSampler(labels_of(30, 30), batch_size=8)
    sampler.set_epoch(torch.tensor([2]).numpy()[0])
    assert list(sampler) == sampler.epoch(2).tolist()


def test_landmarks_of_too_few_images_are_dropped_where_that_is_asked_for_and_counted() -> None:
    landmarks = labels_of(3, 9, 1, 4)
    sampler = LandmarkSampler(landmarks, batch_size=4, few="drop")

    images = sampler.epoch(0).flatten()

    # 0 + 2 + 0 + 1 groups of 4; 3 and 1 images are left out.
    assert len(sampler) == 3
    assert (sampler.left_out_landmarks, sampler.left_out_images) == (2, 4)
    assert landmarks[images].bincount(minlength=4).tolist() == [0, 8, 0, 4]
    assert len(set(images.tolist())) == 12


def test_where_they_are_repeated_none_is_left_out() -> None:
    sampler = LandmarkSampler(labels_of(3, 9, 1, 4), batch_size=4)
    assert (sampler.left_out_landmarks, sampler.left_out_images) == (0, 0)


def test_groups_that_fill_no_batch_are_counted() -> None:
    assert LandmarkSampler(labels_of(4, 4, 4, 4, 4), batch_size=8).waiting_groups == 1
    assert LandmarkSampler(labels_of(4, 4, 4, 4), batch_size=8).waiting_groups == 0


def test_settings_choose_the_sampler() -> None:
    labels = torch.stack([labels_of(9, 5, 8, 4), labels_of(9, 5, 8, 4) // 2], dim=1)
    of_landmarks = make_sampler(labels, PerLandmark(few="drop"), batch_size=8, seed=3)
    plain = LandmarkSampler(labels[:, 0], batch_size=8, seed=3, few="drop")
    assert torch.equal(of_landmarks.epoch(1), plain.epoch(1))
    assert isinstance(of_landmarks, LandmarkSampler)

    config = PerSuperCategory(samples_per_landmark=2)
    share = {"rank": 1, "world_size": 2}
    of_both = make_sampler(labels, config, batch_size=8, seed=3, **share)
    whole = SuperCategorySampler(labels, config, batch_size=8, seed=3)
    assert isinstance(of_both, SuperCategorySampler)
    assert torch.equal(of_both.epoch(1), whole.epoch(1)[:, 4:])
