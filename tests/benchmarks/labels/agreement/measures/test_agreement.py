"""Accuracy, F1, coverage and intervals, beside loops over landmarks."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from hgld.benchmarks.labels.agreement.measures.agreement import (
    accuracy,
    accuracy_where_both,
    estimate_all,
    macro_f1,
)
from hgld.benchmarks.labels.agreement.measures.contingency import (
    Contingency,
    cross_tabulate,
    draws_of,
)

Labels = Sequence[str | None]
OFFICIAL: Labels = ["lake", "lake", "lake", "church", "church", "tree", None, None]
OURS: Labels = ["lake", "church", None, "church", "tree", "bath", "bath", None]


def table_of(official: Labels, ours: Labels) -> Contingency:
    columns = [pa.chunked_array([pa.array(side, pa.string())]) for side in (official, ours)]
    return cross_tabulate(*columns)


def counts_of(table: Contingency) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return table.counts[None, :]


def f1_by_landmarks(official: Labels, ours: Labels) -> float:
    labelled = [(a, b) for a, b in zip(official, ours, strict=True) if a is not None]
    values = []
    for label in {a for a, _ in labelled}:
        right = missed = wrong = 0
        for a, b in labelled:
            right += a == b == label
            missed += a == label != b
            wrong += b == label != a
        values.append(2 * right / (2 * right + missed + wrong))
    return sum(values) / len(values)


def random_labels(seed: int, landmarks: int = 60) -> tuple[Labels, Labels]:
    generator = np.random.default_rng(seed)
    names = [None, *"abcdefg"]
    official = generator.integers(0, len(names), landmarks)
    ours = np.where(
        generator.random(landmarks) < 0.5, official, generator.integers(0, 8, landmarks)
    )
    return [names[i] for i in official], [names[i] for i in ours]


def test_equals_the_values_by_hand() -> None:
    table = table_of(OFFICIAL, OURS)
    # of 6 officially labelled, lake and church are right once; one of them has no label of ours
    assert accuracy(table, counts_of(table)).tolist() == [2 / 6]
    assert accuracy_where_both(table, counts_of(table)).tolist() == [2 / 5]
    # lake 2*1/(3+1), church 2*1/(2+2), tree 0: it is given once, and wrongly
    assert macro_f1(table, counts_of(table)).tolist() == pytest.approx([(1 / 2 + 1 / 2 + 0) / 3])
    found = estimate_all(table, draws=0, seed=0)
    shares = ("labelled_by_both", "only_ours", "only_official", "labelled_by_neither")
    assert [found[name].value for name in shares] == [5 / 8, 1 / 8, 1 / 8, 1 / 8]


@pytest.mark.parametrize("seed", range(6))
def test_equals_a_loop_over_landmarks(seed: int) -> None:
    official, ours = random_labels(seed)
    table = table_of(official, ours)
    assert macro_f1(table, counts_of(table)).tolist() == pytest.approx(
        [f1_by_landmarks(official, ours)]
    )
    pairs = [(a, b) for a, b in zip(official, ours, strict=True) if a is not None]
    right = sum(a == b for a, b in pairs)
    assert accuracy(table, counts_of(table)).tolist() == [right / len(pairs)]
    both = sum(b is not None for _, b in pairs)
    assert accuracy_where_both(table, counts_of(table)).tolist() == [right / both]


def test_macro_f1_equals_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    official, ours = random_labels(3, landmarks=500)
    pairs = [(a, b or "") for a, b in zip(official, ours, strict=True) if a is not None]
    labels = sorted({a for a, _ in pairs})
    theirs = metrics.f1_score(*zip(*pairs, strict=True), labels=labels, average="macro")
    table = table_of(official, ours)
    assert macro_f1(table, counts_of(table)).tolist() == pytest.approx([theirs])


def test_agreement_on_everything_is_1_in_every_measure() -> None:
    found = estimate_all(table_of(list("aabbcd"), list("aabbcd")), draws=50, seed=0)
    assert all(
        found[name].value == pytest.approx(1.0)
        for name in found.keys() - {"only_ours", "only_official", "labelled_by_neither"}
    )
    assert (found["accuracy"].low, found["accuracy"].high) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("official", "ours", "undefined"),
    [
        ([None, None], ["a", None], {"accuracy", "accuracy_where_both", "macro_f1", "ari"}),
        (["a", "a"], [None, None], {"accuracy_where_both", "ari", "b_cubed_f1", "v_measure"}),
    ],
    ids=["nothing official", "nothing of ours"],
)
def test_what_is_undefined_is_nan_with_its_interval(
    official: Labels, ours: Labels, undefined: set[str]
) -> None:
    found = estimate_all(table_of(official, ours), draws=20, seed=0)
    for name in undefined:
        assert all(math.isnan(x) for x in (found[name].value, found[name].low, found[name].high))
    assert not math.isnan(found["labelled_by_both"].value)


def test_labels_of_ours_alone_are_no_errors() -> None:
    more = table_of([*OFFICIAL, None, None], [*OURS, "lake", "tree"])
    table = table_of(OFFICIAL, OURS)
    for measure in (accuracy, accuracy_where_both, macro_f1):
        assert measure(more, counts_of(more)) == measure(table, counts_of(table))


def test_a_draw_of_cells_is_a_draw_of_landmarks() -> None:
    """Means and variances of the counts are those of drawing landmarks one by one."""
    official, ours = random_labels(1, landmarks=50)
    table = table_of(official, ours)
    drawn = np.concatenate(list(draws_of(table.counts, 4000, seed=5)))
    assert drawn.shape == (4000, len(table.counts))
    assert set(drawn.sum(axis=1).tolist()) == {50}
    generator = np.random.default_rng(6)
    cell_of = np.repeat(np.arange(len(table.counts)), table.counts)
    one_by_one = np.array(
        [
            np.bincount(cell_of[generator.integers(0, 50, 50)], minlength=len(table.counts))
            for _ in range(4000)
        ]
    )
    assert drawn.mean(axis=0) == pytest.approx(one_by_one.mean(axis=0), abs=0.15)
    assert drawn.std(axis=0) == pytest.approx(one_by_one.std(axis=0), abs=0.15)


def test_draws_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(*random_labels(2))
    drawn = np.concatenate(list(draws_of(table.counts, 100, seed=1)))
    monkeypatch.setattr("hgld.benchmarks.labels.agreement.measures.contingency._CELLS_AT_ONCE", 300)
    parts = list(draws_of(table.counts, 100, seed=1))
    assert len(parts) > 1
    assert np.array_equal(np.concatenate(parts), drawn)
    again, other = (estimate_all(table, draws=100, seed=seed) for seed in (1, 2))
    assert again == estimate_all(table, draws=100, seed=1)
    assert again["accuracy"] != other["accuracy"]


def test_an_interval_of_accuracy_is_that_of_the_binomial_distribution() -> None:
    official = ["a"] * 400
    ours = ["a"] * 320 + ["b"] * 80
    found = estimate_all(table_of(official, ours), draws=4000, seed=0)["accuracy"]
    error = 1.96 * math.sqrt(0.8 * 0.2 / 400)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.8 - error, 0.8 + error), abs=0.004)


def test_every_interval_holds_its_estimate() -> None:
    """Also of few landmarks, whose draws agree more with themselves than the landmarks do."""
    for seed in range(5):
        for one in estimate_all(table_of(*random_labels(seed)), draws=300, seed=0).values():
            assert one.low <= one.value <= one.high


def test_no_draws_give_no_intervals() -> None:
    found = estimate_all(table_of(OFFICIAL, OURS), draws=0, seed=0)
    assert all(math.isnan(one.low) and math.isnan(one.high) for one in found.values())
    assert found["accuracy"].value == 2 / 6
