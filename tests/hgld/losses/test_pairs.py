import logging
import math
from collections.abc import Iterator
from functools import partial

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
    (message,) = [record.getMessage() for record in caplog.records]
    assert "should have unit length" in message
    assert "pass torch.nn.functional.normalize(embeddings, dim=1)" in message


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
    (record,) = caplog.records
    assert "those of references too" in record.getMessage()


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
