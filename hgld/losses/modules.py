"""The losses as modules: settings bound, proxies kept. The formulas stand with the functions."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from hgld.losses.proxies import csl_loss


class RankingLoss(nn.Module):
    """A loss of a batch and what it ranks, such as `sup_hap_loss`, with its settings bound.

    Example:
        >>> from functools import partial
        >>> from hgld.losses import sup_hap_loss
        >>> loss = RankingLoss(partial(sup_hap_loss, alpha=2.0))
        >>> embeddings, labels = torch.eye(4), torch.tensor([[0], [0], [1], [1]])
        >>> round(float(loss(embeddings, labels)), 4)
        0.1667
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        """Binds a function of `hgld.losses`, settings included by `functools.partial`."""
        super().__init__()
        self.function = function

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        ref_embeddings: Tensor | None = None,
        ref_labels: Tensor | None = None,
    ) -> Tensor:
        """Computes the loss of (B, D) embeddings and (B, L) labels, see the bound function."""
        return self.function(
            embeddings, labels, ref_embeddings=ref_embeddings, ref_labels=ref_labels
        )

    def extra_repr(self) -> str:
        """The bound function and settings, for print."""
        return _described(self.function)


class ProxyLoss(nn.Module):
    """A loss of a batch and one learnt proxy a landmark: `clustering_loss`, `arcface_loss`.

    Attributes:
        proxies: (C, D) parameter.
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor, Tensor], Tensor],
        landmarks: int,
        embedding_dim: int,
        *,
        seed: int = 0,
    ) -> None:
        """Makes the proxies: C = `landmarks` rows of D = `embedding_dim`, drawn from `seed`."""
        super().__init__()
        self.function = function
        self.proxies = _new_proxies(landmarks, embedding_dim, seed)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss; column 0 of the (B, L) labels numbers the proxies from 0."""
        return self.function(embeddings, labels, self.proxies)

    def extra_repr(self) -> str:
        """The bound function, its settings and the size of the proxies, for print."""
        return f"{_described(self.function)}, proxies={tuple(self.proxies.shape)}"


class CSLLoss(nn.Module):
    """The composite similarity loss `csl_loss` with its proxies.

    Attributes:
        proxies: (C, D) parameter.
        proxy_labels: (C, L) buffer.
    """

    proxy_labels: Tensor

    def __init__(
        self,
        proxy_labels: Tensor,
        embedding_dim: int,
        *,
        margins: Sequence[float] = (0.25, 0.35, 0.45),
        scale: float = 32.0,
        seed: int = 0,
    ) -> None:
        """Makes a proxy for each row of (C, L) `proxy_labels`, drawn from `seed`."""
        super().__init__()
        self.function = partial(csl_loss, margins=tuple(margins), scale=scale)
        self.proxies = _new_proxies(len(proxy_labels), embedding_dim, seed)
        self.register_buffer("proxy_labels", proxy_labels)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss of (B, D) embeddings and (B, L) labels."""
        return self.function(embeddings, labels, self.proxies, proxy_labels=self.proxy_labels)

    def extra_repr(self) -> str:
        """The settings and the size of the proxies, for print."""
        return f"{_described(self.function)}, proxies={tuple(self.proxies.shape)}"


def _new_proxies(landmarks: int, embedding_dim: int, seed: int) -> nn.Parameter:
    """(C, D) uniform in +-1 / sqrt(D), as published; its own generator leaves others alone."""
    bound = 1 / math.sqrt(embedding_dim)
    generator = torch.Generator().manual_seed(seed)
    proxies = torch.empty(landmarks, embedding_dim)
    return nn.Parameter(proxies.uniform_(-bound, bound, generator=generator))


def _described(function: Callable[..., Tensor]) -> str:
    if isinstance(function, partial):
        settings = [f"{name}={value}" for name, value in function.keywords.items()]
        return ", ".join([function.func.__name__, *settings])
    return getattr(function, "__name__", repr(function))
