"""The example of a spatial prior, beside values by hand."""

import numpy as np
import pytest

from hgld.benchmarks.robustness import segmentation
from hgld.benchmarks.robustness.segmentation import (
    METHODS,
    SHAPE,
    UNKNOWN_VOXEL,
    confident_labels,
    dice,
    make_volumes,
    measure_segmentation,
    segment,
    spatial_prior,
)


def test_the_prior_counts_volumes_and_knows_nothing_of_unknown_voxels() -> None:
    labels = np.array([0, 1, 1, UNKNOWN_VOXEL]).reshape(4, 1, 1, 1)
    assert spatial_prior(labels, 2).ravel().tolist() == pytest.approx([1.5 / 4, 2.5 / 4])
    unknown = np.full((3, 2, 2, 2), UNKNOWN_VOXEL)
    assert (spatial_prior(unknown, 4) == 0.25).all()
    blurred = spatial_prior(make_volumes(3, 0).labels, 4, smoothing_voxels=2)
    np.testing.assert_allclose(blurred.sum(axis=0), 1)
    assert (blurred > 0).all()


def test_overlap_equals_the_values_by_hand() -> None:
    assert dice(np.array([1, 1, 0, 2]), np.array([1, 0, 1, 2]))[:2].tolist() == [0.5, 1]
    assert np.isnan(dice(np.zeros(3, int), np.zeros(3, int))).all()


def test_of_each_label_the_likeliest_voxels_are_kept() -> None:
    likely = np.random.default_rng(0).random((2, 1, 40)).transpose(1, 0, 2)
    shares = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
    kept, labels = confident_labels(shares, 0.25), shares.argmax(axis=1)
    for label in (0, 1):
        own = labels == label
        assert (kept == label).sum() == pytest.approx(own.sum() / 4, abs=1)
        least = shares.max(axis=1)[kept == label].min()
        assert least >= shares.max(axis=1)[own & (kept != label)].max()


def test_volumes_are_those_of_the_seed_whatever_the_count() -> None:
    few, many = make_volumes(2, 7), make_volumes(5, 7)
    assert few.images.shape == (2, *SHAPE)
    assert (few.images == many.images[:2]).all()
    assert set(np.unique(many.labels)) == {0, 1, 2, 3}
    assert (make_volumes(2, 8).images != few.images).any()


def test_a_network_learns_and_the_prior_tells_organs_that_look_alike() -> None:
    own, test = make_volumes(3, 1), make_volumes(2, 2)
    found = {
        name: float(np.nanmean(dice(segment(own, own.images, test.images, one, 0), test.labels)))
        for name, one in (
            ("plain", METHODS["Network"]._replace(steps=30)),
            ("prior", METHODS["Network, prior"]._replace(steps=30)),
        )
    }
    assert found["prior"] > found["plain"] + 0.1


@pytest.mark.usefixtures("quick")
def test_every_method_is_measured_beside_every_other_without_a_prior() -> None:
    rows = list(measure_segmentation(0, (2,)))
    assert {row.group for row in rows} == {"2 labelled"}
    plain = [row for row in rows if row.metric == "dice"]
    assert len(plain) == len(segmentation.METHODS) == 6
    assert all(0 <= row.group_error < 1 for row in plain)
    gains = {(row.method, row.against) for row in rows if row.against}
    assert ("Network, prior", "Network, coordinates") in gains
