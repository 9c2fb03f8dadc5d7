"""The losses as modules: settings bound, proxies kept. The formulas stand with the functions."""

import math
from collections.abc import Callable
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
    """A loss of a batch and one learnt proxy a landmark, with its settings bound.

    Attributes:
        proxies: (C, D) parameter.
        proxy_labels: (C, L) buffer, or None.

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
        proxy_labels: Tensor | None = None,
        seed: int = 0,
        **settings: object,
    ) -> None:
        """Makes the proxies, uniform in +-1 / sqrt(D) as published, and binds the settings.

        Args:
            function: of embeddings, labels and proxies.
            landmarks: C, how many proxies.
            embedding_dim: D.
            proxy_labels: (C, L) or (C,) integers, for a function that takes them: `csl_loss`.
            seed: what the proxies are drawn from, by a generator of their own.
            **settings: keyword arguments of the function.

        Raises:
            ValueError: fewer than one proxy or dimension.
        """
        super().__init__()
        if min(landmarks, embedding_dim) < 1:
            raise ValueError(
                "landmarks and embedding_dim must be at least 1, got "
                f"{landmarks} and {embedding_dim}; give each training landmark a proxy"
            )
        self.function = partial(function, **settings)
        bound = 1 / math.sqrt(embedding_dim)
        proxies, generator = torch.empty(landmarks, embedding_dim), torch.Generator()
        proxies.uniform_(-bound, bound, generator=generator.manual_seed(seed))
        self.proxies = nn.Parameter(proxies)
        # A copy: what a saved state is loaded into is the module's own.
        self.register_buffer("proxy_labels", None if proxy_labels is None else proxy_labels.clone())

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss of (B, D) embeddings and (B, L) or (B,) labels."""
        known = {} if self.proxy_labels is None else {"proxy_labels": self.proxy_labels}
        return self.function(embeddings, labels, self.proxies, **known)


class CSLLoss(ProxyLoss):
    """The composite similarity loss `csl_loss` with its proxies: a proxy for each row of labels.

    Example:
        >>> landmarks = torch.tensor([[0, 0], [1, 0], [2, 1]])
        >>> loss = CSLLoss(landmarks, embedding_dim=4, margins=(0.25, 0.35))
        >>> loss(torch.eye(4), landmarks[[0, 1, 2, 2]]).shape
        torch.Size([])
    """

    def __init__(
        self, proxy_labels: Tensor, embedding_dim: int, *, seed: int = 0, **settings: object
    ) -> None:
        """Makes the proxies of (C, L) labels, see `ProxyLoss` and `csl_loss`."""
        labels = label_matrix("proxy_labels", proxy_labels)
        super().__init__(
            csl_loss, len(labels), embedding_dim, proxy_labels=labels, seed=seed, **settings
        )
