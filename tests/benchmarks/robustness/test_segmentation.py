"""The example of a spatial prior, beside values by hand."""

import numpy as np
import pytest

from hgld.benchmarks.robustness import segmentation
from hgld.benchmarks.robustness.segmentation import (
    METHODS,
    SHAPE,
    UNKNOWN_VOXEL,
    dice,
    make_volumes,
    measure_segmentation,
    segment,
    spatial_prior,
)


def test_the_prior_knows_nothing_of_unknown_voxels() -> None:
    unknown = np.full((3, 2, 2, 2), UNKNOWN_VOXEL)
    assert (spatial_prior(unknown, 4) == 0.25).all()
    blurred = spatial_prior(make_volumes(3, 0).labels, 4, smoothing_voxels=2)
    np.testing.assert_allclose(blurred.sum(axis=0), 1)
    assert (blurred > 0).all()


def test_volumes_are_those_of_the_seed_whatever_the_count() -> None:
    few, many = make_volumes(2, 7), make_volumes(5, 7)
    assert few.images.shape == (2, *SHAPE)
    assert (few.images == many.images[:2]).all()
    assert set(np.unique(many.labels)) == {0, 1, 2, 3}
    assert (make_volumes(2, 8).images != few.images).any()


def test_a_network_learns_and_the_prior_tells_organs_that_look_alike() -> None:
    own, test = make_volumes(3, 1), make_volumes(2, 2)
    plain, prior = (
        segment(own, own.images, test.images, METHODS[name]._replace(steps=30), 0)
        for name in ("Network", "Network, prior")
    )
    assert np.nanmean(dice(prior, test.labels)) > np.nanmean(dice(plain, test.labels)) + 0.1


@pytest.mark.usefixtures("quick")
def test_every_method_is_measured_beside_every_other_without_a_prior() -> None:
    rows = list(measure_segmentation(0, (2,)))
    assert {row.group for row in rows} == {"2 labelled"}
    plain = [row for row in rows if row.metric == "dice"]
    assert len(plain) == len(segmentation.METHODS) == 6
    assert all(0 <= row.group_error < 1 for row in plain)
    gains = {(row.method, row.against) for row in rows if row.against}
    assert ("Network, prior", "Network, coordinates") in gains
