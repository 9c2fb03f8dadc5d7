import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.segmentation.prior import UNKNOWN_VOXEL, dice, spatial_prior


def test_without_smoothing_it_is_the_frequency_as_in_a_loop() -> None:
    labels = np.random.default_rng(0).integers(-1, 3, (4, 2, 3, 2))
    prior = spatial_prior(labels, 3, smoothing_voxels=0.0, weight=0.5)
    for place in np.ndindex(2, 3, 2):
        own = [int(one[place]) for one in labels]
        known = [label for label in own if label != UNKNOWN_VOXEL]
        for label in range(3):
            expected = (known.count(label) + 0.5 / 3) / (len(known) + 0.5)
            assert prior[(label, *place)] == pytest.approx(expected)


def test_it_sums_to_one_and_nothing_is_impossible() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (2, 5, 5, 5))
    prior = spatial_prior(labels, 4)
    np.testing.assert_allclose(prior.sum(axis=0), 1)
    assert prior.min() > 0


def test_where_nothing_is_known_every_class_is_as_likely() -> None:
    unknown = np.full((2, 1, 1, 3), UNKNOWN_VOXEL)
    np.testing.assert_allclose(spatial_prior(unknown, 4), 0.25)
    np.testing.assert_allclose(spatial_prior(unknown[:0], 4), 0.25)


def test_smoothing_spreads_a_class_to_its_neighbours_and_keeps_a_constant_map() -> None:
    labels = np.zeros((1, 1, 1, 9), dtype=np.int64)
    labels[0, 0, 0, 4] = 1
    sharp = spatial_prior(labels, 2, smoothing_voxels=0.0)[1, 0, 0]
    smooth = spatial_prior(labels, 2, smoothing_voxels=1.0)[1, 0, 0]
    assert smooth[4] < sharp[4]
    assert smooth[3] == pytest.approx(smooth[5])
    assert smooth[3] > sharp[3]
    constant = spatial_prior(np.ones((3, 2, 2, 2), dtype=np.int64), 2)
    np.testing.assert_allclose(constant[1], 3.5 / 4)


def test_what_is_no_label_map_is_refused() -> None:
    with pytest.raises(ValueError, match="labels"):
        spatial_prior(np.zeros(3, dtype=np.int64), 2)
    with pytest.raises(ValueError, match="unknown"):
        spatial_prior(np.full((1, 1, 1, 1), 2), 2)
    with pytest.raises(ValueError, match="weight"):
        spatial_prior(np.zeros((1, 1, 1, 1), dtype=np.int64), 2, weight=0)


def test_dice_equals_the_hand_computed_value() -> None:
    predicted, labels = np.array([[1, 1, 2], [0, 0, 0]]), np.array([[1, 0, 2], [1, 1, 0]])
    # class 1: 2 * 1 / (2 + 3); class 2: 1; class 3: nowhere
    np.testing.assert_allclose(dice(predicted, labels, 4), [0.4, 1.0, np.nan])
    assert dice(np.array([1]), np.array([0]), 2).tolist() == [0.0]
    with pytest.raises(ValueError, match="shape"):
        dice(predicted, labels[:1], 3)
