import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.labels.clustering import kmeans
from hgld.labels.clustering.kmeans import Floats, Ints, points_of, settled_groups
from tests.hgld.labels.clustering.builds import blobs, unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def brute_force_is_settled(vectors: Floats, groups: Ints) -> bool:
    """Says whether every point is with the nearest mean, as a double loop."""
    means = {group: vectors[groups == group].mean(axis=0) for group in set(groups.tolist())}
    for vector, group in zip(vectors, groups, strict=True):
        distances = {one: ((vector - mean) ** 2).sum() for one, mean in means.items()}
        if min(distances.values()) < distances[group] - 2e-5:
            return False
    return True


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 40), st.integers(1, 10), st.integers(0, 1000), st.integers(2, 6))
def test_what_has_settled_is_a_fixed_point(count: int, clusters: int, seed: int, size: int) -> None:
    vectors = points_of(unit_vectors(count, size, seed)).vectors
    clusters = min(clusters, len(vectors))
    random = np.random.default_rng(seed)
    start = random.integers(clusters, size=len(vectors))
    groups = settled_groups(vectors, start, clusters)
    assert set(groups.tolist()) == set(range(clusters))
    assert brute_force_is_settled(vectors, groups)
    again = settled_groups(vectors, groups, clusters)
    np.testing.assert_array_equal(again, groups)


def test_new_points_go_to_the_nearest_group_and_groups_keep_their_numbers() -> None:
    vectors = blobs(4, 6)
    before = np.repeat([2, 0, 3, 1], 6)
    start = before.copy()
    start[[0, 7, 8, 23]] = -1
    groups = kmeans.warm_groups(vectors, start, np.zeros((4, 16), np.float32))
    assert groups.tolist() == before.tolist()


def test_a_group_that_no_point_is_near_takes_the_one_that_is_furthest_out() -> None:
    vectors = np.array([[1, 0], [0.995, 0.1], [0.8, 0.6], [0, 1]], dtype=np.float32)
    groups = settled_groups(vectors, np.array([0, 0, 0, 1]), 3)
    assert groups.tolist() == [0, 0, 2, 1]


def test_centring_takes_the_mean_off_and_restores_the_norm() -> None:
    vectors = np.array([[0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    points = points_of(vectors)
    # The mean is (.7, .7), so that (-.1, .1) and (.1, -.1) are left.
    half = np.array([[-1, 1], [1, -1]]) * 0.5**0.5
    np.testing.assert_allclose(points.vectors[points.row], half, atol=1e-6)
    np.testing.assert_allclose(points.mean, [0.7, 0.7], atol=1e-7)
    # The mean itself becomes zero, and no number is undefined.
    np.testing.assert_array_equal(points_of(unit_vectors(1)).vectors, np.zeros((1, 8)))


def test_points_depend_neither_on_the_order_of_the_rows_nor_on_repetition() -> None:
    vectors, order = unit_vectors(30), np.random.default_rng(1).permutation(30)
    points, shuffled = points_of(vectors), points_of(vectors[order])
    np.testing.assert_array_equal(points.vectors, shuffled.vectors)
    np.testing.assert_array_equal(points.row[order], shuffled.row)
    twice = points_of(np.concatenate([vectors, vectors[:5]]))
    np.testing.assert_array_equal(points.vectors, twice.vectors)
    np.testing.assert_array_equal(twice.row[30:], points.row[:5])
    # What two batches make of one text is one point.
    nearly = vectors[:4] + np.float32(2e-8)
    assert len(points_of(np.concatenate([vectors[:4], nearly])).vectors) == 4
