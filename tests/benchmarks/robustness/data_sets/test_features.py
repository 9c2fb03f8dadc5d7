"""Data sets and their splits."""

from collections import Counter

import numpy as np
import pytest

from hgld.benchmarks.robustness.data_sets.features import embedded_sets, packaged_sets, split_groups


def test_packaged_sets_are_whole_and_need_no_network() -> None:
    digits, cancer = packaged_sets()
    assert (digits.features.shape, digits.classes) == ((1797, 64), 10)
    assert (cancer.features.shape, cancer.classes) == ((569, 30), 2)


def test_each_class_is_in_each_part_by_its_share_and_each_group_in_one() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [50, 20, 9])
    groups = np.concatenate([np.arange(50), 100 + np.arange(20) // 2, 200 + np.arange(9) // 3])
    parts = split_groups(labels, groups, (0.4, 0.3, 0.3), generator)
    assert sorted(np.concatenate(parts).tolist()) == list(range(79))
    counts = [Counter(labels[part].tolist()) for part in parts]
    assert [one[0] for one in counts] == [20, 15, 15]
    assert [one[1] for one in counts] == [8, 6, 6]
    assert [one[2] for one in counts] == [3, 3, 3]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not set(groups[parts[first]]) & set(groups[parts[second]])


def test_a_split_follows_its_generator() -> None:
    labels, groups = np.zeros(30, np.int64), np.arange(30)

    def split(seed: int) -> list[int]:
        parts = split_groups(labels, groups, (0.5, 0.5), np.random.default_rng(seed))
        return [int(row) for row in parts[0]]

    assert split(0) == split(0) != split(1)


def test_what_cannot_be_split_is_refused() -> None:
    generator = np.random.default_rng(0)
    labels, groups = np.array([0, 0, 0, 1, 1]), np.arange(5)
    with pytest.raises(ValueError, match="parts"):
        split_groups(labels, groups, (0.4, 0.3, 0.3), generator)
    with pytest.raises(ValueError, match="sum"):
        split_groups(labels, groups, (0.5, 0.4), generator)


def test_classes_come_from_both_levels_and_small_ones_are_left_out() -> None:
    # super-category 0 has three landmarks, 1 has two; landmark 4 has three images alone
    landmarks = np.repeat([0, 1, 2, 3, 4], [10, 10, 10, 12, 3])
    supers = np.repeat([0, 1], [30, 15])
    labels = np.stack([landmarks, supers], axis=1)
    by_landmark, by_super = embedded_sets("x", np.zeros((45, 2), np.float32), labels)
    assert by_landmark.title == "x: landmark"
    assert (by_landmark.classes, len(by_landmark.labels)) == (4, 42)
    assert (by_super.classes, len(by_super.labels)) == (2, 45)

    supers = np.repeat([0, 1], [20, 25])
    landmarks = np.repeat(np.arange(9), 5)
    sets = embedded_sets(
        "x", np.zeros((45, 2), np.float32), np.stack([landmarks, supers], axis=1), least_images=5
    )
    unseen = sets[-1]
    assert unseen.title == "x: super-category of unseen landmarks"
    assert unseen.groups.tolist() == landmarks.tolist()
    parts = split_groups(unseen.labels, unseen.groups, (0.4, 0.3, 0.3), np.random.default_rng(0))
    assert all(set(unseen.labels[part]) == {0, 1} for part in parts)
