"""Groups of labels, and which groups of before they are."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.labels.clustering.kmeans import Floats, Ints, points_of, settled_groups, warm_groups
from hgld.labels.clustering.matching import canonical_clusters, cluster_changes, matched_ids
from tests.hgld.labels.clustering.builds import unit_vectors

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


def test_a_group_that_no_point_is_near_takes_the_one_that_is_furthest_out() -> None:
    vectors = np.array([[1, 0], [0.995, 0.1], [0.8, 0.6], [0, 1]], dtype=np.float32)
    groups = settled_groups(vectors, np.array([0, 0, 0, 1]), 3)
    assert groups.tolist() == [0, 0, 2, 1]


def test_a_group_without_its_points_starts_at_its_stored_centre() -> None:
    """Of two such groups each takes what is new near it; without centres they would be swapped."""
    at = np.deg2rad([0, 1, 50, -55]).astype(np.float32)
    vectors = np.stack([np.cos(at), np.sin(at)], axis=1)
    groups = warm_groups(vectors, np.array([0, 0, -1, -1]), vectors[[0, 2, 3]])
    assert groups.tolist() == [0, 0, 1, 2]


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


def test_clusters_are_numbered_by_landmarks_and_then_by_the_smallest_qid() -> None:
    groups = np.array([5, 0, 5, 9, 2])
    landmarks = np.array([1, 3, 2, 4, 3])
    numbers = np.array([70, 20, 60, 80, 10])
    # totals: group 9 has 4; groups 0, 2 and 5 have 3, with smallest Q-ids 20, 10 and 60
    expected = [3, 2, 3, 0, 1]
    assert canonical_clusters(groups, landmarks, numbers).tolist() == expected


def test_pairs_keep_most_classes_and_not_the_first_that_fit() -> None:
    # Cluster 0 shares 3 with the old 7 and 2 with the old 8; cluster 1 shares 2 with 7 and none
    # with 8. Greedy keeps 3, one to one keeps 2 + 2.
    before = np.array([7, 7, 7, 8, 8, 7, 7])
    groups = np.array([0, 0, 0, 0, 0, 1, 1], dtype=np.int32)
    assert matched_ids(before, groups, unused=9).tolist() == [8] * 5 + [7] * 2


def test_each_change_has_its_name() -> None:
    before = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 2, "f": 2, "g": 3}
    after = {"a": 0, "b": 0, "c": 4, "d": 0, "e": 2, "f": 2, "n": 2, "m": 5}
    rows = cluster_changes(before, after).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("kept", 0, 0, 2),
        ("merged", 1, 0, 1),
        ("kept", 2, 2, 2),
        ("new", None, 2, 1),
        ("split", 0, 4, 1),
        ("new", None, 5, 1),
        ("gone", 3, None, 1),
    ]


_clusterings = st.dictionaries(st.integers(1, 40).map("Q{}".format), st.integers(0, 6))


@given(before=_clusterings, after=_clusterings)
def test_no_class_is_lost_or_counted_twice(before: dict[str, int], after: dict[str, int]) -> None:
    rows = cluster_changes(before, after).to_pylist()
    assert all(row["classes"] > 0 for row in rows)
    for side, clusters in (("cluster_id_before", before), ("cluster_id_after", after)):
        counts = Counter[int | None]()
        for row in rows:
            counts[row[side]] += row["classes"]
        counts.pop(None, None)  # those that are new or gone
        assert counts == Counter(clusters.values())
    assert sum(row["classes"] for row in rows) == len(before.keys() | after.keys())


@given(pairs=st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_ids_are_one_to_one_and_old_ones_share_a_class(pairs: list[tuple[int, int]]) -> None:
    before = np.array([one for one, _ in pairs])
    _, groups = np.unique([group for _, group in pairs], return_inverse=True)
    ids = matched_ids(before, groups.astype(np.int32), unused=6)
    assert len(set(zip(groups.tolist(), ids.tolist(), strict=True))) == len(set(ids.tolist()))
    for one in set(ids.tolist()):
        assert one >= 6 or one in before[ids == one]
