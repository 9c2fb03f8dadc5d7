from functools import partial

import pytest
import torch

from hgld.losses import (
    arcface_loss,
    clustering_loss,
    csl_loss,
    sup_hap_loss,
)
from hgld.losses.modules import CSLLoss, ProxyLoss, RankingLoss
from tests.worlds.plain.losses import tree_batch


def test_modules_give_what_their_functions_give() -> None:
    embeddings, labels = tree_batch(9)
    function = partial(sup_hap_loss, alpha=2.0)
    assert RankingLoss(function)(embeddings, labels).item() == function(embeddings, labels).item()
    module = ProxyLoss(clustering_loss, landmarks=9, embedding_dim=8, seed=3)
    expected = clustering_loss(embeddings.float(), labels, module.proxies)
    assert module(embeddings.float(), labels).item() == expected.item()
    proxy_labels = torch.unique(labels, dim=0)
    csl = CSLLoss(proxy_labels, 8, margins=(0.1, 0.2, 0.3), scale=8.0)
    expected = csl_loss(embeddings.float(), labels, csl.proxies, margins=(0.1, 0.2, 0.3), scale=8.0)
    assert csl(embeddings.float(), labels).item() == expected.item()


def test_proxies_are_parameters_drawn_from_the_seed_alone() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    one, other = (ProxyLoss(arcface_loss, 5, 16, seed=1) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one.proxies, other.proxies)
    assert not torch.equal(one.proxies, ProxyLoss(arcface_loss, 5, 16, seed=2).proxies)
    assert one.proxies.abs().max() <= 0.25
    assert [name for name, _ in one.named_parameters()] == ["proxies"]


def test_a_training_step_with_proxies_lowers_the_loss() -> None:
    embeddings, labels = tree_batch(20)
    embeddings = embeddings.float()
    module = ProxyLoss(clustering_loss, landmarks=20, embedding_dim=8)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    before = module(embeddings, labels)
    before.backward()
    optimizer.step()
    assert module(embeddings, labels).item() < before.item()


def test_settings_are_bound_as_keywords() -> None:
    embeddings, labels = tree_batch(9)
    settings = {"alpha": 2.0, "tau": 0.05, "relevance": "decay"}
    expected = sup_hap_loss(embeddings, labels, alpha=2.0, tau=0.05)
    module = RankingLoss(sup_hap_loss, **settings)
    assert module(embeddings, labels).item() == expected.item()
    bound = RankingLoss(partial(sup_hap_loss, alpha=2.0), tau=0.05)
    assert bound(embeddings, labels).item() == expected.item()
    proxy = ProxyLoss(arcface_loss, landmarks=9, embedding_dim=8, margin=0.3, scale=8.0)
    expected = arcface_loss(embeddings.float(), labels, proxy.proxies, margin=0.3, scale=8.0)
    assert proxy(embeddings.float(), labels).item() == expected.item()


def test_a_loaded_state_leaves_the_labels_that_a_module_was_made_from_alone() -> None:
    labels = torch.tensor([[0, 0], [1, 0]])
    module = CSLLoss(labels, 4, margins=(0.1, 0.2))
    module.load_state_dict(CSLLoss(labels + 5, 4, margins=(0.1, 0.2)).state_dict())
    assert module.proxy_labels.tolist() == [[5, 5], [6, 5]]
    assert labels.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize(("landmarks", "dim"), [(0, 4), (-1, 4), (5, 0)])
def test_proxies_of_no_size_are_refused(landmarks: int, dim: int) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        ProxyLoss(arcface_loss, landmarks, dim)
    with pytest.raises(ValueError, match="embedding_dim"):
        CSLLoss(torch.arange(3), 0)
