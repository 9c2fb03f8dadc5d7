import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.losses import smooth_hap_loss, sup_ap_loss, sup_hap_loss
from hgld.losses.ranking.ranks import hard_h_rank, rank_rows
from tests.worlds.plain.losses import (
    plain_h_rank,
    plain_levels,
    plain_smooth_h_ap,
    plain_sup_h_ap,
    plain_sup_step,
    scored_batch,
    tree_batch,
)
from tests.worlds.plain.metrics import plain_ap, plain_decay, plain_h_ap

SEEDS = st.integers(0, 2**31)
# A step so steep that ranks are exact where no two similarities are within 1e-3.
steep_loss = partial(sup_hap_loss, tau=1e-5, start=0.0, delta=math.inf)


def plain_relevances(levels: list[int], depth: int, alpha: float = 1.0) -> list[float]:
    return plain_decay(levels, depth, levels, alpha)


def spread_scores(count: int, seed: int) -> list[float]:
    """Similarities in random order, no two nearer than 0.01."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return (0.95 - 1.5 * order.double() / count).tolist()


def test_the_loss_equals_the_hand_computed_value() -> None:
    # Two levels: l = 2 at 0.9, l = 0 at 0.92, l = 1 at 0.5. rel = 1 / 1, 0, (1/2) / 1.
    # k = first: rank = 1 + (0.5 + sigmoid(2)) = 2.3807971, H-rank = 1.
    # k = third: rank = 1 + 1 + (100 (0.42 - 0.05) + 1.44) = 40.44, H-rank = 1/2 + 1/2.
    batch = scored_batch([0.9, 0.92, 0.5], [2, 0, 1], depth=2)
    query, label, references, ref_labels = batch
    loss = sup_hap_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.item() == pytest.approx(1 - (1 / 2.3807971 + 1 / 40.44) / 1.5, abs=1e-7)


def test_the_h_ranks_of_the_worked_case_are_a_third_four_thirds_five_thirds_and_three() -> None:
    # The list [1/3, 1, 0, 2/3, 1] of relevances, with one level for each of the four values.
    scores = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5]], dtype=torch.float64)
    levels, table = torch.tensor([[1, 3, 0, 2, 3]]), torch.tensor([[0, 1 / 3, 2 / 3, 1]]).double()
    h_rank = hard_h_rank(rank_rows(scores, levels, 3), table)
    # From the last of the list to the first; the irrelevant one has none.
    assert h_rank[0].tolist() == pytest.approx([3, 5 / 3, 0, 4 / 3, 1 / 3])


@settings(deadline=None, max_examples=25)
@given(
    size=st.integers(2, 14),
    depth=st.integers(1, 4),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    seed=SEEDS,
)
def test_the_loss_equals_a_double_loop(size: int, depth: int, alpha: float, seed: int) -> None:
    embeddings, labels = tree_batch(size, depth, seed=seed)
    values = sup_hap_loss(embeddings, labels, alpha=alpha, reduction="none")
    scores, step = (embeddings @ embeddings.T).tolist(), plain_sup_step()
    for query, levels in enumerate(plain_levels(labels, labels)):
        relevances = plain_relevances(levels, depth, alpha)
        expected = 1 - plain_sup_h_ap(scores[query], levels, relevances, step)
        assert values[query].item() == pytest.approx(expected, abs=1e-7)
    mean = sup_hap_loss(embeddings, labels, alpha=alpha)
    assert mean.item() == pytest.approx(values.mean().item())


@settings(deadline=None, max_examples=25)
@given(size=st.integers(2, 14), seed=SEEDS)
def test_smooth_h_ranks_equal_a_double_loop(size: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    values = sup_hap_loss(embeddings, labels, smooth_h_ranks=True, reduction="none")

    def ahead(x: float) -> float:
        return 10 * x if x <= 0 else min(25 * x + 0.5, 1)

    scores, step = (embeddings @ embeddings.T).tolist(), plain_sup_step()
    for query, levels in enumerate(plain_levels(labels, labels)):
        relevances = plain_relevances(levels, 3)
        expected = 1 - plain_sup_h_ap(scores[query], levels, relevances, step, ahead)
        assert values[query].item() == pytest.approx(expected, abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(size=st.integers(2, 14), seed=SEEDS)
def test_smooth_h_ap_equals_a_double_loop(size: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    values = smooth_hap_loss(embeddings, labels, reduction="none")
    scores = (embeddings @ embeddings.T).tolist()
    for query, levels in enumerate(plain_levels(labels, labels)):
        expected = 1 - plain_smooth_h_ap(scores[query], plain_relevances(levels, 3))
        assert values[query].item() == pytest.approx(expected, abs=1e-7)


def test_ties_count_half_below_a_lower_level_and_whole_among_the_rest() -> None:
    scores, levels = [0.5, 0.5, 0.5, 0.5, 0.2], [2, 2, 1, 0, 1]
    query, label, references, ref_labels = scored_batch(scores, levels, depth=2)
    loss = sup_hap_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    step = plain_sup_step()
    assert step(0) == 0.5
    expected = 1 - plain_sup_h_ap(scores, levels, plain_relevances(levels, 2), step)
    assert loss.item() == pytest.approx(expected, abs=1e-7)


def test_two_levels_of_equal_relevance_are_told_apart() -> None:
    # One item of level 1 and two of level 2: all have relevance 1/2, yet the first is lower.
    scores, levels = [0.9, 0.8, 0.7, 0.6], [1, 2, 2, 0]
    relevances = plain_relevances(levels, 2)
    assert relevances == [0.5, 0.5, 0.5, 0]
    query, label, references, ref_labels = scored_batch(scores, levels, depth=2)
    loss = sup_hap_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    expected = 1 - plain_sup_h_ap(scores, levels, relevances, plain_sup_step())
    assert loss.item() == pytest.approx(expected, abs=1e-7)
    # By relevance alone the list would be perfect.
    assert loss.item() > 0.1


def test_the_ideal_order_costs_nothing() -> None:
    query, label, references, ref_labels = scored_batch([0.9, 0.5, 0.1, -0.3], [3, 2, 1, 0], 3)
    loss = sup_hap_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_without_references_each_query_ranks_itself_as_a_positive() -> None:
    embeddings, labels = tree_batch(9, seed=3)
    alone = sup_hap_loss(embeddings, labels)
    given = sup_hap_loss(embeddings, labels, ref_embeddings=embeddings, ref_labels=labels)
    assert alone.item() == given.item()
    # A query unlike all others still has itself, first: a perfect list.
    lonely = torch.arange(4)[:, None].expand(4, 3)
    assert sup_hap_loss(torch.eye(4), lonely).item() == pytest.approx(0, abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(size=st.integers(2, 20), seed=SEEDS)
def test_one_level_is_sup_ap(size: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 1, seed=seed)
    torch.testing.assert_close(
        sup_hap_loss(embeddings, labels), sup_ap_loss(embeddings, labels), rtol=1e-12, atol=1e-15
    )


@settings(deadline=None, max_examples=25)
@given(levels=st.lists(st.integers(0, 1), min_size=1, max_size=20), seed=SEEDS)
def test_one_level_with_a_steep_step_is_average_precision(levels: list[int], seed: int) -> None:
    levels[0] = 1
    scores = spread_scores(len(levels), seed)
    query, label, references, ref_labels = scored_batch(scores, levels, depth=1)
    loss = steep_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    ranked = [level > 0 for _, level in sorted(zip(scores, levels, strict=True), reverse=True)]
    assert 1 - loss.item() == pytest.approx(plain_ap(ranked), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    levels=st.lists(st.integers(0, 3), min_size=3, max_size=20),
    weights=st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
    seed=SEEDS,
)
def test_map_relevance_is_the_weighted_mean_of_the_levels_ap(
    levels: list[int], weights: list[float], seed: int
) -> None:
    levels[0] = 3
    scores = spread_scores(len(levels), seed)
    query, label, references, ref_labels = scored_batch(scores, levels, depth=3)
    loss = steep_loss(
        query,
        label,
        ref_embeddings=references,
        ref_labels=ref_labels,
        relevance="map",
        weights=weights,
    )
    ranked = [level for _, level in sorted(zip(scores, levels, strict=True), reverse=True)]
    each = [plain_ap([level >= least for level in ranked]) for least in (1, 2, 3)]
    mean = sum(w * ap for w, ap in zip(weights, each, strict=True)) / sum(weights)
    assert 1 - loss.item() == pytest.approx(mean, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(1e-3, 1e3), seed=SEEDS)
def test_the_scale_of_the_relevance_changes_nothing(scale: float, seed: int) -> None:
    embeddings, labels = tree_batch(12, 3, seed=seed)
    one = sup_hap_loss(embeddings, labels, relevance="map", weights=[0.2, 0.3, 0.5])
    scaled = [scale * weight for weight in (0.2, 0.3, 0.5)]
    other = sup_hap_loss(embeddings, labels, relevance="map", weights=scaled)
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_an_infinite_alpha_leaves_the_finest_level() -> None:
    embeddings, labels = tree_batch(30, 3, seed=5)
    coarse_levels_rank_alike = sup_hap_loss(embeddings, labels, alpha=math.inf)
    assert coarse_levels_rank_alike.item() == pytest.approx(
        sup_ap_loss(embeddings, labels).item(), abs=1e-6
    )


@settings(deadline=None, max_examples=25)
@given(size=st.integers(2, 30), depth=st.integers(1, 4), seed=SEEDS)
def test_the_loss_bounds_one_minus_h_ap_from_above(size: int, depth: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, depth, seed=seed)
    values = sup_hap_loss(embeddings, labels, reduction="none").tolist()
    scores = (embeddings @ embeddings.T).tolist()
    for query, levels in enumerate(plain_levels(labels, labels)):
        order = sorted(range(size), key=lambda k: -scores[query][k])
        relevances = plain_relevances(levels, depth)
        assert values[query] >= 1 - plain_h_ap([relevances[k] for k in order]) - 1e-7


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS)
def test_the_order_of_the_batch_changes_nothing(seed: int) -> None:
    embeddings, labels = tree_batch(17, 3, seed=seed)
    order = torch.randperm(17, generator=torch.Generator().manual_seed(seed))
    leaf = embeddings.clone().requires_grad_()
    shuffled = embeddings[order].requires_grad_()
    one, other = (sup_hap_loss(x, y) for x, y in ((leaf, labels), (shuffled, labels[order])))
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(y, x)[0] for y, x in ((one, leaf), (other, shuffled))]
    torch.testing.assert_close(gradients[0][order], gradients[1], rtol=1e-7, atol=1e-9)


def test_plain_h_rank_is_that_of_the_worked_case() -> None:
    relevances = [1 / 3, 1, 0, 2 / 3, 1]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]
    found = [plain_h_rank(k, scores, [1, 3, 0, 2, 3], relevances) for k in (0, 1, 3, 4)]
    assert found == pytest.approx([1 / 3, 4 / 3, 5 / 3, 3])
