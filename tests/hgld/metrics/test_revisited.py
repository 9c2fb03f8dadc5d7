import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.metrics.revisited import (
    DIFFICULTIES,
    GroundTruth,
    evaluate_revisited,
    precision_at_k,
    trapezoid_average_precision,
)
from tests.worlds.plain import metrics as plain


def plain_trapezoid(kinds: list[str], wanted: set[str], removed: set[str]) -> float:
    """AP of images named by kind in ranked order, walking down the list."""
    relevant = sum(kind in wanted for kind in kinds)
    area, found, seen = 0.0, 0, 0
    for kind in kinds:
        if kind in removed:
            continue
        if kind in wanted:
            before = found / seen if seen else 1.0
            area += (before + (found + 1) / (seen + 1)) / 2
            found += 1
        seen += 1
    return area / relevant if relevant else math.nan


KINDS = {
    "easy": ({"easy"}, {"hard", "junk"}),
    "medium": ({"easy", "hard"}, {"junk"}),
    "hard": ({"hard"}, {"easy", "junk"}),
}


@given(
    st.lists(
        st.tuples(st.sampled_from(["easy", "hard", "junk", "negative"]), st.integers(-2, 2)),
        min_size=1,
        max_size=14,
    )
)
@settings(deadline=None, max_examples=50)
def test_equals_the_walk_down_the_list(images: list[tuple[str, int]]) -> None:
    places = {kind: [i for i, (k, _) in enumerate(images) if k == kind] for kind in KINDS}
    junk = [i for i, (kind, _) in enumerate(images) if kind == "junk"]
    truth = GroundTruth.from_published(
        {"easy": places["easy"], "hard": places["hard"], "junk": junk}
    )
    index = torch.tensor([[float(similarity)] for _, similarity in images])
    result = evaluate_revisited(torch.ones(1, 1), index, [truth])
    order = plain.plain_order([1.0], index.tolist(), -1)
    ranked = [images[place][0] for place in order]
    for difficulty, (wanted, removed) in KINDS.items():
        expected = plain_trapezoid(ranked, wanted, removed)
        actual = float(result.per_query[f"ap_{difficulty}"][0])
        assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_equals_the_hand_computed_values() -> None:
    # ranked: junk, hard, easy, negative, hard
    truth = GroundTruth(easy=(2,), hard=(1, 4), junk=(0,))
    index = torch.tensor([[5.0], [4.0], [3.0], [2.0], [1.0]])
    values = evaluate_revisited(torch.ones(1, 1), index, [truth]).means()
    assert values["ap_easy"] == 1.0  # hard and junk taken out: first
    assert values["ap_medium"] == pytest.approx((1 + 1 + (2 / 3 + 3 / 4) / 2) / 3)  # ranks 1, 2, 4
    assert values["ap_hard"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)  # ranks 1, 3
    assert values["p_at_1_hard"] == 1.0
    assert values["p_at_10_hard"] == pytest.approx(2 / 3)  # no more than up to the last positive


def test_a_difficulty_with_nothing_to_find_is_nan_and_counted() -> None:
    truths = [GroundTruth(easy=(0,), hard=()), GroundTruth(easy=(), hard=(1,))]
    result = evaluate_revisited(torch.eye(2), torch.eye(2), truths)
    assert result.undefined()["ap_hard"] == 1
    assert result.undefined()["ap_medium"] == 0
    assert result.per_query["ap_hard"].isnan().tolist() == [True, False]


def test_queries_of_many_blocks_are_each_scored_by_their_own_truth() -> None:
    items = 40
    truths = [GroundTruth(easy=((q + 1) % items,), hard=(q,)) for q in range(items)]
    values = evaluate_revisited(torch.eye(items), torch.eye(items), truths).per_query
    assert values["ap_hard"].tolist() == [1.0] * items


def test_the_trapezoid_lies_below_the_precision_at_the_positives() -> None:
    assert trapezoid_average_precision(torch.tensor([2])).item() == pytest.approx((0 + 1 / 2) / 2)
    assert trapezoid_average_precision(torch.tensor([], dtype=torch.int64)).isnan()


def test_precision_of_the_first_results() -> None:
    ranks = torch.tensor([1, 4, 5])
    assert precision_at_k(ranks, 2).item() == 1 / 2
    assert precision_at_k(ranks, 10).item() == 3 / 5
    assert precision_at_k(ranks[:0], 10).isnan()
    with pytest.raises(ValueError, match="k must"):
        precision_at_k(ranks, 0)


def test_keys_name_every_difficulty() -> None:
    result = evaluate_revisited(
        torch.ones(1, 1), torch.ones(1, 1), [GroundTruth(easy=(0,), hard=())]
    )
    assert [key for key in result.per_query if key.startswith("ap_")] == [
        f"ap_{difficulty}" for difficulty in DIFFICULTIES
    ]


def test_an_image_of_two_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="3"):
        GroundTruth(easy=(1, 3), hard=(3,))


def test_a_position_outside_the_index_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        evaluate_revisited(torch.ones(1, 1), torch.ones(2, 1), [GroundTruth(easy=(0,), hard=(2,))])


def test_a_missing_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1"):
        evaluate_revisited(torch.ones(2, 1), torch.ones(2, 1), [GroundTruth(easy=(0,), hard=())])


def test_another_difficulty_is_refused() -> None:
    with pytest.raises(ValueError, match="difficulty"):
        GroundTruth(easy=(0,), hard=()).wanted("esy")  # type: ignore[arg-type]
