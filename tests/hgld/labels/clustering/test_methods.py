import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.errors import InputError
from hgld.labels.clustering import methods
from hgld.labels.clustering.config import ClusterConfig, ClusterMethod
from hgld.labels.clustering.geometry import points_of, unit_rows
from hgld.labels.clustering.methods import group_points, placed_groups
from tests.hgld.labels.clustering.builds import blobs, unit_vectors

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

METHODS: tuple[ClusterMethod, ...] = ("kmeans", "ward", "average", "hdbscan")


def grouped(vectors: NDArray[np.float32], config: ClusterConfig) -> NDArray[np.int64]:
    return group_points(vectors, np.ones(len(vectors)), config, seed=0, n_init=2)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_what_is_plain_to_see(method: ClusterMethod) -> None:
    config = ClusterConfig(method=method, clusters=4)
    groups = grouped(blobs(4, 8), config).reshape(4, 8)
    assert (groups == groups[:, :1]).all()
    assert sorted(groups[:, 0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("method", METHODS)
def test_no_method_looks_at_the_order_of_the_rows(method: ClusterMethod) -> None:
    vectors, order = blobs(5, 12, spread=0.3), np.random.default_rng(1).permutation(60)
    config = ClusterConfig(method=method, clusters=7)
    one, other = points_of(vectors), points_of(vectors[order])
    groups = grouped(one.vectors, config)[one.row]
    np.testing.assert_array_equal(grouped(other.vectors, config)[other.row], groups[order])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_are_no_error_and_none_is_lost(method: ClusterMethod, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = grouped(unit_vectors(count), ClusterConfig(method=method, clusters=3))
    assert sorted(groups.tolist()) == list(range(count))


def test_noise_goes_to_the_nearest_centre_or_stays_alone() -> None:
    vectors = np.concatenate([blobs(3, 10, spread=0.02), np.eye(16, dtype=np.float32)[5:9]])
    vectors[30:, :3] = [-0.6, -0.7, -0.8]  # further from all of them than they are from each other
    vectors = unit_rows(vectors)
    nearest = grouped(vectors, ClusterConfig(method="hdbscan"))
    alone = grouped(vectors, ClusterConfig(method="hdbscan", unplaced="alone"))
    np.testing.assert_array_equal(nearest[:30], alone[:30])
    assert len(set(alone[30:].tolist())) == 4
    assert set(alone[30:].tolist()).isdisjoint(alone[:30].tolist())
    means = np.array([vectors[:30][nearest[:30] == one].mean(axis=0) for one in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert nearest[30:].tolist() == (vectors[30:] @ means.T).argmax(axis=1).tolist()


def test_with_no_group_at_all_each_is_its_own() -> None:
    vectors = unit_vectors(3)[[0, 1, 0, 2]]
    groups = placed_groups(vectors, np.full(4, -1), "nearest")
    assert groups[0] == groups[2]
    assert sorted(set(groups.tolist())) == [0, 1, 2]


def test_more_points_than_pairs_fit_into_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(methods, "MOST_PAIRED", 10)
    with pytest.raises(InputError, match="ward"):
        grouped(unit_vectors(11), ClusterConfig(method="ward"))
