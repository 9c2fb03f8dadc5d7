import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.clustering.geometry import points_of
from hgld.labels.clustering.stability import best_jaccard, bootstrap_stability, point_stability
from tests.hgld.labels.clustering.builds import blobs, unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def test_the_best_jaccard_equals_a_double_loop() -> None:
    random = np.random.default_rng(0)
    groups, others = random.integers(5, size=50), random.integers(7, size=50)
    expected = []
    for group in range(5):
        own = set(np.flatnonzero(groups == group).tolist())
        theirs = [set(np.flatnonzero(others == one).tolist()) for one in range(7)]
        expected.append(max(len(own & one) / len(own | one) for one in theirs))
    np.testing.assert_allclose(best_jaccard(groups, others, 5), expected)


def test_a_cluster_that_is_always_found_again_has_1() -> None:
    groups = np.repeat([0, 1, 2], 10)
    found = bootstrap_stability(groups, lambda drawn, _: 9 - groups[drawn], draws=5, seed=0)
    assert found.tolist() == [1, 1, 1]


def test_a_cluster_is_compared_on_the_drawn_points_alone() -> None:
    groups = np.repeat([0, 1], 50)
    draws: list[NDArray[np.int64]] = []

    def halved(drawn: NDArray[np.int64], _: int) -> NDArray[np.int64]:
        draws.append(drawn)
        return np.where(groups[drawn] == 0, 0, 1 + drawn % 2)

    found = bootstrap_stability(groups, halved, draws=4, seed=0)
    assert len(draws) == 4
    assert all(50 < len(drawn) < 75 for drawn in draws)  # of 100: 63 in the mean
    shares = []
    for drawn in draws:
        inside = drawn[groups[drawn] == 1]
        odd = (inside % 2).mean()
        shares.append(max(odd, 1 - odd))
    np.testing.assert_allclose(found, [1, np.mean(shares)])


def test_what_no_draw_hits_is_undefined_and_so_is_all_without_draws() -> None:
    groups = np.array([0] * 30 + [1])
    hits = [
        bootstrap_stability(groups, lambda drawn, _: groups[drawn], draws=1, seed=seed)[1]
        for seed in range(12)
    ]
    assert {bool(np.isnan(one)) for one in hits} == {True, False}
    none = bootstrap_stability(groups, lambda drawn, _: groups[drawn], draws=0, seed=0)
    assert np.isnan(none).all()
    assert none.shape == (2,)


def test_what_is_plain_to_see_is_stable_and_what_is_noise_is_not() -> None:
    vectors = np.concatenate([blobs(4, 12), unit_vectors(60, 16, seed=5)])
    points = points_of(vectors, centre=False)
    groups = np.concatenate([np.repeat(np.arange(4), 12), 4 + np.arange(60) % 5])
    config = ClusterConfig(clusters=9, draws=8)
    order = np.empty(len(vectors), dtype=np.int64)
    order[points.row] = groups
    scores = point_stability(points, order, config)
    assert scores[4:].max() < 0.4
    assert scores[:4].min() > 1.5 * scores[4:].max()
    np.testing.assert_array_equal(point_stability(points, order, config), scores)
    renumbered = point_stability(points, 8 - order, config)
    np.testing.assert_array_equal(renumbered[::-1], scores)
