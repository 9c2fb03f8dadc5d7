"""The example of a spatial prior, beside values by hand."""

import numpy as np
import pytest

from hgld.benchmarks.robustness import segmentation


def test_the_prior_knows_nothing_of_unknown_voxels() -> None:
    unknown = np.full((3, 2, 2, 2), segmentation.UNKNOWN_VOXEL)
    assert (segmentation.spatial_prior(unknown, 4) == 0.25).all()
    blurred = segmentation.spatial_prior(segmentation.make_volumes(3, 0).labels)
    np.testing.assert_allclose(blurred.sum(axis=0), 1)
    assert (blurred > 0).all()


def test_volumes_are_those_of_the_seed_whatever_the_count() -> None:
    few, many = segmentation.make_volumes(2, 7), segmentation.make_volumes(5, 7)
    assert few.images.shape == (2, *segmentation.SHAPE)
    assert (few.images == many.images[:2]).all()
    assert set(np.unique(many.labels)) == {0, 1, 2, 3}
    assert (segmentation.make_volumes(2, 8).images != few.images).any()


def test_a_network_learns_and_the_prior_tells_organs_that_look_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segmentation, "STEPS", 30)
    own, test = segmentation.make_volumes(3, 1), segmentation.make_volumes(2, 2)
    methods = (segmentation.METHODS[one] for one in ("Network", "Network, prior"))
    found = [segmentation.segment(own, own.images, test.images, one, 0) for one in methods]
    plain, prior = (np.nanmean(segmentation.dice(one, test.labels)) for one in found)
    assert prior > plain + 0.1


@pytest.mark.usefixtures("quick")
def test_every_method_is_measured_beside_every_other_without_a_prior() -> None:
    (found,) = segmentation.measure_segmentation(0, (2,))
    assert found.group == "2 labelled"
    part = segmentation.SEGMENTATION
    assert {*part.subjects, *part.rivals} == found.scores.keys() == segmentation.METHODS.keys()
    assert "Network, coordinates" in part.rivals
    assert all(((one >= 0) & (one <= 1)).all() for one in found.scores.values())
