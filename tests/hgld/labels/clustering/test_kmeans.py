import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hgld.labels.clustering.geometry import points_of
from hgld.labels.clustering.kmeans import (
    cold_groups,
    group_means,
    inertia_of,
    settled_groups,
    warm_groups,
)
from tests.hgld.labels.clustering.builds import blobs, unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def ones(count: int) -> NDArray[np.float64]:
    return np.ones(count)


def brute_force_is_settled(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], groups: NDArray[np.int64]
) -> bool:
    """Says whether every point is with the nearest mean, as a double loop."""
    means = {
        group: np.average(vectors[groups == group], axis=0, weights=weights[groups == group])
        for group in set(groups.tolist())
    }
    for vector, group in zip(vectors, groups, strict=True):
        distances = {one: ((vector - mean) ** 2).sum() for one, mean in means.items()}
        if min(distances.values()) < distances[group] - 2e-5:
            return False
    return True


def test_vectors_that_lie_together_share_a_group() -> None:
    groups = cold_groups(blobs(3, 5), ones(15), 3, seed=0, n_init=2).reshape(3, 5)
    assert (groups == groups[:, :1]).all()
    assert len(np.unique(groups)) == 3


def test_no_more_points_than_clusters_are_each_their_own() -> None:
    assert cold_groups(unit_vectors(4), ones(4), 78, seed=0, n_init=1).tolist() == [0, 1, 2, 3]


def test_the_means_are_weighted() -> None:
    vectors = np.array([[0, 0], [4, 0], [0, 8]], dtype=np.float32)
    means = group_means(vectors, np.array([3.0, 1.0, 1.0]), np.array([0, 0, 2]), 3)
    assert means.tolist() == [[1, 0], [0, 0], [0, 8]]


def test_the_inertia_is_that_of_the_hand() -> None:
    vectors = np.array([[0, 0], [4, 0], [0, 8]], dtype=np.float32)
    # The mean of the first two is (1, 0): 3 x 1 + 1 x 9.
    assert inertia_of(vectors, np.array([3.0, 1.0, 1.0]), np.array([0, 0, 1])) == 12


def test_weights_move_what_clusters_are() -> None:
    vectors = unit_vectors(80)
    heavy = np.where(np.arange(80) < 8, 1000.0, 1.0)
    groups = cold_groups(vectors, heavy, 8, seed=0, n_init=5)
    # Eight heavy points and eight clusters: each cluster is about one of them.
    assert len(set(groups[:8].tolist())) == 8
    assert len(set(cold_groups(vectors, ones(80), 8, seed=0, n_init=5)[:8].tolist())) < 8


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(2, 40),
    clusters=st.integers(1, 10),
    seed=st.integers(0, 1000),
    width=st.integers(2, 6),
)
def test_what_has_settled_is_a_fixed_point_with_no_group_empty(
    count: int, clusters: int, seed: int, width: int
) -> None:
    points = points_of(unit_vectors(count, width, seed))
    clusters = min(clusters, len(points.vectors))
    random = np.random.default_rng(seed)
    weights = random.uniform(0.5, 20, len(points.vectors))
    start = random.integers(clusters, size=len(points.vectors))
    groups = settled_groups(points.vectors, weights, start, clusters)
    assert set(groups.tolist()) == set(range(clusters))
    assert brute_force_is_settled(points.vectors, weights, groups)
    again = settled_groups(points.vectors, weights, groups, clusters)
    np.testing.assert_array_equal(again, groups)


def test_a_cold_result_is_the_warm_result_from_itself() -> None:
    vectors = unit_vectors(200)
    cold = cold_groups(vectors, ones(200), 12, seed=0, n_init=3)
    centres = group_means(vectors, ones(200), cold, 12).astype(np.float32)
    np.testing.assert_array_equal(warm_groups(vectors, ones(200), cold, centres), cold)


def test_new_points_go_to_the_nearest_group_and_groups_keep_their_numbers() -> None:
    vectors = blobs(4, 6)
    before = np.repeat([2, 0, 3, 1], 6)
    start = before.copy()
    start[[0, 7, 8, 23]] = -1
    assert warm_groups(vectors, ones(24), start, np.zeros((4, 16), np.float32)).tolist() == (
        before.tolist()
    )


def test_groups_without_a_point_start_at_their_stored_centres() -> None:
    vectors = blobs(3, 6)
    before = np.array([0] * 6 + [-1] * 12)
    for order in ([0, 1, 2], [0, 2, 1]):
        centres = np.eye(16, dtype=np.float32)[order]
        groups = warm_groups(vectors, ones(18), before, centres).tolist()
        assert groups == [0] * 6 + [order[1]] * 6 + [order[2]] * 6


def test_a_group_that_no_point_is_near_takes_the_one_that_is_furthest_out() -> None:
    vectors = np.array([[1, 0], [0.995, 0.1], [0.8, 0.6], [0, 1]], dtype=np.float32)
    groups = settled_groups(vectors, ones(4), np.array([0, 0, 0, 1]), 3)
    assert groups.tolist() == [0, 0, 2, 1]
