"""The example of a spatial prior, beside values by hand."""

import numpy as np
import pytest

from hgld.benchmarks.robustness import segmentation


def test_the_prior_knows_nothing_of_unknown_voxels() -> None:
    unknown = np.full((3, 2, 2, 2), segmentation.UNKNOWN_VOXEL)
    assert (segmentation.spatial_prior(unknown, 4) == 0.25).all()
    blurred = segmentation.spatial_prior(
        segmentation.make_volumes(3, 0).labels, 4, smoothing_voxels=2
    )
    np.testing.assert_allclose(blurred.sum(axis=0), 1)
    assert (blurred > 0).all()


def test_volumes_are_those_of_the_seed_whatever_the_count() -> None:
    few, many = segmentation.make_volumes(2, 7), segmentation.make_volumes(5, 7)
    assert few.images.shape == (2, *segmentation.SHAPE)
    assert (few.images == many.images[:2]).all()
    assert set(np.unique(many.labels)) == {0, 1, 2, 3}
    assert (segmentation.make_volumes(2, 8).images != few.images).any()


def test_a_network_learns_and_the_prior_tells_organs_that_look_alike() -> None:
    own, test = segmentation.make_volumes(3, 1), segmentation.make_volumes(2, 2)
    plain, prior = (
        segmentation.segment(
            own, own.images, test.images, segmentation.METHODS[name]._replace(steps=30), 0
        )
        for name in ("Network", "Network, prior")
    )
    assert (
        np.nanmean(segmentation.dice(prior, test.labels))
        > np.nanmean(segmentation.dice(plain, test.labels)) + 0.1
    )


@pytest.mark.usefixtures("quick")
def test_every_method_is_measured_beside_every_other_without_a_prior() -> None:
    rows = list(segmentation.measure_segmentation(0, (2,)))
    assert {row.group for row in rows} == {"2 labelled"}
    plain = [row for row in rows if row.metric == "dice"]
    assert len(plain) == len(segmentation.METHODS) == 6
    assert all(0 <= row.group_error < 1 for row in plain)
    gains = {(row.method, row.against) for row in rows if row.against}
    assert ("Network, prior", "Network, coordinates") in gains
