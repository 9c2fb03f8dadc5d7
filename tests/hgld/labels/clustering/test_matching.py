from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hgld.labels.clustering.matching import canonical_clusters, cluster_changes, matched_ids


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
