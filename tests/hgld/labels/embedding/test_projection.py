import math
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.errors import MissingInputError
from hgld.labels.embedding.projection import label_projection, quick_projection

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

Floats = NDArray[np.float32]
GROUPS = 10
COUNT = 20 * GROUPS


def unit(vectors: NDArray[np.floating]) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / norms, dtype=np.float32)


def groups_of(groups: int, each: int, width: int = 64, seed: int = 0) -> Floats:
    """Returns `each` vectors about each of so many random directions, group after group."""
    generator = np.random.default_rng(seed)
    centres = np.repeat(unit(generator.normal(size=(groups, width))), each, axis=0)
    return unit(centres + 0.06 * generator.normal(size=centres.shape))


def nearest(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Returns the nearest others of each point, (n, count)."""
    exact = points.astype(np.float64)
    distances = ((exact[:, None] - exact[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :count]


def kept(vectors: Floats, plane: Floats, count: int = 10) -> float:
    """Returns the share of the nearest that are among the nearest on the plane."""
    pairs = zip(nearest(vectors, count), nearest(plane, count), strict=True)
    return float(np.mean([len(set(a) & set(b)) / count for a, b in pairs]))


def moved(one: Floats, other: Floats) -> float:
    return float(np.median(np.linalg.norm(one - other, axis=1)))


@pytest.fixture(scope="module")
def vectors() -> Floats:
    """10 groups of 20 classes."""
    return groups_of(GROUPS, 20)


@pytest.fixture(scope="module")
def plane(vectors: Floats) -> Floats:
    return label_projection(vectors)


@pytest.mark.parametrize("lay_out", [quick_projection, label_projection])
@pytest.mark.parametrize("count", [0, 1, 2, 29, 30, 60])
def test_any_number_of_vectors_is_laid_out_from_0_to_1(count: int, lay_out: object) -> None:
    assert callable(lay_out)
    plane = lay_out(groups_of(5, 20)[:count])
    assert (plane.shape, plane.dtype) == ((count, 2), np.float32)
    assert np.isfinite(plane).all()
    if count == 1:
        assert plane.tolist() == [[0.5, 0.5]]
    if count > 1:
        assert len(np.unique(plane, axis=0)) == count
        low, high = plane.min(axis=0), plane.max(axis=0)
        assert (high - low).max() == pytest.approx(0.94, abs=1e-6)
        np.testing.assert_allclose((low + high) / 2, 0.5, atol=1e-6)


@pytest.mark.parametrize("lay_out", [quick_projection, label_projection])
def test_two_vectors_lie_at_the_ends_of_the_first_axis(lay_out: object) -> None:
    assert callable(lay_out)
    plane = lay_out(np.eye(4, dtype=np.float32)[:2])
    assert sorted(plane[:, 0].tolist()) == pytest.approx([0.03, 0.97])
    np.testing.assert_allclose(plane[:, 1], 0.5, atol=1e-5)


def test_the_quick_view_is_that_of_the_singular_vectors(vectors: Floats) -> None:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    centred -= centred.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    directions *= np.sign(directions[[0, 1], np.abs(directions).argmax(axis=1)])[:, None]
    scores = centred @ directions.T
    low, high = scores.min(axis=0), scores.max(axis=0)
    expected = 0.94 * (scores - (low + high) / 2) / (high - low).max() + 0.5
    np.testing.assert_allclose(quick_projection(vectors), expected, atol=1e-5)


def test_neighbours_on_the_map_are_of_one_group(vectors: Floats, plane: Floats) -> None:
    group = np.arange(COUNT) // 20
    on_map, on_view = (
        (group[nearest(points, 10)] == group[:, None]).mean()
        for points in (plane, quick_projection(vectors))
    )
    assert on_map > 0.97
    assert on_view < on_map - 0.05  # two of many dimensions


def divergence(vectors: Floats, plane: Floats, perplexity: float) -> float:
    """Returns KL(P || Q) by its definition, at the scale of the plane where it is least."""
    count = len(vectors)
    centred = unit(vectors - vectors.mean(axis=0)).astype(np.float64)
    p = np.zeros((count, count))
    for i in range(count):
        distances = [float(((centred[i] - centred[j]) ** 2).sum()) for j in range(count)]
        low, high = 0.0, 1e6
        for _ in range(50):
            beta = (low + high) / 2
            weights = [
                0.0 if j == i else math.exp(-beta * (one - min(distances[:i] + distances[i + 1 :])))
                for j, one in enumerate(distances)
            ]
            shares = [weight / sum(weights) for weight in weights]
            entropy = -sum(share * math.log(share) for share in shares if share > 0)
            low, high = (beta, high) if entropy > math.log(perplexity) else (low, beta)
        p[i] = shares
    p = (p + p.T) / (2 * count)
    squares = ((plane[:, None].astype(np.float64) - plane[None]) ** 2).sum(axis=2)
    found = []
    for scale in np.geomspace(1, 200, 40):
        q = 1 / (1 + scale**2 * squares)
        np.fill_diagonal(q, 0)
        q /= q.sum()
        is_there = p > 0
        found.append(float((p[is_there] * np.log(p[is_there] / q[is_there])).sum()))
    return min(found)


def test_the_map_has_less_divergence_than_the_quick_view_and_a_disturbed_map() -> None:
    vectors = groups_of(6, 8)
    plane = label_projection(vectors)
    own = divergence(vectors, plane, 47 / 3)
    assert own < 0.7 * divergence(vectors, quick_projection(vectors), 47 / 3)
    noise = np.random.default_rng(0).normal(scale=0.03, size=plane.shape).astype(np.float32)
    assert own < divergence(vectors, plane + noise, 47 / 3)


def test_the_order_of_the_vectors_changes_no_place(vectors: Floats, plane: Floats) -> None:
    order = np.random.default_rng(0).permutation(len(vectors))
    np.testing.assert_array_equal(label_projection(vectors[order]), plane[order])


def test_equal_vectors_share_a_place(vectors: Floats, plane: Floats) -> None:
    twice = np.vstack([vectors, vectors[:50]])
    again = label_projection(twice)
    np.testing.assert_array_equal(again[:50], again[COUNT:])
    assert len(np.unique(again, axis=0)) == COUNT
    same = label_projection(np.repeat(vectors[:1], 40, axis=0))
    np.testing.assert_array_equal(same, np.full((40, 2), 0.5))
    assert plane.shape == (COUNT, 2)


def test_the_map_is_the_same_whatever_threads_the_caller_allows(
    vectors: Floats, plane: Floats
) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2):
        np.testing.assert_array_equal(label_projection(vectors), plane)


def test_labels_stay_where_they_were_and_new_ones_come_to_their_neighbours(
    vectors: Floats,
) -> None:
    new = np.arange(0, COUNT, 20)  # one in each group
    old = np.setdiff1d(np.arange(COUNT), new)
    before = np.full((COUNT, 2), np.nan, dtype=np.float32)
    before[old] = label_projection(vectors[old])
    warm = label_projection(vectors, before)
    cold = label_projection(vectors)
    assert moved(warm[old], before[old]) < 0.03
    assert moved(warm[old], before[old]) < moved(cold[old], before[old]) / 3
    group = np.arange(COUNT) // 20
    assert (group[nearest(warm, 10)[new]] == new[:, None] // 20).mean() > 0.95
    assert kept(vectors, warm) > kept(vectors, cold) - 0.03


def test_a_map_of_another_encoder_or_of_few_of_the_labels_counts_for_nothing(
    vectors: Floats, plane: Floats
) -> None:
    """It knows the groups, but one class in five is in another."""
    order = np.arange(COUNT)
    order[::5] = np.random.default_rng(0).permutation(order[::5])
    other = label_projection(groups_of(GROUPS, 20, seed=5)[order])
    np.testing.assert_array_equal(label_projection(vectors, other), plane)
    few = plane.copy()
    few[COUNT // 2 - 1 :] = np.nan
    np.testing.assert_array_equal(label_projection(vectors, few), plane)


def test_places_of_other_vectors_are_refused(vectors: Floats, plane: Floats) -> None:
    with pytest.raises(ValueError, match="before"):
        label_projection(vectors, plane[1:])


def test_a_missing_library_is_named(vectors: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingInputError, match="threadpoolctl"):
        label_projection(vectors)
    assert quick_projection(vectors).shape == (COUNT, 2)
