import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from hgld.losses import (
    CSLLoss,
    ProxyLoss,
    RankingLoss,
    arcface_loss,
    clustering_loss,
    csl_loss,
    hxe_loss,
    sup_hap_loss,
)
from tests.worlds.plain.losses import tree_batch

SEEDS = st.integers(0, 2**31)


def proxy_batch(size: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(B, D), (B, L) and (C, D); column 0 of the labels numbers the proxies."""
    embeddings, labels = tree_batch(size, 3, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    landmarks = int(labels[:, 0].max()) + 2
    return embeddings, labels, torch.randn(landmarks, 8, dtype=torch.float64, generator=generator)


def cosines_of(embeddings: Tensor, proxies: Tensor) -> list[list[float]]:
    return (functional.normalize(embeddings) @ functional.normalize(proxies).T).tolist()


def plain_cross_entropy(logits: list[float], own: int) -> float:
    return math.log(sum(math.exp(logit - logits[own]) for logit in logits))


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 9), seed=SEEDS)
def test_clustering_and_arcface_equal_double_loops(size: int, seed: int) -> None:
    embeddings, labels, proxies = proxy_batch(size, seed=seed)
    clustering = arcface = 0.0
    rows = zip(cosines_of(embeddings, proxies), labels[:, 0].tolist(), strict=True)
    for cosines, own in rows:
        clustering += plain_cross_entropy([cosine / 0.05 for cosine in cosines], own) / size
        angle = math.acos(cosines[own])
        past = cosines[own] - 0.5 * math.sin(0.5)
        turned = math.cos(angle + 0.5) if angle <= math.pi - 0.5 else past
        cosines[own] = turned
        arcface += plain_cross_entropy([64 * cosine for cosine in cosines], own) / size
    assert clustering_loss(embeddings, labels, proxies).item() == pytest.approx(clustering)
    assert arcface_loss(embeddings, labels, proxies).item() == pytest.approx(arcface, rel=1e-6)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 9), seed=SEEDS)
def test_csl_equals_a_double_loop(size: int, seed: int) -> None:
    embeddings, labels, proxies = proxy_batch(size, seed=seed)
    proxy_labels = torch.unique(labels, dim=0)
    proxies = proxies[: len(proxy_labels)]
    expected = 0.0
    for level, margin in enumerate((0.1, 0.2, 0.3)):
        for cosines, label in zip(cosines_of(embeddings, proxies), labels, strict=True):
            pulled = pushed = 0.0
            for cosine, proxy_label in zip(cosines, proxy_labels, strict=True):
                pulled += math.exp(-4 * cosine) * bool(label[0] == proxy_label[0])
                pushed += math.exp(4 * cosine) * bool(label[level] != proxy_label[level])
            expected += math.log1p(pushed * pulled * math.exp(4 * margin)) / size
    loss = partial(csl_loss, embeddings, labels, margins=(0.1, 0.2, 0.3), scale=4.0)
    assert loss(proxies).item() == pytest.approx(expected)
    order = torch.randperm(len(proxies), generator=torch.Generator().manual_seed(seed))
    assert loss(proxies[order], proxy_labels[order]).item() == pytest.approx(expected)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 9), seed=SEEDS, alpha=st.sampled_from([0.0, 0.1, 2.0]))
def test_hxe_equals_a_walk_up_the_tree(size: int, seed: int, alpha: float) -> None:
    embeddings, labels, proxies = proxy_batch(size, seed=seed)
    labels[:, 0] %= 2  # under several labels of the next level: only the path makes a landmark
    known = torch.unique(labels, dim=0)
    proxies = torch.cat((proxies, proxies.flip(0)))[: len(known)]
    nodes = known.tolist()
    expected = 0.0
    for cosines, path in zip(cosines_of(embeddings, proxies), labels.tolist(), strict=True):
        shares = [math.exp(cosine / 0.05) for cosine in cosines]
        above = sum(shares)
        for height, column in enumerate(reversed(range(3)), start=1):
            under = sum(
                share
                for share, node in zip(shares, nodes, strict=True)
                if node[column:] == path[column:]
            )
            expected -= math.exp(-alpha * height) * math.log(under / above) / size
            above = under
    found = hxe_loss(embeddings, labels, proxies, alpha=alpha)
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
    again = hxe_loss(embeddings, labels, proxies[order], known[order], alpha=alpha)
    assert again.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_hxe_without_weights_is_the_clustering_loss_and_its_weights_fall_down_the_tree() -> None:
    embeddings, labels, proxies = proxy_batch(8)
    finest = torch.arange(len(proxies))
    known = torch.stack([finest // 3**depth for depth in range(3)], dim=1)
    flat = hxe_loss(embeddings, labels, proxies, known, alpha=0.0)
    torch.testing.assert_close(flat, clustering_loss(embeddings, labels, proxies))
    # Three landmarks, two of one kind, all equally likely: 2/3 of the kind, 1/2 within it.
    same, tree = torch.ones(3, 1).double(), torch.tensor([[0, 0], [1, 0], [2, 1]])
    loss = hxe_loss(same[:1], tree[:1], same, tree, alpha=1.0)
    by_hand = math.exp(-1) * math.log(3 / 2) + math.exp(-2) * math.log(2)
    assert loss.item() == pytest.approx(by_hand)


def test_arcface_past_the_opposite_of_its_proxy_takes_a_line() -> None:
    angle = math.radians(170)  # turned, it would be past 180
    embedding = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
    loss = arcface_loss(embedding, torch.tensor([[0]]), torch.eye(2).double(), scale=2.0)
    logits = [2 * (math.cos(angle) - 0.5 * math.sin(0.5)), 2 * math.sin(angle)]
    assert loss.item() == pytest.approx(plain_cross_entropy(logits, 0))


@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_arcface_has_a_gradient_where_an_embedding_lies_on_its_proxy(cosine: float) -> None:
    proxies = torch.eye(3).requires_grad_()
    leaf = (cosine * torch.eye(3)).requires_grad_()
    loss = arcface_loss(leaf, torch.arange(3)[:, None], proxies)
    for gradient in torch.autograd.grad(loss, (leaf, proxies)):
        assert gradient.isfinite().all()


def test_arcface_turns_by_up_to_half_a_circle() -> None:
    same = torch.eye(2).double()
    loss = partial(arcface_loss, same, torch.arange(2), same, scale=1.0)
    assert loss(margin=math.pi).item() == pytest.approx(math.log(1 + math.e))


def test_landmarks_without_a_proxy_and_proxy_labels_of_other_levels_are_refused() -> None:
    embeddings, labels, proxies = proxy_batch(6)
    last = int(labels[:, 0].max())
    for loss in (clustering_loss, arcface_loss):
        with pytest.raises(ValueError, match=str(last)):
            loss(embeddings, labels, proxies[:last])
        with pytest.raises(ValueError, match="got -1"):
            loss(embeddings, labels - 1, proxies)
    for of_levels in (csl_loss, hxe_loss):
        with pytest.raises(ValueError, match="proxy"):
            of_levels(embeddings, labels, proxies[:1], proxy_labels=labels[:1] + 50)
        with pytest.raises(ValueError, match="proxy_labels"):
            of_levels(embeddings, labels, proxies[:1])
        for columns in ([0], [0, 1], [0, 1, 2, 2]):
            with pytest.raises(ValueError, match="proxy_labels"):
                of_levels(embeddings, labels, embeddings, labels[:, columns])


@pytest.mark.parametrize(
    "loss", [clustering_loss, arcface_loss, hxe_loss, partial(csl_loss, margins=(0.1,))]
)
def test_proxies_of_another_shape_or_kind_are_refused(loss: Callable[..., Tensor]) -> None:
    embeddings, labels = torch.eye(3), torch.arange(3)
    for proxies in (torch.ones(3, 2), torch.ones(3), torch.ones(3, 3, 1)):
        with pytest.raises(ValueError, match="proxies"):
            loss(embeddings, labels, proxies)
    with pytest.raises(TypeError, match="proxies"):
        loss(embeddings, labels, torch.eye(3).long())


def test_a_module_gives_what_its_function_gives() -> None:
    embeddings, labels, _ = proxy_batch(6)
    one, other = (
        ProxyLoss(arcface_loss, 9, 8, seed=seed, margin=0.3, scale=8.0).double() for seed in (1, 2)
    )
    expected = arcface_loss(embeddings, labels, one.proxies, margin=0.3, scale=8.0)
    assert one(embeddings, labels).item() == expected.item() != other(embeddings, labels).item()
    assert 0 < one.proxies.abs().max() <= 1 / math.sqrt(8)
    known = torch.unique(labels, dim=0)
    csl = CSLLoss(known, 8, margins=(0.1, 0.2, 0.3)).double()
    expected = csl_loss(embeddings, labels, csl.proxies, known, margins=(0.1, 0.2, 0.3))
    assert csl(embeddings, labels).item() == expected.item()
    csl.load_state_dict(csl.state_dict() | {"proxy_labels": known + 5})
    assert csl(embeddings, labels + 5).item() == expected.item()
    assert known.min() == 0  # a state leaves alone what a module was made from
    with pytest.raises(TypeError, match="proxy_labels"):
        CSLLoss(known.double(), 8)
    references, ref_labels = embeddings[2:].flip(0), labels[2:].flip(0)
    ranked = RankingLoss(sup_hap_loss, alpha=2.0)(embeddings, labels, references, ref_labels)
    expected = sup_hap_loss(
        embeddings, labels, ref_embeddings=references, ref_labels=ref_labels, alpha=2.0
    )
    assert ranked.item() == expected.item()
    for landmarks, dim in ((0, 4), (5, 0)):
        with pytest.raises(ValueError, match="landmarks"):
            ProxyLoss(arcface_loss, landmarks, dim)


def test_the_gradient_in_single_precision_is_that_in_double_where_a_proxy_has_no_length_too() -> (
    None
):
    generator = torch.Generator().manual_seed(0)
    embeddings, proxies = (torch.randn(n, 5, generator=generator) for n in (8, 6))
    embeddings, proxies[5] = functional.normalize(embeddings), 0
    labels = torch.arange(8)[:, None] % 5
    found = []
    for dtype in (torch.float32, torch.float64):
        leaves = [one.to(dtype).requires_grad_() for one in (embeddings, proxies)]
        normed = functional.normalize(leaves[1])
        losses = (
            clustering_loss(leaves[0], labels, leaves[1]),
            functional.cross_entropy(leaves[0] @ normed.T / 0.05, labels[:, 0]),
        )
        found += [torch.autograd.grad(loss, leaves) for loss in losses]
    for gradients in found[:-1]:
        for one, plain in zip(gradients, found[-1], strict=True):
            torch.testing.assert_close(one.double()[:5], plain[:5], rtol=1e-4, atol=1e-5)
            assert one.isfinite().all()
