import math
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgld.review.second_opinion import cohen_kappa, draw_sample

Decided = dict[str, str | None]


def world(sizes: Mapping[str | None, tuple[int, int]]) -> tuple[Decided, dict[str, int]]:
    """Returns decided classes and their landmarks: of each answer so many, of so many each."""
    rows = [(label, each) for label, (classes, each) in sizes.items() for _ in range(classes)]
    decided = {f"Q{number}": label for number, (label, _) in enumerate(rows, start=1)}
    return decided, {f"Q{number}": each for number, (_, each) in enumerate(rows, start=1)}


# 6,000, 3,000 and 1,000 landmarks
THREE = world({"church": (60, 100), "lake": (100, 30), None: (40, 25)})


def counts_in(drawn: list[str], decided: Decided) -> Counter[str | None]:
    return Counter(decided[qid] for qid in drawn)


def test_a_sample_that_does_not_come_out_even_equals_the_hand_computed_one() -> None:
    # One each; then 53/3 and 53/5 for churches, 24/3 = 8 before 53/7 = 7.6, and 23/3 = 7.7.
    decided, landmarks = world({"church": (53, 1), "lake": (24, 1), "fort": (23, 1)})
    counts = counts_in(draw_sample(decided, landmarks, 7, seed=1), decided)
    assert counts == {"church": 3, "lake": 2, "fort": 2}
    # Without room for all, those with most landmarks have one.
    counts = counts_in(draw_sample(decided, landmarks, 2, seed=1), decided)
    assert counts == {"church": 1, "lake": 1}
    # Two spellings are one super-category.
    decided, landmarks = world({"Church": (5, 10), "church ": (5, 10), "lake": (10, 10)})
    counts = counts_in(draw_sample(decided, landmarks, 10, seed=1), decided)
    assert counts["Church"] + counts["church "] == counts["lake"] == 5


def test_a_sample_follows_from_its_seed_alone() -> None:
    decided, landmarks = THREE
    drawn = draw_sample(decided, landmarks, 20, seed=1)
    turned = dict(reversed(decided.items()))
    assert draw_sample(turned, landmarks, 20, seed=1) == drawn
    assert set(draw_sample(decided, landmarks, 20, seed=2)) != set(drawn)


@given(
    st.dictionaries(
        st.integers(1, 10**6).map("Q{}".format),
        st.tuples(st.sampled_from([None, "lake", "fort", "church"]), st.integers(0, 50)),
        max_size=30,
    ),
    st.integers(0, 35),
)
def test_a_sample_is_of_its_size_and_has_all_of_a_smaller_one(
    classes: dict[str, tuple[str | None, int]], size: int
) -> None:
    decided = {qid: label for qid, (label, _) in classes.items()}
    landmarks = {qid: count for qid, (_, count) in classes.items()}
    drawn = draw_sample(decided, landmarks, size, seed=3)
    assert len(drawn) == len(set(drawn)) == min(size, len(decided))
    assert set(drawn) <= decided.keys()
    kinds = len(set(decided.values()))
    assert len(counts_in(drawn, decided)) == min(kinds, len(drawn))
    larger = draw_sample(decided, landmarks, size + 1, seed=3)
    assert set(drawn) <= set(larger)


def lists_of(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Returns what two reviewers said, of how often each pair of categories occurs."""
    first = [str(row) for row, counts in enumerate(table) for _ in range(sum(counts))]
    second = [str(place) for counts in table for place, n in enumerate(counts) for _ in range(n)]
    return first, second


def test_kappa_and_its_interval_equal_the_hand_computed_and_published_values() -> None:
    # p_o = 35/50, rows 25 and 25, columns 30 and 20: p_e = (25 * 30 + 25 * 20) / 2500 = 0.5,
    # kappa = 0.2 / 0.5. n (1 - p_e)^4 SE^2 = 0.4 (0.5 - 1.1 * 0.3)^2 + 0.3 (0.5 - 0.9 * 0.3)^2
    # + 0.09 (0.1 * 1.1^2 + 0.2 * 0.9^2) - 0.05^2 = 0.0504; SE^2 = 0.0504 / (50 / 16)
    found = cohen_kappa(*lists_of([[20, 5], [10, 15]]))
    assert (found.cases, found.observed) == (50, 0.7)
    reach = 1.959964 * math.sqrt(0.016128)
    assert (found.kappa, found.low, found.high) == pytest.approx((0.4, 0.4 - reach, 0.4 + reach))
    # Fleiss, Cohen and Everitt 1969: 200 cases, kappa 0.429, variance 0.002885
    found = cohen_kappa(*lists_of([[106, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found.kappa == pytest.approx(0.429, abs=5e-4)
    assert ((found.high - found.kappa) / 1.959964) ** 2 == pytest.approx(0.002885, abs=5e-7)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([], []),
        (["lake"] * 9, ["lake"] * 9),
        # 0 with an interval of no width, whatever the other says, would look like knowledge.
        (["lake"] * 9, ["fort"] * 8 + ["lake"]),
    ],
)
def test_a_kappa_that_says_nothing_is_nan(first: list[str], second: list[str]) -> None:
    found = cohen_kappa(first, second)
    assert all(map(math.isnan, (found.kappa, found.low, found.high)))
    assert math.isnan(found.observed) == (not first)
