import logging
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch

from hgld.losses import (
    CrossBatchMemory,
    arcface_loss,
    clustering_loss,
    decomposability_loss,
    pairs,
    sup_hap_loss,
    triplet_loss,
)
from tests.worlds.plain.losses import tree_batch


def test_a_query_without_relevant_items_is_left_out_of_the_mean() -> None:
    embeddings, labels = tree_batch(8, 2, seed=7)
    labels[:, 1] += 1
    labels[0] = torch.tensor([99, 99])
    references, ref_labels = tree_batch(10, 2, seed=8)
    leaf = embeddings.requires_grad_()
    function = partial(
        sup_hap_loss, ref_embeddings=references, ref_labels=ref_labels + torch.tensor([0, 1])
    )
    values = function(leaf, labels, reduction="none")
    undefined = values.isnan()
    assert undefined[0]
    assert not undefined.all()
    loss = function(leaf, labels)
    assert loss.item() == pytest.approx(values[~undefined].mean().item())
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient.isfinite().all()
    assert gradient[0].norm() == 0
    assert gradient.norm() > 0


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


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"alpha": -1}, "alpha"),
        ({"weights": [1, 2]}, "weights"),
        ({"relevance": "map", "weights": [1, 2, 3]}, "2 levels"),
        ({"relevance": "pop"}, "relevance"),
        ({"reduction": "sum"}, "reduction"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], word: str) -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(ValueError, match=word):
        sup_hap_loss(embeddings, labels, **settings)


@pytest.fixture
def not_yet_warned() -> Iterator[None]:
    """Forgets, before and after, that a process has been warned of the length of embeddings."""
    pairs._warn_of_length.cache_clear()
    yield
    pairs._warn_of_length.cache_clear()


@pytest.mark.usefixtures("not_yet_warned")
def test_embeddings_far_from_unit_length_are_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    embeddings, labels = tree_batch(6, 2)
    proxies = torch.randn(6, 8, dtype=torch.float64)
    with caplog.at_level(logging.WARNING):
        for scale in (10, 0.5):
            sup_hap_loss(scale * embeddings, labels)
            clustering_loss(scale * embeddings, labels, proxies)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("not_yet_warned")
def test_one_embedding_of_another_length_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    embeddings, labels = tree_batch(6, 2)
    embeddings[3] *= 1.2
    with caplog.at_level(logging.WARNING):
        sup_hap_loss(embeddings, labels)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("not_yet_warned")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_unit_length_is_not_warned_of_in_any_precision(
    caplog: pytest.LogCaptureFixture, dtype: torch.dtype
) -> None:
    embeddings, labels = tree_batch(40, 2)
    with caplog.at_level(logging.WARNING):
        sup_hap_loss(embeddings.to(dtype), labels)
    assert not caplog.records


@pytest.mark.usefixtures("not_yet_warned")
def test_losses_that_normalise_take_any_length(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pytorch_metric_learning")
    embeddings, labels = tree_batch(6, 2)
    with caplog.at_level(logging.WARNING):
        decomposability_loss(10 * embeddings, labels)
        triplet_loss(10 * embeddings, labels)
        arcface_loss(10 * embeddings, labels, torch.randn(6, 8, dtype=torch.float64))
    assert not caplog.records


@pytest.mark.usefixtures("not_yet_warned")
def test_references_far_from_unit_length_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    embeddings, labels = tree_batch(6, 2)
    with caplog.at_level(logging.WARNING):
        sup_hap_loss(embeddings, labels, ref_embeddings=3 * embeddings, ref_labels=labels)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("not_yet_warned")
def test_a_memory_of_unit_vectors_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    embeddings, labels = tree_batch(40, 2)
    memory = CrossBatchMemory(64, 8, 2)
    memory.append(embeddings[:30].bfloat16(), labels[:30])
    references, ref_labels = memory.with_batch(embeddings.half(), labels)
    with caplog.at_level(logging.WARNING):
        sup_hap_loss(embeddings.half(), labels, ref_embeddings=references, ref_labels=ref_labels)
    assert not caplog.records


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("rest", [0, 100])
def test_a_query_that_is_no_number_spoils_the_loss_whatever_is_relevant_to_it(
    bad: float, rest: int
) -> None:
    embeddings, labels = tree_batch(6, 2)
    labels[0] = 100
    labels[1:] += rest  # with 100 nothing is relevant to any query
    references, ref_labels = tree_batch(7, 2, seed=1)
    embeddings[0, 0] = bad
    leaf = embeddings.requires_grad_()
    loss = sup_hap_loss(leaf, labels, ref_embeddings=references, ref_labels=ref_labels)
    assert loss.isnan()
    assert torch.autograd.grad(loss, leaf)[0][0].isnan().any()
