from pathlib import Path

import numpy as np
import pytest

from hgld.labels.clustering.geometry import cluster_centres, points_of, unit_rows
from hgld.labels.clustering.kmeans import cold_groups
from hgld.labels.scikit_learn import one_thread
from tests.hgld.labels.clustering.builds import unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def test_centring_takes_the_mean_off_and_restores_the_norm() -> None:
    vectors = np.array([[0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    points = points_of(vectors)
    # The mean is (.7, .7), so that (-.1, .1) and (.1, -.1) are left.
    half = 0.5**0.5
    np.testing.assert_allclose(
        points.vectors[points.row], [[-half, half], [half, -half]], atol=1e-6
    )
    np.testing.assert_allclose(points.mean, [0.7, 0.7], atol=1e-7)


def test_without_centring_vectors_stay_as_they_are() -> None:
    vectors = unit_vectors(5)
    points = points_of(vectors, centre=False)
    np.testing.assert_allclose(points.vectors[points.row], vectors, atol=1e-6)


def test_the_mean_itself_is_zero_and_no_number_is_undefined() -> None:
    np.testing.assert_array_equal(points_of(unit_vectors(1)).vectors, np.zeros((1, 8)))


def test_points_depend_neither_on_the_order_of_the_rows_nor_on_repetition() -> None:
    vectors, order = unit_vectors(30), np.random.default_rng(1).permutation(30)
    points, shuffled = points_of(vectors), points_of(vectors[order])
    np.testing.assert_array_equal(points.vectors, shuffled.vectors)
    np.testing.assert_array_equal(points.row[order], shuffled.row)
    twice = points_of(np.concatenate([vectors, vectors[:5]]))
    np.testing.assert_array_equal(points.vectors, twice.vectors)
    np.testing.assert_array_equal(twice.row[30:], points.row[:5])


def test_what_two_batches_make_of_one_text_is_one_point() -> None:
    vectors = unit_vectors(4)
    nearly = vectors + np.float32(2e-8)
    assert len(points_of(np.concatenate([vectors, nearly])).vectors) == 4


def test_a_centre_is_the_mean_direction_and_nothing_is_like_a_mean_of_zero() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [-1, 0]], dtype=np.float32)
    centres = cluster_centres(vectors, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(centres, [[0.5**0.5, 0.5**0.5], [0, 0]], atol=1e-7)


def test_centring_evens_out_the_clusters_of_real_clip_vectors(shared: Path) -> None:
    """The figures over seeds stand in `points_of`; here one start each."""
    with np.load(shared / "clip_vectors" / "clip_text_vectors.npz") as file:
        vectors = unit_rows(file["vectors"])[::3]
    uneven = {}
    with one_thread():
        for centre in (False, True):
            points = points_of(vectors, centre=centre)
            mean_cosine = (points.vectors @ points.vectors.T).mean()
            assert mean_cosine < 0.01 if centre else mean_cosine > 0.7
            groups = cold_groups(points.vectors, 40, seed=0, n_init=1)
            sizes = np.bincount(groups)
            assert len(sizes) == 40
            uneven[centre] = sizes.std() / sizes.mean()
    assert uneven[True] < 0.9 * uneven[False]
