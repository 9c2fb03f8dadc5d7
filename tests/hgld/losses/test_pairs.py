import logging
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch

from hgld.losses import (
    arcface_loss,
    clustering_loss,
    decomposability_loss,
    pairs,
    sup_hap_loss,
    triplet_loss,
)
from tests.worlds.plain.losses import tree_batch


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
        (lambda: clustering_loss(LONG, LABELS, PROXIES), True),
        (lambda: sup_hap_loss(EMBEDDINGS.float(), LABELS), False),
        (lambda: RANKED(EMBEDDINGS.half(), ref_embeddings=EMBEDDINGS.bfloat16()), False),
        (lambda: decomposability_loss(LONG, LABELS), False),
        (lambda: triplet_loss(LONG, LABELS), False),
        (lambda: arcface_loss(LONG, LABELS, PROXIES), False),
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
