import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.losses import decomposability_loss, triplet_loss
from hgld.losses.pairwise import Mining
from tests.hgld.losses.test_ranking_losses import loss_of
from tests.worlds.plain.losses import plain_positives, tree_batch

SEEDS = st.integers(0, 2**31)


def plain_hard_triplets(scores: list[list[float]], classes: list[int], margin: float) -> float:
    terms = []
    for anchor, row in enumerate(scores):
        same = [s for j, s in enumerate(row) if classes[j] == classes[anchor] and j != anchor]
        other = [s for j, s in enumerate(row) if classes[j] != classes[anchor]]
        if same and other:
            terms.append(max(0.0, max(other) - min(same) + margin))
    return sum(terms) / max(1, sum(term > 0 for term in terms))


@settings(deadline=None, max_examples=15)
@given(size=st.integers(2, 14), level=st.integers(0, 2), seed=SEEDS)
def test_hard_triplets_equal_a_double_loop(size: int, level: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    scores = (embeddings @ embeddings.T).tolist()
    expected = plain_hard_triplets(scores, labels[:, level].tolist(), margin=0.2)
    loss = triplet_loss(embeddings, labels, level=level, margin=0.2)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_triplets_come_from_the_references_where_there_are_some() -> None:
    loss = loss_of(triplet_loss, [0.6, 0.8], [1, 0], depth=1)
    assert loss == pytest.approx(0.8 - 0.6 + 0.1)


def test_what_is_semihard_goes_by_the_margin_of_the_loss() -> None:
    loss = loss_of(triplet_loss, [0.96, 0.6], [1, 0], depth=1, mining="semihard", margin=0.5)
    assert loss == pytest.approx(0.6 - 0.96 + 0.5)


def test_each_kind_of_mining_takes_its_own_triplets() -> None:
    embeddings, labels = tree_batch(30, 1, seed=5)
    hard, semihard, every = (
        triplet_loss(embeddings, labels, mining=mining).item()
        for mining in ("hard", "semihard", "all")
    )
    # Semihard triplets violate by less than the margin, the hardest by more than the average.
    assert 0 < semihard < 0.1 < every < hard


@settings(deadline=None, max_examples=20)
@given(size=st.integers(2, 14), level=st.integers(0, 2), seed=SEEDS)
def test_decomposability_equals_a_double_loop(size: int, level: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    scores = (embeddings @ embeddings.T).tolist()
    far: list[float] = []
    near: list[float] = []
    for query, positives in enumerate(plain_positives(labels, level)):
        for item, positive in enumerate(positives):
            if item != query:
                gap = 0.9 - scores[query][item] if positive else scores[query][item] - 0.6
                (far if positive else near).append(max(0.0, gap))
    expected = sum(sum(gaps) / max(1, sum(gap > 0 for gap in gaps)) for gaps in (far, near))
    longer = embeddings * torch.linspace(0.5, 3, size)[:, None]  # only directions count
    assert decomposability_loss(longer, labels, level=level).item() == pytest.approx(expected)


def test_a_single_pair_counts_whole() -> None:
    loss = loss_of(decomposability_loss, [0.6], [1], depth=1, level=0)
    assert loss == pytest.approx(0.9 - 0.6)


@pytest.mark.parametrize("mining", ["hard", "semihard", "all"])
def test_triplets_of_what_is_no_number_give_no_number(mining: Mining) -> None:
    embeddings, labels = tree_batch(12, 1, seed=5)
    embeddings[2, 0] = math.nan
    leaf = embeddings.requires_grad_()
    loss = triplet_loss(leaf, labels, mining=mining)
    assert loss.isnan()
    assert torch.autograd.grad(loss, leaf)[0].isnan().any()
