import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.metrics.revisited import GroundTruth, evaluate_revisited, precision_at_k
from tests.worlds.plain import metrics as plain


def plain_scores(kinds: list[str], wanted: set[str], removed: set[str], k: int) -> list[float]:
    """AP and P@k of images named by kind in ranked order, walking down the list."""
    relevant = sum(kind in wanted for kind in kinds)
    if not relevant:
        return [math.nan, math.nan]
    area, found, seen, precision = 0.0, 0, 0, 0.0
    for kind in kinds:
        if kind in removed:
            continue
        if kind in wanted:
            before = found / seen if seen else 1.0
            area += (before + (found + 1) / (seen + 1)) / 2
            found += 1
        seen += 1
        if seen <= k and (seen == k or found == relevant) and not precision:
            precision = found / seen
    return [area / relevant, precision]


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
    ),
    st.integers(1, 6),
)
@settings(deadline=None, max_examples=80)
def test_equals_the_walk_down_the_list(images: list[tuple[str, int]], k: int) -> None:
    published = {
        kind: [place for place, image in enumerate(images) if image[0] == kind]
        for kind in ("easy", "hard", "junk")
    }
    index = torch.tensor([[float(similarity)] for _, similarity in images])
    truth = GroundTruth.from_published(published)
    result = evaluate_revisited(torch.ones(1, 1), index, [truth], precision_at=[k])
    order = plain.plain_order([1.0], index.tolist(), -1)
    ranked = [images[place][0] for place in order]
    expected = {}
    for difficulty, (wanted, removed) in KINDS.items():
        ap, precision = plain_scores(ranked, wanted, removed, k)
        expected |= {f"ap_{difficulty}": ap, f"p_at_{k}_{difficulty}": precision}
    actual = {key: float(values[0]) for key, values in result.per_query.items()}
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


def test_queries_of_many_blocks_are_each_scored_by_their_own_truth() -> None:
    items = 40
    truths = [GroundTruth(easy=((q + 1) % items,), hard=(q,)) for q in range(items)]
    values = evaluate_revisited(torch.eye(items), torch.eye(items), truths).per_query
    assert values["ap_hard"].tolist() == [1.0] * items


def test_what_makes_no_sense_is_refused() -> None:
    one, place = GroundTruth(easy=(0,), hard=()), torch.ones(1, 1)
    with pytest.raises(ValueError, match="3"):
        GroundTruth(easy=(1, 3), hard=(3,))
    with pytest.raises(ValueError, match="difficulty"):
        one.wanted("esy")  # type: ignore[arg-type]
    for truths, word in (([one, one], "got 2"), ([GroundTruth(easy=(1,), hard=())], "got 1 to 1")):
        with pytest.raises(ValueError, match=word):
            evaluate_revisited(place, place, truths)
    with pytest.raises(TypeError, match="index_embeddings"):
        evaluate_revisited(place, [[1.0]], [one])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="k must"):
        precision_at_k(torch.tensor([1, 4]), 0)
