import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.metrics.revisited import GroundTruth, evaluate_revisited, precision_at_k
from tests.worlds.plain import metrics as plain


def plain_scores(
    kinds: list[str], wanted: set[str], removed: set[str], k: int
) -> tuple[float, float]:
    """AP and P@k of images named by kind in ranked order."""
    found = [kind in wanted for kind in kinds if kind not in removed]
    ranks = [rank for rank, positive in enumerate(found, 1) if positive]
    if not ranks:
        return math.nan, math.nan
    area = 0.0
    for before, rank in enumerate(ranks):
        area += ((before / (rank - 1) if rank > 1 else 1) + (before + 1) / rank) / 2
    last = min(k, ranks[-1])
    return area / len(ranks), sum(found[:last]) / last


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
    expected: dict[str, float] = {}
    for difficulty, (wanted, removed) in KINDS.items():
        ap, precision = plain_scores(ranked, wanted, removed, k)
        expected |= {f"ap_{difficulty}": ap, f"p_at_{k}_{difficulty}": precision}
    actual = {key: float(values[0]) for key, values in result.per_query.items()}
    assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_queries_of_many_blocks_are_each_scored_by_their_own_truth() -> None:
    items = 40
    truths = [GroundTruth(easy=((q + 1) % items,), hard=(q,)) for q in range(items)]
    values = evaluate_revisited(torch.eye(items), torch.eye(items), truths).per_query
    assert values["ap_hard"].tolist() == [1.0] * items


def test_of_an_empty_index_nothing_is_defined() -> None:
    truth = GroundTruth(easy=(), hard=(), junk=())
    found = evaluate_revisited(torch.eye(2), torch.zeros(0, 2), [truth, truth])
    assert all(values.isnan().tolist() == [True, True] for values in found.per_query.values())


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
