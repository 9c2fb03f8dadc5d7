import numpy as np
import pytest

pytest.importorskip("torch", reason="needs `pip install 'hgld[train]'`")

from hgld.benchmarks.robustness.segmentation.volumes import SHAPE, make_volumes


def test_the_same_seed_makes_the_same_volumes_whatever_the_count() -> None:
    few, many = make_volumes(2, 5), make_volumes(4, 5)
    assert (few.images == many.images[:2]).all()
    assert (few.labels == many.labels[:2]).all()
    assert not (few.images == make_volumes(2, 6).images).all()
    assert (many.part(1, 3).labels == many.labels[1:3]).all()


def test_every_organ_is_there_and_near_its_place() -> None:
    labels = make_volumes(20, 0).labels
    for organ, middle in ((1, (8, 7, 7)), (2, (8, 14, 14)), (3, (8, 7, 15))):
        assert (labels == organ).any(axis=(1, 2, 3)).all()
        centre = np.argwhere(labels == organ)[:, 1:].mean(axis=0)
        np.testing.assert_allclose(centre, middle, atol=1.5)


def test_two_organs_look_alike_and_the_third_and_the_background_do_not() -> None:
    volumes = make_volumes(20, 0)
    means = [float(volumes.images[volumes.labels == organ].mean()) for organ in range(4)]
    assert means[1] == pytest.approx(means[2], abs=0.03)
    assert means[3] == pytest.approx(0.6, abs=0.03)
    assert means[0] < 0.2


def test_no_volumes_are_an_empty_array() -> None:
    assert make_volumes(0, 0).images.shape == (0, *SHAPE)
