import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hgld.labels.clustering.geometry import points_of
from hgld.labels.clustering.kmeans import (
    best_jaccard,
    cold_groups,
    group_means,
    inertia_of,
    settled_groups,
    stability_of,
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
    groups = cold_groups(blobs(3, 5), 3, seed=0, n_init=2).reshape(3, 5)
    assert (groups == groups[:, :1]).all()
    assert len(np.unique(groups)) == 3


def test_no_more_points_than_clusters_are_each_their_own() -> None:
    assert cold_groups(unit_vectors(4), 78, seed=0, n_init=1).tolist() == [0, 1, 2, 3]


def test_the_means_are_weighted() -> None:
    vectors = np.array([[0, 0], [4, 0], [0, 8]], dtype=np.float32)
    means = group_means(vectors, np.array([3.0, 1.0, 1.0]), np.array([0, 0, 2]), 3)
    assert means.tolist() == [[1, 0], [0, 0], [0, 8]]


def test_the_inertia_is_that_of_the_hand() -> None:
    vectors = np.array([[0, 0], [4, 0], [0, 8]], dtype=np.float32)
    # The mean of the first two is (2, 0): 4 + 4.
    assert inertia_of(vectors, np.array([0, 0, 1])) == 8


def test_the_order_of_the_rows_changes_nothing() -> None:
    vectors, order = blobs(5, 12, spread=0.3), np.random.default_rng(1).permutation(60)
    one, other = points_of(vectors), points_of(vectors[order])
    groups = cold_groups(one.vectors, 7, seed=0, n_init=2)[one.row]
    again = cold_groups(other.vectors, 7, seed=0, n_init=2)[other.row]
    np.testing.assert_array_equal(again, groups[order])


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
    cold = cold_groups(vectors, 12, seed=0, n_init=3)
    centres = group_means(vectors, ones(200), cold, 12).astype(np.float32)
    np.testing.assert_array_equal(warm_groups(vectors, cold, centres), cold)


def test_new_points_go_to_the_nearest_group_and_groups_keep_their_numbers() -> None:
    vectors = blobs(4, 6)
    before = np.repeat([2, 0, 3, 1], 6)
    start = before.copy()
    start[[0, 7, 8, 23]] = -1
    assert warm_groups(vectors, start, np.zeros((4, 16), np.float32)).tolist() == (before.tolist())


def test_groups_without_a_point_start_at_their_stored_centres() -> None:
    vectors = blobs(3, 6)
    before = np.array([0] * 6 + [-1] * 12)
    for order in ([0, 1, 2], [0, 2, 1]):
        centres = np.eye(16, dtype=np.float32)[order]
        groups = warm_groups(vectors, before, centres).tolist()
        assert groups == [0] * 6 + [order[1]] * 6 + [order[2]] * 6


def test_a_group_that_no_point_is_near_takes_the_one_that_is_furthest_out() -> None:
    vectors = np.array([[1, 0], [0.995, 0.1], [0.8, 0.6], [0, 1]], dtype=np.float32)
    groups = settled_groups(vectors, ones(4), np.array([0, 0, 0, 1]), 3)
    assert groups.tolist() == [0, 0, 2, 1]


def test_the_best_jaccard_equals_a_double_loop() -> None:
    random = np.random.default_rng(0)
    groups, others = random.integers(5, size=50), random.integers(7, size=50)
    expected = []
    for group in range(5):
        own = set(np.flatnonzero(groups == group).tolist())
        theirs = [set(np.flatnonzero(others == one).tolist()) for one in range(7)]
        expected.append(max(len(own & one) / len(own | one) for one in theirs))
    np.testing.assert_allclose(best_jaccard(groups, others, 5), expected)


def test_stability_equals_the_mean_over_draws_of_the_points_that_were_drawn() -> None:
    vectors = unit_vectors(60)
    groups = cold_groups(vectors, 4, seed=0, n_init=3)
    shares = []
    for draw in range(3):
        random = np.random.default_rng([5, draw])
        drawn = np.array(sorted(set(random.integers(60, size=60).tolist())))
        again = cold_groups(vectors[drawn], 4, seed=draw, n_init=1)
        shares.append(best_jaccard(groups[drawn], again, 4))
    found = stability_of(vectors, groups, draws=3, seed=5)
    np.testing.assert_allclose(found, np.mean(shares, axis=0))


def test_what_no_draw_hits_is_undefined_and_so_is_all_without_draws() -> None:
    vectors, groups = blobs(2, 16)[:17], np.array([0] * 16 + [1])
    hits = [stability_of(vectors, groups, draws=1, seed=seed)[1] for seed in range(12)]
    assert {bool(np.isnan(one)) for one in hits} == {True, False}
    none = stability_of(vectors, groups, draws=0, seed=0)
    assert none.shape == (2,)
    assert np.isnan(none).all()


def test_what_is_plain_to_see_is_stable_and_what_is_noise_is_not() -> None:
    vectors = np.concatenate([blobs(4, 12), unit_vectors(60, 16, seed=5)])
    groups = np.concatenate([np.repeat(np.arange(4), 12), 4 + np.arange(60) % 5])
    scores = stability_of(vectors, groups, draws=8, seed=0)
    assert scores[4:].max() < 0.4
    assert scores[:4].min() > 1.5 * scores[4:].max()
    renumbered = stability_of(vectors, 8 - groups, draws=8, seed=0)
    np.testing.assert_array_equal(renumbered[::-1], scores)
