import logging
import math
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.errors import MissingInputError
from hgld.labels.embedding import projection
from hgld.labels.embedding.projection import label_projection, quick_projection

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

Floats = NDArray[np.float32]


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
    """30 groups of 20 classes."""
    return groups_of(30, 20)


@pytest.fixture(scope="module")
def plane(vectors: Floats) -> Floats:
    return label_projection(vectors)


@pytest.mark.parametrize("lay_out", [quick_projection, label_projection])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 29, 30, 31, 60, 100])
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


@pytest.mark.parametrize("lay_out", [quick_projection, label_projection])
def test_vectors_of_one_number_are_laid_out_too(lay_out: object) -> None:
    assert callable(lay_out)
    vectors = np.array([[1.0], [-1.0], [1.0]], dtype=np.float32)
    plane = lay_out(vectors)
    assert plane[0, 0] == plane[2, 0]
    assert abs(plane[0, 0] - plane[1, 0]) == pytest.approx(0.94)


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
    group = np.arange(600) // 20
    is_same = group[nearest(plane, 10)] == group[:, None]
    assert is_same.mean() > 0.97
    is_same = group[nearest(quick_projection(vectors), 10)] == group[:, None]
    assert is_same.mean() < 0.7  # two of 30 dimensions


def divergence(vectors: Floats, plane: Floats, perplexity: float) -> float:
    """Returns KL(P || Q) by its definition, at the scale of the plane where it is least."""
    count = len(vectors)
    centred = unit(vectors - vectors.mean(axis=0)).astype(np.float64)
    p = np.zeros((count, count))
    for i in range(count):
        distances = [float(((centred[i] - centred[j]) ** 2).sum()) for j in range(count)]
        low, high = 0.0, 1e6
        for _ in range(100):
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
    vectors = groups_of(8, 8)
    plane = label_projection(vectors)
    own = divergence(vectors, plane, 21)
    assert own < 0.7 * divergence(vectors, quick_projection(vectors), 21)
    noise = np.random.default_rng(0).normal(scale=0.03, size=plane.shape).astype(np.float32)
    assert own < divergence(vectors, plane + noise, 21)


def test_the_order_of_the_vectors_changes_no_place(vectors: Floats, plane: Floats) -> None:
    order = np.random.default_rng(0).permutation(len(vectors))
    np.testing.assert_array_equal(label_projection(vectors[order]), plane[order])


def test_equal_vectors_share_a_place(vectors: Floats, plane: Floats) -> None:
    twice = np.vstack([vectors, vectors[:50]])
    again = label_projection(twice)
    np.testing.assert_array_equal(again[:50], again[600:])
    assert len(np.unique(again, axis=0)) == 600
    same = label_projection(np.repeat(vectors[:1], 40, axis=0))
    np.testing.assert_array_equal(same, np.full((40, 2), 0.5))
    assert plane.shape == (600, 2)


def test_the_map_is_that_of_one_thread_whatever_the_caller_allows(
    vectors: Floats, plane: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    used = []
    principal = projection._principal

    def watched(points: Floats) -> NDArray[np.float64]:
        used.append({pool["num_threads"] for pool in threadpool_info()})
        return principal(points)

    monkeypatch.setattr(projection, "_principal", watched)
    for threads in (1, 2):
        with threadpool_limits(threads):
            np.testing.assert_array_equal(label_projection(vectors), plane)
    assert used == [{1}, {1}]


def without_places(plane: Floats, rows: NDArray[np.integer]) -> Floats:
    before = plane.copy()
    before[rows] = np.nan
    return before


def test_labels_stay_where_they_were_and_new_ones_come_to_their_neighbours(
    vectors: Floats, caplog: pytest.LogCaptureFixture
) -> None:
    new = np.arange(0, 600, 20)  # one in each group
    old = np.setdiff1d(np.arange(600), new)
    before = np.full((600, 2), np.nan, dtype=np.float32)
    before[old] = label_projection(vectors[old])
    with caplog.at_level(logging.INFO):
        warm = label_projection(vectors, before)
    assert "map: starts from that of before, with 30 new labels" in caplog.text
    cold = label_projection(vectors)
    assert moved(warm[old], before[old]) < 0.02
    assert moved(warm[old], before[old]) < moved(cold[old], before[old]) / 4
    group = np.arange(600) // 20
    assert (group[nearest(warm, 10)[new]] == new[:, None] // 20).mean() > 0.95
    assert kept(vectors, warm) > kept(vectors, cold) - 0.03


def test_a_map_is_shifted_and_scaled_to_where_it_started() -> None:
    start = np.random.default_rng(0).random((50, 2))
    held = projection._held((30 * start - 7).astype(np.float32), start)
    np.testing.assert_allclose(held, start, atol=1e-5)
    # By hand: of two points at 0 and 2 that began at 0 and 1, and did not leave a line.
    held = projection._held(
        np.array([[0, 0], [2, 0]], dtype=np.float32), np.array([[0.0, 0.0], [1.0, 0.0]])
    )
    np.testing.assert_allclose(held, [[0, 0], [1, 0]], atol=1e-7)


def test_a_map_that_outgrows_its_frame_is_fitted_in_again(
    vectors: Floats, plane: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grown(points: Floats, start: NDArray[np.float64]) -> Floats:
        assert points.shape == (600, 64)
        return np.asarray(start * np.where(np.arange(600) == 0, 3, 1)[:, None], dtype=np.float32)

    monkeypatch.setattr(projection, "_warm", grown)
    fitted = label_projection(vectors, plane)
    assert fitted.min() >= 0
    assert fitted.max() <= 1


def test_a_map_does_not_drift_apart_over_many_scrapes(vectors: Floats) -> None:
    order = np.random.default_rng(0).permutation(600)
    there = order[:400]
    places = dict(zip(there.tolist(), label_projection(vectors[there]), strict=True))
    first = dict(places)
    for end in (450, 500, 550, 600):
        there = order[:end]
        nowhere = np.full(2, np.nan, dtype=np.float32)
        before = np.array([places.get(row, nowhere) for row in there.tolist()])
        now = label_projection(vectors[there], before)
        places = dict(zip(there.tolist(), now, strict=True))
    stayed = sorted(first)
    one, other = (np.array([each[row] for row in stayed]) for each in (first, places))
    assert moved(one, other) < 0.05
    assert kept(vectors[order], now) > kept(vectors, label_projection(vectors)) - 0.05


def test_a_class_with_another_label_moves_there_and_the_others_stay(
    vectors: Floats, plane: Floats
) -> None:
    changed = vectors.copy()
    # The first of each of the first ten groups goes to the group ten further on.
    gone = np.arange(0, 200, 20)
    noise = np.random.default_rng(1).normal(size=(10, 64))
    changed[gone] = unit(vectors[gone + 205] + 0.01 * noise)
    now = label_projection(changed, plane)
    group = np.arange(600) // 20
    assert (group[nearest(now, 10)[gone]] == (gone[:, None] + 205) // 20).mean() > 0.95
    others = np.setdiff1d(np.arange(600), gone)
    assert moved(now[others], plane[others]) < 0.02


def test_the_map_of_another_encoder_counts_for_nothing(
    vectors: Floats, plane: Floats, caplog: pytest.LogCaptureFixture
) -> None:
    """It knows the groups, but one class in five is in another."""
    order = np.arange(600)
    order[::5] = np.random.default_rng(0).permutation(order[::5])
    other = label_projection(groups_of(30, 20, seed=5)[order])
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(label_projection(vectors, other), plane)
    assert "map: starts cold: that of before is of another encoder or prompt" in caplog.text


def test_a_map_of_few_of_the_labels_counts_for_nothing(
    vectors: Floats, plane: Floats, caplog: pytest.LogCaptureFixture
) -> None:
    for known in (0, 299):
        before = without_places(plane, np.arange(known, 600))
        with caplog.at_level(logging.INFO):
            np.testing.assert_array_equal(label_projection(vectors, before), plane)
        assert f"map: starts cold: {known} of 600 labels were on it before" in caplog.text


def test_of_classes_that_share_a_vector_the_first_with_a_place_counts(vectors: Floats) -> None:
    plane = label_projection(vectors)
    twice = np.vstack([vectors, vectors])
    elsewhere = plane[::-1].copy()
    before = np.vstack([plane, elsewhere])
    before[10] = np.nan
    first = np.vstack([plane, elsewhere])
    first[600 + np.delete(np.arange(600), 10)] = np.nan  # what must not count
    first[10] = np.nan
    np.testing.assert_array_equal(label_projection(twice, before), label_projection(twice, first))


def test_places_of_other_vectors_are_refused(vectors: Floats, plane: Floats) -> None:
    with pytest.raises(ValueError, match=r"before must have shape \(600, 2\), got \(599, 2\)"):
        label_projection(vectors, plane[1:])


def test_a_missing_library_is_named(vectors: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingInputError, match="the map of labels needs threadpoolctl: "):
        label_projection(vectors)
    assert quick_projection(vectors).shape == (600, 2)
