"""What all losses take and refuse: labels of one level, tensors, precisions, words."""

import inspect
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from hgld import losses

_RANKING: dict[str, Callable[..., Tensor]] = {
    name: getattr(losses, name)
    for name in losses.__all__
    if name.endswith("_loss") and not name.startswith(("arcface", "clustering", "csl"))
}
_PROXY: dict[str, Callable[..., Tensor]] = {
    "arcface_loss": losses.arcface_loss,
    "clustering_loss": losses.clustering_loss,
    "csl_loss": partial(losses.csl_loss, margins=(0.2,)),
}


def normal(rows: int, dim: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, dim, generator=generator), dim=1)


@pytest.mark.parametrize("name", _RANKING)
def test_labels_of_shape_b_are_one_level_in_losses_of_references(name: str) -> None:
    loss, labels, ref_labels = _RANKING[name], torch.arange(8) // 2, torch.arange(6) // 2
    assert loss(normal(8), labels).item() == loss(normal(8), labels[:, None]).item()
    references = {"ref_embeddings": normal(6, seed=1)}
    expected = loss(normal(8), labels[:, None], ref_labels=ref_labels[:, None], **references)
    for ours, theirs in ((labels, ref_labels), (labels, ref_labels[:, None])):
        assert loss(normal(8), ours, ref_labels=theirs, **references).item() == expected.item()


@pytest.mark.parametrize("name", _PROXY)
def test_labels_of_shape_b_are_one_level_in_losses_of_proxies(name: str) -> None:
    loss, labels = _PROXY[name], torch.arange(8) // 2
    proxies = normal(4, seed=2)
    expected = loss(normal(8), labels[:, None], proxies)
    assert loss(normal(8), labels, proxies).item() == expected.item()


def test_proxies_may_have_labels_of_one_level() -> None:
    labels = torch.arange(4)
    expected = losses.CSLLoss(labels[:, None], 4, margins=(0.2,))(normal(4), labels[:, None])
    module = losses.CSLLoss(labels, 4, margins=(0.2,))
    assert module(normal(4), labels).item() == expected.item()
    direct = losses.csl_loss(normal(4), labels, module.proxies, labels, margins=(0.2,))
    assert direct.item() == expected.item()


@pytest.mark.parametrize("name", _RANKING | _PROXY)
def test_what_is_no_tensor_is_refused(name: str) -> None:
    loss = (_RANKING | _PROXY)[name]
    good = {"embeddings": normal(4), "labels": torch.arange(4)}
    if name in _PROXY:
        good |= {"proxies": normal(4)}
    else:
        good |= {"ref_embeddings": normal(4), "ref_labels": torch.arange(4)}
    for argument, value in good.items():
        for bad in (value.numpy(), value.tolist()):
            with pytest.raises(TypeError, match=argument):
                loss(**{**good, argument: bad})


def test_labels_of_proxies_that_are_no_tensor_are_refused() -> None:
    with pytest.raises(TypeError, match="proxy_labels"):
        losses.CSLLoss([0, 1], 4)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _RANKING)
def test_references_of_another_precision_are_refused_and_half_with_single_is_not(name: str) -> None:
    loss, labels = _RANKING[name], torch.arange(8) // 2
    with pytest.raises(TypeError, match="precision"):
        loss(normal(8), labels, ref_embeddings=normal(8).double(), ref_labels=labels)
    half = loss(normal(8), labels, ref_embeddings=normal(8).half(), ref_labels=labels)
    assert half.dtype == torch.float32


def test_proxies_of_another_precision_are_refused() -> None:
    with pytest.raises(TypeError, match="precision"):
        losses.clustering_loss(normal(4), torch.arange(4), normal(4).double())


@pytest.mark.parametrize("name", [name for name in _RANKING if "triplet" not in name])
def test_words_that_are_no_choice_are_refused(name: str) -> None:
    wrong = {"reduction": "avg", "relevance": "linear"}
    taken = inspect.signature(_RANKING[name]).parameters
    for keyword, word in wrong.items():
        if keyword in taken:
            with pytest.raises(ValueError, match=f"{keyword}.*{word}"):
                # All alike: there is nothing to sum, and the word is refused all the same.
                _RANKING[name](normal(4), torch.zeros(4, dtype=torch.int64), **{keyword: word})
