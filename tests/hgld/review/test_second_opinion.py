import math
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgld.review import second_opinion
from hgld.review.second_opinion import Difference, Judgement, cohen_kappa, draw_sample, hide_known

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
    with pytest.raises(ValueError, match="size"):
        draw_sample(decided, landmarks, -1, seed=1)


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


QUEUE = [f"Q{n}" for n in range(1, 96)]
KNOWN = [f"Q{n}" for n in range(1001, 1051)]


def test_one_in_twenty_is_known_anywhere_and_the_queue_keeps_its_order() -> None:
    longer = hide_known(QUEUE, KNOWN, seed=1)
    assert len(longer) == len(set(longer)) == 100
    assert [qid for qid in longer if qid not in KNOWN] == QUEUE
    assert len(set(longer) & set(KNOWN)) == 5
    assert hide_known(QUEUE, KNOWN[::-1], seed=1) == longer
    assert [len(hide_known(QUEUE[:asked], KNOWN, seed=1)) for asked in (9, 10)] == [9, 11]
    places = {
        place
        for seed in range(400)
        for place, qid in enumerate(hide_known(QUEUE, KNOWN, seed=seed))
        if qid in KNOWN
    }
    assert places == set(range(100))


def test_no_class_is_asked_twice_and_no_known_one_made_up() -> None:
    longer = hide_known(QUEUE, [*QUEUE[:50], "Q1001", "Q1002"], seed=1)
    assert set(longer) == {*QUEUE, "Q1001", "Q1002"}
    assert len(longer) == 97
    assert hide_known(QUEUE, [], seed=1) == QUEUE


def test_a_reviewer_is_scored_on_the_known_ones_that_were_answered() -> None:
    known = {f"Q{n}": "lake" for n in range(1, 9)} | {"Q9": None, "Q10": "fort", "Q77": "fort"}
    answers = {f"Q{n}": "Lake " for n in range(1, 9)} | {"Q9": None, "Q10": None, "Q5000": "lake"}
    score = second_opinion.score_known(answers, known)
    assert (score.answered, score.right, score.accuracy) == (10, 9, 0.9)
    assert (score.low, score.high) == pytest.approx((0.595850, 0.982124), abs=1e-6)
    assert score.wrong == ("Q10",)
    nothing = second_opinion.score_known({"Q1": "lake"}, {"Q2": "lake"})
    assert nothing.answered == 0
    assert all(map(math.isnan, (nothing.accuracy, nothing.low, nothing.high)))


IGNORED = Judgement(None, None)
LAKE, CAVE = Judgement("lake", "natural"), Judgement("cave", "natural")
FORT = Judgement("fort", "human-made")
FIRST = {"Q1": LAKE, "Q2": LAKE, "Q3": FORT, "Q4": FORT, "Q5": IGNORED, "Q6": IGNORED, "Q7": LAKE}
SECOND = {"Q1": LAKE, "Q2": CAVE, "Q3": FORT, "Q4": LAKE, "Q5": IGNORED, "Q6": FORT, "Q8": LAKE}
LANDMARKS = {"Q1": 10, "Q2": 20, "Q3": 30, "Q4": 5, "Q5": 25, "Q6": 10}


def test_agreement_equals_the_hand_computed_value() -> None:
    labels, sides = second_opinion.compare_reviewers(FIRST, SECOND, LANDMARKS)
    # Q1, Q3 and Q5 agree. First: 2 lake, 2 fort, 2 ignored; second: 2 lake, 1 cave, 2 fort,
    # 1 ignored: p_e = (2 * 2 + 2 * 2 + 2 * 1) / 36 = 10/36, kappa = (18/36 - 10/36) / (26/36)
    assert (labels.kappa.cases, labels.kappa.observed) == (6, 0.5)
    assert labels.kappa.kappa == pytest.approx(8 / 26, abs=1e-12)
    assert labels.by_landmarks == 0.65
    # Of what neither ignores, Q1 to Q4: natural, natural, human-made, human-made and natural,
    # natural, human-made, natural: p_o = 3/4, p_e = (2 * 3 + 2 * 1) / 16 = 1/2
    assert (sides.kappa.cases, sides.kappa.observed, sides.kappa.kappa) == (4, 0.75, 0.5)
    assert sides.by_landmarks == pytest.approx(60 / 65)


def test_agreement_on_nothing_is_nan_and_never_zero() -> None:
    for found in second_opinion.compare_reviewers({"Q1": LAKE}, {"Q2": LAKE}, {}):
        assert all(map(math.isnan, (found.kappa.kappa, found.by_landmarks)))
    both = {"Q1": IGNORED, "Q2": IGNORED}
    labels, sides = second_opinion.compare_reviewers(both, both, {"Q1": 0, "Q2": 0})
    assert all(map(math.isnan, (labels.by_landmarks, sides.by_landmarks)))


def test_the_differences_to_settle_come_by_landmarks_and_the_oldest_item_first() -> None:
    assert second_opinion.differences_between(FIRST, SECOND, LANDMARKS) == [
        Difference("Q2", 20, LAKE, CAVE),
        Difference("Q6", 10, IGNORED, FORT),
        Difference("Q4", 5, FORT, LAKE),
    ]
    # A side alone is a difference, and a spelling is none.
    first, equal = dict.fromkeys(("Q10", "Q9", "Q100"), CAVE), dict.fromkeys(("Q10", "Q9"), 1)
    second = dict.fromkeys(("Q10", "Q9"), Judgement("cave", "human-made"))
    second["Q100"] = Judgement(" Cave", "natural")
    found = second_opinion.differences_between(first, second, equal | {"Q100": 1})
    assert [one.class_qid for one in found] == ["Q9", "Q10"]


def lists_of(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Returns what two reviewers said, of how often each pair of categories occurs."""
    first = [row for row, counts in enumerate(table) for _ in range(sum(counts))]
    return first, [place for counts in table for place, n in enumerate(counts) for _ in range(n)]


def test_kappa_and_its_interval_equal_the_hand_computed_and_published_values() -> None:
    # p_o = 35/50, rows 25 and 25, columns 30 and 20: p_e = (25 * 30 + 25 * 20) / 2500 = 0.5,
    # kappa = 0.2 / 0.5. n (1 - p_e)^4 SE^2 = 0.4 (0.5 - 1.1 * 0.3)^2 + 0.3 (0.5 - 0.9 * 0.3)^2
    # + 0.09 (0.1 * 1.1^2 + 0.2 * 0.9^2) - 0.05^2 = 0.0504; SE^2 = 0.0504 / (50 / 16)
    found = cohen_kappa(*lists_of([[20, 5], [10, 15]]))
    assert (found.cases, found.observed, found.undefined) == (50, 0.7, "")
    reach = 1.959964 * math.sqrt(0.016128)
    assert (found.kappa, found.low, found.high) == pytest.approx((0.4, 0.4 - reach, 0.4 + reach))
    # Fleiss, Cohen and Everitt 1969: 200 cases, kappa 0.429, variance 0.002885
    found = cohen_kappa(*lists_of([[106, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found.kappa == pytest.approx(0.429, abs=5e-4)
    assert ((found.high - found.kappa) / 1.959964) ** 2 == pytest.approx(0.002885, abs=5e-7)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ([], [], second_opinion.NO_CASE),
        (["lake"] * 9, ["lake"] * 9, second_opinion.ONE_CATEGORY),
        # 0 with an interval of no width, whatever the other says, would look like knowledge.
        (["lake"] * 9, ["fort"] * 9, second_opinion.ONE_SIDED),
    ],
)
def test_a_kappa_that_is_nan_says_why(first: list[str], second: list[str], why: str) -> None:
    found = cohen_kappa(first, second)
    assert found.undefined == why
    assert all(map(math.isnan, (found.kappa, found.low, found.high)))
    assert math.isnan(found.observed) == (not first)
