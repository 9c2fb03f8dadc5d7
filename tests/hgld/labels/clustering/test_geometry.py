from pathlib import Path

import numpy as np
import pytest

from hgld.labels.clustering.geometry import Geometry, cluster_centres, points_of, unit_rows
from hgld.labels.clustering.kmeans import cold_groups
from hgld.labels.scikit_learn import one_thread
from tests.hgld.labels.clustering.builds import unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def test_centring_takes_the_mean_off_and_restores_the_norm() -> None:
    vectors = np.array([[0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    geometry = Geometry.fit(vectors, centre=True, whiten=False)
    # The mean is (.7, .7), so that (-.1, .1) and (.1, -.1) are left.
    half = 0.5**0.5
    np.testing.assert_allclose(geometry.apply(vectors), [[-half, half], [half, -half]], atol=1e-6)


def test_whitening_gives_directions_of_meaning_about_equal_variance() -> None:
    spread = np.array([4.0, 1.0, 0.5, 0.01])
    vectors = unit_rows(np.random.default_rng(0).normal(size=(500, 4)) * spread)
    before = np.linalg.eigvalsh(np.cov(vectors.T))
    geometry = Geometry.fit(vectors, centre=True, whiten=True)
    assert geometry.scale is not None
    after = np.linalg.eigvalsh(np.cov(((vectors - geometry.mean) @ geometry.scale).T))
    # v / (v + mean v) of each variance v
    np.testing.assert_allclose(after, before / (before + before.mean()), rtol=1e-2)
    assert after[-1] / after[-2] < 0.5 * before[-1] / before[-2]


def test_without_either_vectors_stay_as_they_are() -> None:
    vectors = unit_vectors(5)
    geometry = Geometry.fit(vectors, centre=False, whiten=False)
    np.testing.assert_allclose(geometry.apply(vectors), vectors, atol=1e-7)


@pytest.mark.parametrize("whiten", [False, True])
def test_the_mean_itself_is_zero_and_no_number_is_undefined(whiten: bool) -> None:
    one = unit_vectors(1)
    geometry = Geometry.fit(one, centre=True, whiten=whiten)
    np.testing.assert_array_equal(geometry.apply(one), np.zeros((1, 8)))


def test_points_depend_neither_on_the_order_of_the_rows_nor_on_repetition() -> None:
    vectors, order = unit_vectors(30), np.random.default_rng(1).permutation(30)
    points, shuffled = points_of(vectors), points_of(vectors[order])
    np.testing.assert_array_equal(points.vectors, shuffled.vectors)
    np.testing.assert_array_equal(points.row[order], shuffled.row)
    twice = points_of(np.concatenate([vectors, vectors[:5]]))
    np.testing.assert_array_equal(points.vectors, twice.vectors)
    np.testing.assert_array_equal(twice.row[30:], points.row[:5])
    assert twice.weights.tolist() == [1] * 30


def test_by_landmarks_a_point_weighs_the_sum_over_its_classes() -> None:
    vectors = unit_vectors(3)[[0, 1, 0, 2]]
    points = points_of(vectors, np.array([5, 7, 11, 13]))
    assert points.weights[points.row].tolist() == [16, 7, 16, 13]


def test_what_two_batches_make_of_one_text_is_one_point() -> None:
    vectors = unit_vectors(4)
    nearly = vectors + np.float32(2e-8)
    assert len(points_of(np.concatenate([vectors, nearly])).vectors) == 4


def test_with_a_prior_cosines_are_shared_out() -> None:
    vectors = unit_vectors(4)
    features = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.float32)
    points = points_of(vectors, centre=False, prior=(features, 0.25))
    cosines = points.vectors[points.row] @ points.vectors[points.row].T
    texts = vectors @ vectors.T
    assert cosines[0, 1] == pytest.approx(0.75 * texts[0, 1] + 0.25, abs=1e-5)
    assert cosines[0, 2] == pytest.approx(0.75 * texts[0, 2], abs=1e-5)
    # A class without superclasses is its text alone, at unit norm.
    assert cosines[0, 3] == pytest.approx(0.75**0.5 * texts[0, 3], abs=1e-5)
    np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-5)


def test_one_text_with_other_superclasses_is_two_points() -> None:
    features = np.array([[1, 0], [0, 1]], dtype=np.float32)
    vectors = np.repeat(unit_vectors(1), 2, axis=0)
    assert len(points_of(vectors, centre=False, prior=(features, 0.25)).vectors) == 2


def test_a_centre_is_the_mean_direction_and_nothing_is_like_a_mean_of_zero() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [-1, 0]], dtype=np.float32)
    centres = cluster_centres(vectors, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(centres, [[0.5**0.5, 0.5**0.5], [0, 0]], atol=1e-7)


def test_centring_evens_out_the_clusters_of_real_clip_vectors(shared: Path) -> None:
    """The figures over seeds stand in `Geometry`; here one start each."""
    with np.load(shared / "clip_vectors" / "clip_text_vectors.npz") as file:
        vectors = unit_rows(file["vectors"])[::3]
    uneven = {}
    with one_thread():
        for centre in (False, True):
            points = points_of(vectors, centre=centre)
            mean_cosine = (points.vectors @ points.vectors.T).mean()
            assert mean_cosine < 0.01 if centre else mean_cosine > 0.7
            groups = cold_groups(points.vectors, points.weights, 40, seed=0, n_init=1)
            sizes = np.bincount(groups)
            assert len(sizes) == 40
            uneven[centre] = sizes.std() / sizes.mean()
    assert uneven[True] < 0.9 * uneven[False]
