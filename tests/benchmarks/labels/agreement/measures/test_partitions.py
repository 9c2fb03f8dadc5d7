"""Each measure beside a double loop over landmarks, a value by hand, and its degenerate cases."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.measures.chance import expected_mutual_information
from hgld.benchmarks.labels.agreement.measures.contingency import Cells
from hgld.benchmarks.labels.agreement.measures.partitions import (
    adjusted_mutual_information,
    adjusted_rand_index,
    b_cubed,
    v_measure,
)

Parts = Sequence[int]
FIRST: Parts = [0, 0, 0, 1, 1, 2]
SECOND: Parts = [0, 0, 1, 1, 1, 1]


def cells_of(first: Parts, second: Parts) -> Cells:
    found = sorted(set(zip(first, second, strict=True)))
    pairs = list(zip(first, second, strict=True))
    return Cells(
        rows=np.array([row for row, _ in found], dtype=np.int64),
        columns=np.array([column for _, column in found], dtype=np.int64),
        counts=np.array([[pairs.count(pair) for pair in found]], dtype=np.int64),
    )


def one(values: NDArray[np.float64]) -> float:
    assert values.shape == (1,)
    return float(values[0])


def rand_by_pairs(first: Parts, second: Parts) -> float:
    """ARI from the four kinds of pairs, two landmarks at a time."""
    kinds = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for i, j in itertools.combinations(range(len(first)), 2):
        kinds[first[i] == first[j], second[i] == second[j]] += 1
    both, only_first = kinds[True, True], kinds[True, False]
    only_second, none = kinds[False, True], kinds[False, False]
    below = (both + only_first) * (only_first + none) + (both + only_second) * (only_second + none)
    return 2 * (both * none - only_first * only_second) / below


def b_cubed_by_landmarks(first: Parts, second: Parts) -> tuple[float, float]:
    precisions, recalls = [], []
    for i in range(len(first)):
        with_it = [j for j in range(len(first)) if second[j] == second[i]]
        precisions.append(sum(first[j] == first[i] for j in with_it) / len(with_it))
        with_it = [j for j in range(len(first)) if first[j] == first[i]]
        recalls.append(sum(second[j] == second[i] for j in with_it) / len(with_it))
    return sum(precisions) / len(first), sum(recalls) / len(first)


def information_by_pairs(first: Parts, second: Parts) -> float:
    size = len(first)
    total = 0.0
    for row in set(first):
        for column in set(second):
            both = sum((a, b) == (row, column) for a, b in zip(first, second, strict=True))
            if both:
                expected = first.count(row) * second.count(column) / size
                total += both / size * math.log(both / expected)
    return total


def entropy_of(parts: Parts) -> float:
    return information_by_pairs(parts, parts)


def chance_by_permutations(first: Parts, second: Parts) -> float:
    """The mean over every order of the second partition: what E[I] is the expectation of."""
    orders = list(itertools.permutations(second))
    return sum(information_by_pairs(first, order) for order in orders) / len(orders)


def random_parts(count: int, landmarks: int, seed: int) -> tuple[list[int], list[int]]:
    generator = np.random.default_rng(seed)
    first = generator.integers(0, count, landmarks)
    second = np.where(generator.random(landmarks) < 0.6, first, generator.integers(0, 5, landmarks))
    return first.tolist(), second.tolist()


def test_equals_the_values_by_hand() -> None:
    cells = cells_of(FIRST, SECOND)  # counts 2, 1 / 2 / 1; parts 3, 2, 1 and 2, 4
    # pairs together: 1 + 1 = 2 in both, 3 + 1 = 4 and 1 + 6 = 7; E = 4 * 7 / 15
    assert one(adjusted_rand_index(cells)) == pytest.approx((2 - 28 / 15) / (5.5 - 28 / 15))
    # I = 2/6 log(2*6/(3*2)) + 1/6 log(6/(3*4)) + 2/6 log(2*6/(2*4)) + 1/6 log(6/(1*4))
    information = (2 * math.log(2) + math.log(1 / 2) + 2 * math.log(3 / 2) + math.log(3 / 2)) / 6
    entropies = [
        -sum(p * math.log(p) for p in parts) for parts in ((1 / 2, 1 / 3, 1 / 6), (1 / 3, 2 / 3))
    ]
    assert one(v_measure(cells)) == pytest.approx(2 * information / sum(entropies))
    # precision (4/2 + 1/4 + 4/4 + 1/4) / 6, recall (4/3 + 1/3 + 4/2 + 1/1) / 6
    precision, recall, f1 = (one(values) for values in b_cubed(cells))
    assert precision == pytest.approx(3.5 / 6)
    assert recall == pytest.approx(14 / 3 / 6)
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("seed", range(8))
def test_equals_a_double_loop_over_landmarks(seed: int) -> None:
    first, second = random_parts(4, 23, seed)
    cells = cells_of(first, second)
    assert one(adjusted_rand_index(cells)) == pytest.approx(rand_by_pairs(first, second))
    precision, recall, _ = (one(values) for values in b_cubed(cells))
    assert (precision, recall) == pytest.approx(b_cubed_by_landmarks(first, second))
    information = information_by_pairs(first, second)
    mean_entropy = (entropy_of(first) + entropy_of(second)) / 2
    assert one(v_measure(cells)) == pytest.approx(information / mean_entropy)


@pytest.mark.parametrize(
    ("first", "second"), [(FIRST, SECOND), ([0, 0, 1, 1, 2], [0, 1, 0, 1, 0]), ([0, 1], [0, 1])]
)
def test_chance_is_the_mean_over_every_order(first: Parts, second: Parts) -> None:
    expected = chance_by_permutations(first, second)
    sizes = [np.bincount(parts)[None, :].astype(np.int64) for parts in (first, second)]
    assert one(expected_mutual_information(*sizes)) == pytest.approx(expected)
    room = (entropy_of(first) + entropy_of(second)) / 2 - expected
    if room > 1e-9:
        found = one(adjusted_mutual_information(cells_of(first, second)))
        assert found == pytest.approx((information_by_pairs(first, second) - expected) / room)


@pytest.mark.parametrize(("count", "landmarks"), [(3, 40), (30, 400), (12, 20_000)])
def test_equals_scikit_learn(count: int, landmarks: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = random_parts(count, landmarks, seed=count)
    cells = cells_of(first, second)
    for ours, theirs in (
        (adjusted_rand_index, metrics.adjusted_rand_score),
        (adjusted_mutual_information, metrics.adjusted_mutual_info_score),
        (v_measure, metrics.v_measure_score),
    ):
        assert one(ours(cells)) == pytest.approx(theirs(first, second), abs=1e-10)


def test_draws_of_different_size_do_not_meet() -> None:
    """A draw of landmarks that both label has no fixed number of them."""
    pairs = [random_parts(6, size, seed=size) for size in (30, 300, 77)]
    everything = sorted({pair for both in pairs for pair in zip(*both, strict=True)})
    counts = [[list(zip(*both, strict=True)).count(pair) for pair in everything] for both in pairs]
    rows, columns = np.array(everything, dtype=np.int64).T
    together = Cells(rows=rows, columns=columns, counts=np.array(counts, dtype=np.int64))
    alone = [cells_of(*both) for both in pairs]
    for measure in MEASURES.values():
        expected = [one(measure(cells)) for cells in alone]
        assert measure(together).tolist() == pytest.approx(expected)


MEASURES: dict[str, Callable[[Cells], NDArray[np.float64]]] = {
    "ari": adjusted_rand_index,
    "ami": adjusted_mutual_information,
    "v_measure": v_measure,
    "b_cubed_precision": lambda cells: b_cubed(cells)[0],
    "b_cubed_recall": lambda cells: b_cubed(cells)[1],
    "b_cubed_f1": lambda cells: b_cubed(cells)[2],
}


@pytest.mark.parametrize("name", MEASURES)
def test_equal_partitions_have_1_whatever_their_parts_are_called(name: str) -> None:
    assert one(MEASURES[name](cells_of(FIRST, [7, 7, 7, 0, 0, 3]))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("first", "second", "defined"),
    [
        ([], [], set()),
        # 0 / 0 but for B-cubed, which looks at each landmark
        ([0, 0, 0], [0, 0, 0], {"b_cubed_precision", "b_cubed_recall", "b_cubed_f1"}),
        ([0], [0], {"b_cubed_precision", "b_cubed_recall", "b_cubed_f1"}),
        (
            [0, 1, 2],
            [0, 1, 2],
            {"v_measure", "b_cubed_precision", "b_cubed_recall", "b_cubed_f1"},
        ),
    ],
    ids=["nothing", "one part", "one landmark", "a part each"],
)
def test_what_is_undefined_is_nan(first: Parts, second: Parts, defined: set[str]) -> None:
    cells = cells_of(first, second)
    values = {name: one(measure(cells)) for name, measure in MEASURES.items()}
    assert {name for name, value in values.items() if not math.isnan(value)} == defined
    assert all(values[name] == pytest.approx(1.0) for name in defined)


def test_no_agreement_beyond_chance_is_0_and_defined() -> None:
    cells = cells_of([0, 0, 1, 1], [0, 0, 0, 0])
    assert one(adjusted_rand_index(cells)) == one(adjusted_mutual_information(cells)) == 0.0
    assert one(v_measure(cells)) == 0.0
    assert [one(values) for values in b_cubed(cells)] == pytest.approx([0.5, 1.0, 2 / 3])
