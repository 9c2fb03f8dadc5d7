import logging
from functools import partial

import pytest
import torch

from hgld.losses import sup_hap_loss
from tests.worlds.plain.losses import tree_batch


def test_a_query_without_relevant_items_is_left_out_of_the_mean() -> None:
    embeddings, labels = tree_batch(8, 2, seed=7)
    labels[:, 1] += 1
    labels[0] = torch.tensor([99, 99])
    references, ref_labels = tree_batch(10, 2, seed=8)
    leaf = embeddings.requires_grad_()
    function = partial(
        sup_hap_loss,
        ref_embeddings=references,
        ref_labels=ref_labels + torch.tensor([0, 1]),
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
    assert "6 of 6 queries have no relevant item among the 6 they rank" in caplog.text
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient.norm() == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    embeddings, labels = tree_batch(6, 2)
    for bad_embeddings, bad_labels, text in (
        (embeddings, labels[:, 0], r"pass labels\[:, None\]"),
        (embeddings, labels[:5], r"got \(6, 8\) and \(5, 2\)"),
        (embeddings[0], labels, r"got \(8,\) and \(6, 2\)"),
        (embeddings[:0], labels[:0], "labels must not be empty"),
    ):
        with pytest.raises(ValueError, match=text):
            sup_hap_loss(bad_embeddings, bad_labels)


def test_references_come_with_labels_and_fit_the_batch() -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(ValueError, match="must be given together"):
        sup_hap_loss(embeddings, labels, ref_embeddings=embeddings)
    with pytest.raises(ValueError, match="the same D, got 8 and 7"):
        sup_hap_loss(embeddings, labels, ref_embeddings=embeddings[:, 1:], ref_labels=labels)
    with pytest.raises(ValueError, match="the same L, got 2 and 1"):
        sup_hap_loss(embeddings, labels, ref_embeddings=embeddings, ref_labels=labels[:, 1:])


def test_types_that_cannot_be_meant_are_refused() -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(TypeError, match=r"embeddings must be floating point, got torch\.int64"):
        sup_hap_loss(labels, labels)
    with pytest.raises(TypeError, match=r"labels must be integers, got torch\.float64"):
        sup_hap_loss(embeddings, embeddings)


def test_settings_that_make_no_sense_are_refused() -> None:
    embeddings, labels = tree_batch(6, 2)
    with pytest.raises(ValueError, match="alpha must be at least 0, got -1"):
        sup_hap_loss(embeddings, labels, alpha=-1)
    with pytest.raises(ValueError, match="weights belong to relevance='map'"):
        sup_hap_loss(embeddings, labels, weights=[1, 2])
    with pytest.raises(ValueError, match="each of the 2 levels"):
        sup_hap_loss(embeddings, labels, relevance="map", weights=[1, 2, 3])
    with pytest.raises(ValueError, match="relevance must be 'decay' or 'map', got 'pop'"):
        sup_hap_loss(embeddings, labels, relevance="pop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'none', got 'sum'"):
        sup_hap_loss(embeddings, labels, reduction="sum")  # type: ignore[arg-type]
