"""The losses as modules: settings bound, proxies kept. The formulas stand with the functions."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from hgld.losses.proxies import csl_loss
from hgld.metrics.arguments import label_matrix


class RankingLoss(nn.Module):
    """A loss of a batch and what it ranks, such as `sup_hap_loss`, with its settings bound.

    Example:
        >>> from hgld.losses import sup_hap_loss
        >>> loss = RankingLoss(sup_hap_loss, alpha=2.0)
        >>> embeddings, labels = torch.eye(4), torch.tensor([[0], [0], [1], [1]])
        >>> round(float(loss(embeddings, labels)), 4)
        0.1667
    """

    def __init__(self, function: Callable[..., Tensor], **settings: object) -> None:
        """Binds settings to a function.

        Args:
            function: of `hgld.losses`, or of the same arguments.
            **settings: its keyword arguments, references aside.
        """
        super().__init__()
        self.function = partial(function, **settings)

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


class ProxyLoss(nn.Module):
    """A loss of a batch and one learnt proxy a landmark: `clustering_loss`, `arcface_loss`.

    Attributes:
        proxies: (C, D) parameter.

    Example:
        >>> from hgld.losses import clustering_loss
        >>> loss = ProxyLoss(clustering_loss, landmarks=4, embedding_dim=4, temperature=0.1)
        >>> loss(torch.eye(4), torch.arange(4)).backward()
        >>> loss.proxies.grad.shape
        torch.Size([4, 4])
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        landmarks: int,
        embedding_dim: int,
        *,
        seed: int = 0,
        **settings: object,
    ) -> None:
        """Makes the proxies and binds settings to a function.

        Args:
            function: of embeddings, labels and proxies.
            landmarks: C, how many proxies.
            embedding_dim: D.
            seed: what the proxies are drawn from.
            **settings: keyword arguments of the function.

        Raises:
            ValueError: fewer than one proxy or dimension.
        """
        super().__init__()
        self.function = partial(function, **settings)
        self.proxies = _new_proxies(landmarks, embedding_dim, seed)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss; column 0 of the (B, L) labels numbers the proxies from 0."""
        return self.function(embeddings, labels, self.proxies)


class CSLLoss(nn.Module):
    """The composite similarity loss `csl_loss` with its proxies.

    Attributes:
        proxies: (C, D) parameter.
        proxy_labels: (C, L) buffer.

    Example:
        >>> landmarks = torch.tensor([[0, 0], [1, 0], [2, 1]])
        >>> loss = CSLLoss(landmarks, embedding_dim=4, margins=(0.25, 0.35))
        >>> loss(torch.eye(4), landmarks[[0, 1, 2, 2]]).backward()
        >>> loss.proxies.grad.shape
        torch.Size([3, 4])
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
        """Makes a proxy for each row of labels.

        Args:
            proxy_labels: (C, L) integers; (C,) where there is one level.
            embedding_dim: D.
            margins: see `csl_loss`, as for the scale.
            scale: what similarities and margins are multiplied by.
            seed: what the proxies are drawn from.

        Raises:
            TypeError: labels that are no tensor, or no integers.
            ValueError: fewer than one proxy or dimension.
        """
        super().__init__()
        proxy_labels = label_matrix("proxy_labels", proxy_labels)
        self.function = partial(csl_loss, margins=tuple(margins), scale=scale)
        self.proxies = _new_proxies(len(proxy_labels), embedding_dim, seed)
        # A copy: what a saved state is loaded into is the module's own.
        self.register_buffer("proxy_labels", proxy_labels.clone())

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss of (B, D) embeddings and (B, L) labels."""
        return self.function(embeddings, labels, self.proxies, proxy_labels=self.proxy_labels)


def _new_proxies(landmarks: int, embedding_dim: int, seed: int) -> nn.Parameter:
    """(C, D) uniform in +-1 / sqrt(D), as published; its own generator leaves others alone."""
    if min(landmarks, embedding_dim) < 1:
        raise ValueError(
            "landmarks and embedding_dim must be at least 1, got "
            f"{landmarks} and {embedding_dim}; give each training landmark a proxy"
        )
    bound = 1 / math.sqrt(embedding_dim)
    generator = torch.Generator().manual_seed(seed)
    proxies = torch.empty(landmarks, embedding_dim)
    return nn.Parameter(proxies.uniform_(-bound, bound, generator=generator))
