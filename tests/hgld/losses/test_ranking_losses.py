"""The ranking losses against double loops, hand-computed values and the metrics that they bound."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld import losses
from tests.worlds.plain import losses as plain
from tests.worlds.plain.losses import StepFunction, scored_batch, tree_batch
from tests.worlds.plain.metrics import plain_ap, plain_decay

SEEDS = st.integers(0, 2**31)
SUP: dict[str, Any] = {"lower": plain.sup_step, "others": plain.heaviside}
SMOOTH: dict[str, Any] = dict.fromkeys(("lower", "others"), lambda x: plain.sigmoid(x / 0.01))
Scores = list[float]
Levels = list[int]


def finest(levels: Levels, depth: int) -> list[int]:
    return [int(level == depth) for level in levels]


def credit(x: float) -> float:
    return 10 * x if x <= 0 else min(25 * x + 0.5, 1)


def h_ap(
    scores: Scores, levels: Levels, depth: int, alpha: float = 1.0, **steps: StepFunction
) -> float:
    relevances = plain_decay(levels, depth, levels, alpha)
    return plain.h_ap(scores, levels, relevances, **SUP | steps)


def ap(scores: Scores, levels: Levels, depth: int, **steps: StepFunction) -> float:
    positives = finest(levels, depth)
    return plain.h_ap(scores, positives, positives, **SUP | steps)


def binned_ap(scores: Scores, levels: Levels, depth: int, bins: int = 20) -> float:
    """Revaud et al.: parts of items in bins from 1 down to -1, precision so far, recall here."""
    positives, slope = finest(levels, depth), (bins - 1) / 2
    seen = found = total = 0.0
    for b in range(bins):
        centre = 1 - b / slope
        parts = [max(0.0, 1 - slope * abs(min(score, 1) - centre)) for score in scores]
        here = sum(part for part, positive in zip(parts, positives, strict=True) if positive)
        seen, found = seen + sum(parts), found + here
        total += here / sum(positives) * (found / seen if seen else 0)
    return total


def recall(scores: Scores, levels: Levels, depth: int, ks: Sequence[int]) -> float:
    positives = [k for k, level in enumerate(levels) if level == depth]
    ranks = [plain.rank(k, scores, levels, **SMOOTH) for k in positives]
    found = [sum(plain.sigmoid((k - rank) / 0.7) for rank in ranks) for k in ks]
    return sum(n / min(k, len(ranks)) for n, k in zip(found, ks, strict=True)) / len(ks)


def ndcg(scores: Scores, levels: Levels, _: int, **steps: StepFunction) -> float:
    ranks = [plain.rank(k, scores, levels, **SUP | steps) for k in range(len(levels))]
    pairs = zip(ranks, levels, strict=True)
    gained = sum((2.0**level - 1) / math.log2(1 + rank) for rank, level in pairs if level)
    best = enumerate(sorted(levels, reverse=True), 1)
    return gained / sum((2.0**level - 1) / math.log2(1 + k) for k, level in best)


LOOPS: dict[str, tuple[Callable[..., Tensor], Callable[..., float]]] = {
    "sup_hap": (losses.sup_hap_loss, h_ap),
    "sup_hap, alpha 0": (partial(losses.sup_hap_loss, alpha=0.0), partial(h_ap, alpha=0.0)),
    "sup_hap, alpha 3": (partial(losses.sup_hap_loss, alpha=3.0), partial(h_ap, alpha=3.0)),
    "sup_hap, H": (partial(losses.sup_hap_loss, smooth_h_ranks=True), partial(h_ap, higher=credit)),
    "smooth_hap": (losses.smooth_hap_loss, partial(h_ap, **SMOOTH)),
    "sup_ap": (losses.sup_ap_loss, ap),
    "smooth_ap": (losses.smooth_ap_loss, partial(ap, **SMOOTH)),
    "soft_bin_ap": (losses.soft_bin_ap_loss, binned_ap),
    "soft_bin_ap, 2 bins": (partial(losses.soft_bin_ap_loss, bins=2), partial(binned_ap, bins=2)),
    "recall_at_k": (
        partial(losses.recall_at_k_loss, ks=(1, 3, 9), temperature=0.7),
        partial(recall, ks=(1, 3, 9)),
    ),
    "sup_ndcg": (losses.sup_ndcg_loss, ndcg),
    "smooth_ndcg": (losses.smooth_ndcg_loss, partial(ndcg, **SMOOTH)),
}


@pytest.mark.parametrize("name", LOOPS)
@settings(deadline=None, max_examples=15)
@given(size=st.integers(2, 14), depth=st.integers(1, 4), seed=SEEDS)
def test_each_loss_equals_a_double_loop(name: str, size: int, depth: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, depth, seed=seed)
    loss, loop = LOOPS[name]
    values = loss(embeddings, labels, reduction="none")
    scores_of = (embeddings @ embeddings.T).tolist()
    rows = zip(scores_of, plain.plain_levels(labels, labels), strict=True)
    expected = [1 - loop(scores, levels, depth) for scores, levels in rows]
    assert values.tolist() == pytest.approx(expected, abs=1e-6)
    assert loss(embeddings, labels).item() == pytest.approx(values.mean().item())


def test_roadmap_weighs_sup_ap_and_decomposability() -> None:
    embeddings, labels = tree_batch(12, 2, seed=1)
    ranking = losses.sup_ap_loss(embeddings, labels)
    spread = losses.decomposability_loss(embeddings, labels, alpha=0.8, beta=0.5)
    for weight in (0.0, 0.3, 1.0):
        loss = losses.roadmap_loss(embeddings, labels, weight=weight, alpha=0.8, beta=0.5)
        torch.testing.assert_close(loss, (1 - weight) * ranking + weight * spread)


def loss_of(
    function: Callable[..., Tensor], scores: Scores, levels: Levels, depth: int, **settings: object
) -> float:
    """The loss of one query, with given similarities and given numbers of shared levels."""
    query, label, references, ref_labels = scored_batch(scores, levels, depth)
    loss = partial(function, ref_embeddings=references, ref_labels=ref_labels)
    return float(loss(query, label, **settings))


SHARP = partial(losses.recall_at_k_loss, temperature=1e-3, tau=1e-4)


@pytest.mark.parametrize(
    ("function", "scores", "levels", "expected"),
    [
        # Two levels: l = 2 at 0.9, l = 0 at 0.92, l = 1 at 0.5. rel = 1 / 1, 0, (1/2) / 1.
        # k = first: rank = 1 + (0.5 + sigmoid(2)) = 2.3807971, H-rank = 1.
        # k = third: rank = 1 + 1 + (100 (0.42 - 0.05) + 1.44) = 40.44, H-rank = 1/2 + 1/2.
        (losses.sup_hap_loss, [0.9, 0.92, 0.5], [2, 0, 1], (1 / 2.3807971 + 1 / 40.44) / 1.5),
        # Positives at 0.9 and 0.5, a negative at 0.49: 1 / 1 and 2 / (2 + sigmoid(-1)).
        (losses.sup_ap_loss, [0.9, 0.5, 0.49], [2, 2, 0], (1 + 2 / 2.2689414) / 2),
        # Gains 1 and 3, far apart. The second has rank 100 * 0.35 + 1.44 + 1.
        (
            losses.sup_ndcg_loss,
            [0.9, 0.5],
            [1, 2],
            (1 + 3 / math.log2(38.44)) / (3 + 1 / math.log2(3)),
        ),
        # Positives at ranks 1 and 3. At the cut a positive counts half.
        (partial(SHARP, ks=(1,)), [0.9, 0.8, 0.7, 0.6], [2, 0, 2, 0], 0.5 / 1),
        (partial(SHARP, ks=(3,)), [0.9, 0.8, 0.7, 0.6], [2, 0, 2, 0], (1 + 0.5) / 2),
    ],
)
def test_equals_the_hand_computed_value(
    function: Callable[..., Tensor], scores: Scores, levels: Levels, expected: float
) -> None:
    assert loss_of(function, scores, levels, 2) == pytest.approx(1 - expected, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "levels"),
    [
        # Ties count half below a lower level, and whole among the rest.
        ([0.5, 0.5, 0.5, 0.5, 0.2], [2, 2, 1, 0, 1]),
        # One item of level 1 and two of level 2: all have relevance 1/2, yet the first is lower.
        ([0.9, 0.8, 0.7, 0.6], [1, 2, 2, 0]),
    ],
)
def test_ties_and_levels_of_equal_relevance_are_told_apart(scores: Scores, levels: Levels) -> None:
    expected = 1 - h_ap(scores, levels, 2)
    assert loss_of(losses.sup_hap_loss, scores, levels, 2) == pytest.approx(expected, abs=1e-7)
    assert expected > 0.1


@settings(deadline=None, max_examples=25)
@given(
    levels=st.lists(st.integers(0, 3), min_size=3, max_size=20),
    weights=st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
    seed=SEEDS,
)
def test_map_relevance_is_the_weighted_mean_of_the_levels_ap(
    levels: Levels, weights: list[float], seed: int
) -> None:
    levels[0] = 3
    order = torch.randperm(len(levels), generator=torch.Generator().manual_seed(seed))
    scores = (0.95 - 1.5 * order.double() / len(levels)).tolist()
    steep = {"tau": 1e-5, "start": 0.0, "delta": math.inf}  # so that ranks are exact
    by_map = {"relevance": "map", "weights": weights}
    loss = loss_of(losses.sup_hap_loss, scores, levels, 3, **by_map, **steep)
    ranked = [level for _, level in sorted(zip(scores, levels, strict=True), reverse=True)]
    each = [plain_ap([level >= least for level in ranked]) for least in (1, 2, 3)]
    mean = sum(w * ap for w, ap in zip(weights, each, strict=True)) / sum(weights)
    assert 1 - loss == pytest.approx(mean, abs=1e-6)
