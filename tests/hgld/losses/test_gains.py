import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.losses import recall_at_k_loss, smooth_ndcg_loss, sup_ndcg_loss
from tests.worlds.plain.losses import (
    plain_levels,
    plain_smooth_rank,
    plain_sup_rank,
    plain_sup_step,
    scored_batch,
    tree_batch,
)
from tests.worlds.plain.metrics import plain_ndcg

SEEDS = st.integers(0, 2**31)


def plain_smooth_ndcg(ranks: list[float], levels: list[int]) -> float:
    gained = sum(
        (2.0**level - 1) / math.log2(1 + rank)
        for rank, level in zip(ranks, levels, strict=True)
        if level
    )
    best = sorted(levels, reverse=True)
    return gained / sum((2.0**level - 1) / math.log2(1 + k) for k, level in enumerate(best, 1))


@settings(deadline=None, max_examples=20)
@given(size=st.integers(2, 12), depth=st.integers(1, 4), seed=SEEDS)
def test_ndcg_equals_a_double_loop(size: int, depth: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, depth, seed=seed)
    scores, step = (embeddings @ embeddings.T).tolist(), plain_sup_step()
    sup = sup_ndcg_loss(embeddings, labels, reduction="none")
    smooth = smooth_ndcg_loss(embeddings, labels, reduction="none")
    for query, levels in enumerate(plain_levels(labels, labels)):
        row = scores[query]
        ranks = [plain_sup_rank(k, row, levels, step) for k in range(size)]
        assert sup[query].item() == pytest.approx(1 - plain_smooth_ndcg(ranks, levels), abs=1e-6)
        ranks = [plain_smooth_rank(k, row) for k in range(size)]
        assert smooth[query].item() == pytest.approx(1 - plain_smooth_ndcg(ranks, levels), abs=1e-6)


def test_ndcg_equals_the_hand_computed_value() -> None:
    # Level 1 before level 2, far apart: gains 1 and 3. The second has rank 100 * 0.35 + 1.44 + 1.
    query, label, references, ref_labels = scored_batch([0.9, 0.5], [1, 2], depth=2)
    loss = sup_ndcg_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    gained = 1 + 3 / math.log2(1 + 37.44)
    assert loss.item() == pytest.approx(1 - gained / (3 + 1 / math.log2(3)), abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(size=st.integers(2, 20), seed=SEEDS)
def test_sup_ndcg_bounds_one_minus_ndcg_from_above(size: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    values = sup_ndcg_loss(embeddings, labels, reduction="none").tolist()
    scores = (embeddings @ embeddings.T).tolist()
    for query, levels in enumerate(plain_levels(labels, labels)):
        order = sorted(range(size), key=lambda k: -scores[query][k])
        assert values[query] >= 1 - plain_ndcg([levels[k] for k in order]) - 1e-6


@pytest.mark.parametrize("loss", [sup_ndcg_loss, smooth_ndcg_loss, recall_at_k_loss])
def test_gradcheck(loss: object) -> None:
    assert callable(loss)
    embeddings, labels = tree_batch(8, 2, dim=4, seed=3)
    assert torch.autograd.gradcheck(
        lambda x: loss(x, labels), (embeddings.requires_grad_(),), eps=1e-7, atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize("loss", [sup_ndcg_loss, smooth_ndcg_loss, recall_at_k_loss])
def test_queries_without_relevant_items_are_undefined_and_left_out(loss: object) -> None:
    assert callable(loss)
    embeddings, labels = tree_batch(6, 1, seed=6)
    references, ref_labels = embeddings.flip(0), labels.flip(0).clone()
    labels[2] = 99
    arguments = {"ref_embeddings": references, "ref_labels": ref_labels}
    values = loss(embeddings, labels, reduction="none", **arguments)
    assert values.isnan().tolist() == [False, False, True, False, False, False]
    assert loss(embeddings, labels, **arguments).item() == pytest.approx(values.nanmean().item())
