"""What all losses do alike: arguments, levels, gradients, precision, what is no number."""

import inspect
import logging
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.losses import pairs, sup_hap_loss
from tests.hgld.losses.test_ranking_losses import loss_of
from tests.worlds.plain.losses import tree_batch

Loss = Callable[..., Tensor]
PROXY: dict[str, Loss] = {
    name: getattr(losses, name)
    for name in ("arcface_loss", "clustering_loss", "csl_loss", "hxe_loss")
}
OF_LEVELS = ("csl_loss", "hxe_loss")
RANKING: dict[str, Loss] = {
    name: getattr(losses, name)
    for name in losses.__all__
    if name.endswith("_loss") and name not in PROXY
}
LOSSES = RANKING | PROXY
UNREDUCED = {
    name: loss
    for name, loss in RANKING.items()
    if "reduction" in inspect.signature(loss).parameters
}
SUP = (losses.sup_hap_loss, losses.sup_ap_loss, losses.sup_ndcg_loss, losses.roadmap_loss)


def bound(name: str, levels: int) -> Loss:
    """A loss that has settings for as many levels as there are."""
    return partial(losses.csl_loss, margins=(0.2,) * levels) if "csl" in name else LOSSES[name]


def arguments(name: str, size: int = 9, levels: int = 3) -> dict[str, Tensor]:
    """What a loss takes, in double precision: a batch, and references or proxies."""
    embeddings, labels = tree_batch(size, levels, dim=4, seed=1)
    batch = {"embeddings": embeddings, "labels": labels}
    if name not in PROXY:
        references, ref_labels = tree_batch(size - 2, levels, dim=4, seed=2)
        return batch | {"ref_embeddings": references, "ref_labels": ref_labels}
    finest = torch.arange(int(labels.max()) + 1)
    batch |= {"proxies": 2 * tree_batch(len(finest), dim=4, seed=2)[0]}
    proxy_labels = torch.stack([finest // 3**depth for depth in range(levels)], dim=1)
    return batch | ({"proxy_labels": proxy_labels} if name in OF_LEVELS else {})


def others_of(name: str) -> str:
    """What a batch is compared with."""
    return "proxies" if name in PROXY else "ref_embeddings"


@pytest.mark.parametrize("name", LOSSES)
def test_labels_of_shape_b_are_one_level(name: str) -> None:
    loss, good = bound(name, 1), arguments(name, levels=1)
    expected = loss(**good).item()
    for argument in [argument for argument in good if "labels" in argument]:
        good[argument] = good[argument][:, 0].to(torch.int32)
        assert loss(**good).item() == expected


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_no_tensor_or_of_another_precision_is_refused(name: str) -> None:
    loss, good = bound(name, 3), arguments(name)
    for argument, value in good.items():
        with pytest.raises(TypeError, match=argument):
            loss(**good | {argument: value.tolist()})
    with pytest.raises(TypeError, match=f"^{others_of(name)} must have the precision"):
        loss(**good | {others_of(name): good[others_of(name)].float()})


@pytest.mark.parametrize(
    "name", [name for name in RANKING if "level" in inspect.signature(LOSSES[name]).parameters]
)
def test_a_coarser_level_has_more_positives(name: str) -> None:
    loss, good = LOSSES[name], arguments(name)
    for level in range(3):
        cut = {key: value[:, level:] for key, value in good.items() if "labels" in key}
        torch.testing.assert_close(loss(**good, level=level), loss(**good | cut))
    with pytest.raises(ValueError, match="level"):
        loss(**good, level=3)


@pytest.mark.parametrize("name", UNREDUCED)
def test_a_query_without_relevant_items_is_undefined_and_left_out(name: str) -> None:
    loss, good = LOSSES[name], arguments(name)
    good["labels"] = good["ref_labels"].repeat(2, 1)[:9]
    good["labels"][2] = 99
    leaf = good["embeddings"].requires_grad_()
    values = loss(**good, reduction="none")
    assert values.isnan().nonzero().flatten().tolist() == [2]
    single = {of: x.detach().float() if x.is_floating_point() else x for of, x in good.items()}
    assert loss(**single, reduction="none").dtype == torch.float32
    mean = loss(**good)
    assert mean.item() == pytest.approx(values.nanmean().item())
    (gradient,) = torch.autograd.grad(mean, leaf)
    assert gradient.isfinite().all()
    assert gradient.norm() > gradient[2].norm() == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_no_number_is_not_hidden(name: str, bad: float) -> None:
    loss, good = bound(name, 3), arguments(name, size=12)
    for argument in ("embeddings", others_of(name)):
        wrong = good | {argument: good[argument].clone()}
        wrong[argument][0, 0] = bad
        leaf = wrong["embeddings"].requires_grad_()
        value = loss(**wrong)
        assert value.isnan()
        assert torch.autograd.grad(value, leaf)[0].isnan().any()


SMOOTH_H_RANKS = partial(losses.sup_hap_loss, smooth_h_ranks=True, offset=None, alpha=0.7)


@pytest.mark.parametrize("name", [*(LOSSES | {"smooth H-ranks": SMOOTH_H_RANKS})])
def test_gradcheck(name: str) -> None:
    loss = bound(name, 3) if name in LOSSES else SMOOTH_H_RANKS
    loss = partial(loss, reduction="none") if name in UNREDUCED else loss
    good, names = arguments(name, size=7), ("embeddings", others_of(name))
    # Shorter than 1: the binned AP has a kink at the similarity of an item to itself.
    inputs = [(0.97 * good[name]).requires_grad_() for name in names]

    def of_both(*given: Tensor) -> Tensor:
        return loss(**good | dict(zip(names, given, strict=True)))

    assert torch.autograd.gradcheck(of_both, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_products_of_a_batch_with_itself_are_differentiated_by_both_sides_and_twice() -> None:
    embeddings = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    own = partial(pairs.inner_products, name="")
    assert torch.autograd.gradcheck(own, embeddings)
    assert torch.autograd.gradgradcheck(own, embeddings)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_computed_in_single(name: str, dtype: torch.dtype) -> None:
    loss, good = bound(name, 2), arguments(name, size=24, levels=2)
    half = good["embeddings"].to(dtype).requires_grad_()
    good |= {others_of(name): good[others_of(name)].float()}
    with torch.autocast("cpu", dtype=dtype):
        value = loss(**good | {"embeddings": half})
    assert value.dtype == torch.float32
    single = loss(**good | {"embeddings": half.float()})
    # Only the products with proxies are of bfloat16 under its autocast, as a linear layer's are.
    within = 1e-2 if dtype == torch.bfloat16 and name in PROXY else 1e-6
    assert value.item() == pytest.approx(single.item(), rel=within)
    (gradient,) = torch.autograd.grad(value, half)
    (expected,) = torch.autograd.grad(single, half)
    assert gradient.norm() > 0
    assert (gradient - expected).norm() < 0.02 * expected.norm()


def test_the_ideal_order_costs_nothing() -> None:
    for name in UNREDUCED.keys() - {"recall_at_k_loss"}:
        value = loss_of(LOSSES[name], [0.9, 0.5, 0.1, -0.3], [2, 2, 1, 0], depth=2)
        assert value == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "setting", "values"),
    [
        *((name, "reduction", ["avg"]) for name in UNREDUCED),
        *((name, "unknown", ["maybe"]) for name in ("sup_hap_loss", "sup_ndcg_loss")),
        ("sup_hap_loss", "alpha", [-1]),
        ("sup_hap_loss", "relevance", ["linear"]),
        ("sup_hap_loss", "weights", [[1, 2, 3]]),  # which belong to `map`
        # Refused without smooth H-ranks too.
        ("sup_hap_loss", "beta", [0.0, math.inf, math.nan]),
        ("sup_hap_loss", "leak", [math.nan]),
        ("sup_ap_loss", "tau", [0.0, -1.0, math.inf, math.nan]),
        ("sup_ap_loss", "rho", [-1.0, math.inf, math.nan]),
        ("sup_ap_loss", "delta", [-0.1, math.nan]),
        ("sup_ap_loss", "start", [-math.inf, math.nan]),
        ("sup_ap_loss", "offset", [math.inf, math.nan]),
        ("soft_bin_ap_loss", "bins", [1]),
        ("smooth_ap_loss", "tau", [math.nan]),
        ("recall_at_k_loss", "ks", [(), (0,), (1, math.nan), (1.5,), (math.inf,)]),
        ("recall_at_k_loss", "temperature", [0.0, math.inf]),
        ("roadmap_loss", "weight", [1.5, -0.1]),
        ("decomposability_loss", "alpha", [math.nan, math.inf, -math.inf]),
        ("decomposability_loss", "beta", [math.nan, math.inf, -math.inf]),
        ("triplet_loss", "margin", [math.nan, math.inf, -math.inf]),
        ("triplet_loss", "mining", ["easy"]),
        ("clustering_loss", "temperature", [0.0, math.nan, math.inf]),
        ("arcface_loss", "margin", [4.0, -0.1]),
        ("arcface_loss", "scale", [0.0, math.nan, math.inf]),
        ("csl_loss", "margins", [(0.1, 0.2), (0.1, math.nan, 0.2)]),
        ("csl_loss", "scale", [0.0, math.inf]),
        ("hxe_loss", "alpha", [-0.1, math.nan, math.inf]),
        ("hxe_loss", "temperature", [0.0, math.nan]),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    name: str, setting: str, values: list[object]
) -> None:
    good = arguments(name)
    for value in values:
        with pytest.raises(ValueError, match=rf"\b{setting}\b"):
            LOSSES[name](**good, **{setting: value})


@pytest.mark.parametrize("loss", SUP)
def test_losses_hand_their_constants_to_the_step(loss: Loss) -> None:
    embeddings, labels = tree_batch(12, 2, seed=2)
    published = loss(embeddings, labels).item()
    for changed in ({"tau": 0.1}, {"rho": 0.0}, {"delta": 0.2}, {"start": 0.9}, {"offset": 3.0}):
        assert loss(embeddings, labels, **changed).item() != published
    for unknown in ("nonsense", *(["reduction"] if loss is losses.roadmap_loss else [])):
        with pytest.raises(TypeError, match=unknown):
            loss(embeddings, labels, **{unknown: "none"})


def test_a_batch_without_any_relevant_item_costs_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    embeddings, labels = tree_batch(6, 2)
    leaf = embeddings.requires_grad_()
    with caplog.at_level(logging.WARNING):
        loss = sup_hap_loss(leaf, labels, ref_embeddings=leaf, ref_labels=labels + 100)
    assert loss.item() == 0
    assert len(caplog.records) == 1
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient.norm() == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    embeddings, labels = tree_batch(6, 2)
    for wrong, error in (
        ((embeddings, labels[:5]), ValueError),
        ((embeddings[0], labels), ValueError),
        ((embeddings[:0], labels[:0]), ValueError),
        ((embeddings, labels, embeddings, None), ValueError),  # references without labels
        ((embeddings, labels, embeddings[:, 1:], labels), ValueError),
        ((embeddings, labels, embeddings, labels[:, 1:]), ValueError),
        ((labels, labels), TypeError),
        ((embeddings, embeddings), TypeError),
    ):
        names = ("embeddings", "labels", "ref_embeddings", "ref_labels")
        with pytest.raises(error, match=r"embeddings|labels|batch"):
            sup_hap_loss(**dict(zip(names, wrong, strict=False)))  # type: ignore[arg-type]


EMBEDDINGS, LABELS = tree_batch(40, 2)
LONG, PROXIES = 10 * EMBEDDINGS, torch.randn(40, 8, dtype=torch.float64)
ONE_LONG = EMBEDDINGS * torch.tensor([1.2] + 39 * [1.0])[:, None]
RANKED = partial(sup_hap_loss, labels=LABELS, ref_labels=LABELS)


@pytest.mark.parametrize(
    ("loss", "warned"),
    [
        (lambda: sup_hap_loss(ONE_LONG, LABELS), True),
        (lambda: sup_hap_loss(0.5 * EMBEDDINGS, LABELS), True),
        (lambda: RANKED(EMBEDDINGS, ref_embeddings=LONG), True),
        (lambda: losses.clustering_loss(LONG, LABELS, PROXIES), True),
        (lambda: sup_hap_loss(EMBEDDINGS.float(), LABELS), False),
        (lambda: RANKED(EMBEDDINGS.half(), ref_embeddings=EMBEDDINGS.bfloat16()), False),
        (lambda: losses.decomposability_loss(LONG, LABELS), False),
        (lambda: losses.triplet_loss(LONG, LABELS), False),
        (lambda: losses.arcface_loss(LONG, LABELS, PROXIES), False),
    ],
)
def test_embeddings_far_from_unit_length_are_warned_of_once(
    caplog: pytest.LogCaptureFixture, loss: Callable[[], object], warned: bool
) -> None:
    pairs._warn_of_length.cache_clear()
    with caplog.at_level(logging.WARNING):
        loss()
        loss()
    assert len(caplog.records) == warned


def test_a_query_that_is_no_number_spoils_the_loss_where_nothing_is_relevant_to_it() -> None:
    embeddings, labels = tree_batch(6, 2)
    labels[0] = 100
    references, ref_labels = tree_batch(7, 2, seed=1)
    embeddings[0, 0] = math.nan
    leaf = embeddings.requires_grad_()
    loss = sup_hap_loss(leaf, labels, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.isnan()
    assert torch.autograd.grad(loss, leaf)[0][0].isnan().any()
