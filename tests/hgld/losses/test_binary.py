import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hgld.losses import (
    decomposability_loss,
    recall_at_k_loss,
    roadmap_loss,
    smooth_ap_loss,
    soft_bin_ap_loss,
    sup_ap_loss,
)
from tests.worlds.plain.losses import (
    plain_levels,
    plain_positives,
    plain_sigmoid,
    plain_smooth_h_ap,
    plain_smooth_rank,
    plain_sup_h_ap,
    plain_sup_step,
    scored_batch,
    tree_batch,
)

SEEDS = st.integers(0, 2**31)
ALL: dict[str, Callable[..., Tensor]] = {
    "sup_ap": sup_ap_loss,
    "smooth_ap": smooth_ap_loss,
    "soft_bin_ap": soft_bin_ap_loss,
    "roadmap": roadmap_loss,
}


def plain_binned_ap(scores: list[float], positives: list[int], bins: int) -> float:
    """Revaud et al.: parts of items in bins from 1 down to -1, precision so far, recall here."""
    slope = (bins - 1) / 2
    seen = found = total = 0.0
    for b in range(bins):
        centre = 1 - b / slope
        parts = [max(0.0, 1 - slope * abs(score - centre)) for score in scores]
        here = sum(part for part, positive in zip(parts, positives, strict=True) if positive)
        seen, found = seen + sum(parts), found + here
        total += here / sum(positives) * (found / seen if seen else 0)
    return total


@settings(deadline=None, max_examples=20)
@given(size=st.integers(2, 14), level=st.integers(0, 2), seed=SEEDS)
def test_sup_ap_and_smooth_ap_equal_double_loops(size: int, level: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 3, seed=seed)
    scores, step = (embeddings @ embeddings.T).tolist(), plain_sup_step()
    sup = sup_ap_loss(embeddings, labels, level=level, reduction="none")
    smooth = smooth_ap_loss(embeddings, labels, level=level, reduction="none")
    for query, positives in enumerate(plain_positives(labels, level)):
        relevances = [float(positive) for positive in positives]
        expected = 1 - plain_sup_h_ap(scores[query], positives, relevances, step)
        assert sup[query].item() == pytest.approx(expected, abs=1e-7)
        expected = 1 - plain_smooth_h_ap(scores[query], relevances)
        assert smooth[query].item() == pytest.approx(expected, abs=1e-7)


def test_sup_ap_equals_the_hand_computed_value() -> None:
    # Positives at 0.9 and 0.5, a negative at 0.49: 1 / 1 and 2 / (2 + sigmoid(-1)).
    query, label, references, ref_labels = scored_batch([0.9, 0.5, 0.49], [1, 1, 0], depth=1)
    loss = sup_ap_loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.item() == pytest.approx(1 - (1 + 2 / 2.2689414) / 2, abs=1e-7)


@settings(deadline=None, max_examples=20)
@given(size=st.integers(2, 14), bins=st.integers(2, 30), seed=SEEDS)
def test_binned_ap_equals_a_double_loop(size: int, bins: int, seed: int) -> None:
    embeddings, labels = tree_batch(size, 2, seed=seed)
    scores = (embeddings @ embeddings.T).clamp(max=1).tolist()
    values = soft_bin_ap_loss(embeddings, labels, bins=bins, reduction="none")
    for query, positives in enumerate(plain_positives(labels, 0)):
        expected = 1 - plain_binned_ap(scores[query], positives, bins)
        assert values[query].item() == pytest.approx(expected, abs=1e-6)


def test_roadmap_weighs_sup_ap_and_decomposability() -> None:
    embeddings, labels = tree_batch(12, 2, seed=1)
    ranking, spread = (f(embeddings, labels) for f in (sup_ap_loss, decomposability_loss))
    for weight in (0.0, 0.3, 1.0):
        loss = roadmap_loss(embeddings, labels, weight=weight)
        torch.testing.assert_close(loss, (1 - weight) * ranking + weight * spread)


@pytest.mark.parametrize("name", ALL)
def test_gradcheck(name: str) -> None:
    embeddings, labels = tree_batch(8, 2, dim=4, seed=3)
    # Shorter than 1: the binned AP has a kink at the similarity of an item to itself.
    leaf = (0.97 * embeddings).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: ALL[name](x, labels), (leaf,), eps=1e-7, atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize("name", ALL)
def test_a_coarser_level_has_more_positives(name: str) -> None:
    embeddings, labels = tree_batch(12, 3, seed=4)
    for level in range(3):
        cut = labels[:, level:]
        torch.testing.assert_close(
            ALL[name](embeddings, labels, level=level), ALL[name](embeddings, cut)
        )
    with pytest.raises(ValueError, match="level"):
        ALL[name](embeddings, labels, level=3)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_in_half_precision_are_numbers(name: str, dtype: torch.dtype) -> None:
    embeddings, labels = tree_batch(24, 2, dim=16, seed=5)
    leaf = embeddings.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        loss = ALL[name](leaf, labels)
    assert loss.dtype == torch.float32
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient.isfinite().all()
    assert gradient.norm() > 0


@pytest.mark.parametrize("name", ["sup_ap", "smooth_ap", "soft_bin_ap"])
def test_a_query_without_positives_is_undefined_and_left_out(name: str) -> None:
    embeddings, labels = tree_batch(6, 1, seed=6)
    references, ref_labels = embeddings.flip(0), labels.flip(0).clone()
    labels[2] = 99
    function = partial(
        ALL[name], embeddings, labels, ref_embeddings=references, ref_labels=ref_labels
    )
    values = function(reduction="none")
    assert values.isnan().tolist() == [False, False, True, False, False, False]
    assert function().item() == pytest.approx(values.nanmean().item())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [8, 100])
def test_a_row_that_is_no_number_makes_the_loss_and_its_gradient_none(name: str, size: int) -> None:
    embeddings, labels = tree_batch(size, 2, seed=7)
    references, ref_labels = embeddings.clone(), labels
    embeddings[3] = math.nan
    leaf = embeddings.requires_grad_()
    function = partial(ALL[name], leaf, labels, ref_embeddings=references, ref_labels=ref_labels)
    loss = function()
    assert loss.isnan()
    assert torch.autograd.grad(loss, leaf)[0][3].isnan().all()
    if name != "roadmap":
        assert function(reduction="none").isnan().nonzero().flatten().tolist() == [3]


def test_the_ideal_order_costs_nothing() -> None:
    query, label, references, ref_labels = scored_batch([0.9, 0.8, 0.1], [1, 1, 0], depth=1)
    for loss in (sup_ap_loss, smooth_ap_loss, soft_bin_ap_loss):
        value = loss(query, label, ref_embeddings=references, ref_labels=ref_labels)
        assert value.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "setting", "value"),
    [
        (soft_bin_ap_loss, "bins", 1),
        (roadmap_loss, "weight", 1.5),
        (smooth_ap_loss, "tau", math.nan),
        (recall_at_k_loss, "ks", ()),
        (recall_at_k_loss, "ks", (0,)),
        (recall_at_k_loss, "ks", (1, math.nan)),
        (recall_at_k_loss, "ks", (1.5,)),
        (recall_at_k_loss, "ks", (math.inf,)),
        (recall_at_k_loss, "temperature", 0.0),
        (recall_at_k_loss, "temperature", math.inf),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    loss: Callable[..., Tensor], setting: str, value: object
) -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(ValueError, match=setting):
        loss(embeddings, labels, **{setting: value})


@settings(deadline=None, max_examples=20)
@given(
    size=st.integers(2, 12),
    ks=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    seed=SEEDS,
)
def test_recall_at_k_equals_a_double_loop(size: int, ks: tuple[int, ...], seed: int) -> None:
    embeddings, labels = tree_batch(size, 2, seed=seed)
    scores = (embeddings @ embeddings.T).tolist()
    values = recall_at_k_loss(embeddings, labels, ks=ks, temperature=0.7, reduction="none")
    for query, levels in enumerate(plain_levels(labels, labels)):
        positives = [k for k in range(size) if levels[k] == 2]
        ranks = [plain_smooth_rank(k, scores[query]) for k in positives]
        recall = 0.0
        for k in ks:
            found = sum(plain_sigmoid((k - rank) / 0.7) for rank in ranks)
            recall += found / min(k, len(positives)) / len(ks)
        assert values[query].item() == pytest.approx(1 - recall, abs=1e-7)


def test_recall_with_a_sharp_cut_equals_the_hand_computed_values() -> None:
    # Positives at ranks 1 and 3. At the cut a positive counts half: R@1 = 0.5 / 1,
    # R@2 = (1 + 0) / 2, R@3 = (1 + 0.5) / 2, R@4 = (1 + 1) / 2.
    query, label, references, ref_labels = scored_batch([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], 1)
    for k, expected in ((1, 0.5), (2, 0.5), (3, 0.75), (4, 1.0)):
        loss = recall_at_k_loss(
            query,
            label,
            ref_embeddings=references,
            ref_labels=ref_labels,
            ks=(k,),
            temperature=1e-3,
            tau=1e-4,
        )
        assert 1 - loss.item() == pytest.approx(expected)
