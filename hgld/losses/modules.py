"""The losses as modules: settings bound, proxies and past batches kept.

The formulas stand with the functions.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from hgld.losses.proxies import csl_loss
from hgld.metrics.arguments import check_tensors, label_matrix


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

    def forward(self, embeddings: Tensor, labels: Tensor, indices_tuple: object = None) -> Tensor:
        """Computes the loss of (B, D) embeddings and (B, L) or (B,) labels.

        Args:
            embeddings: see the bound function.
            labels: see the bound function.
            indices_tuple: what trainers of pytorch-metric-learning hand over; None, since a batch
                is compared with all proxies.

        Raises:
            ValueError: a miner has chosen pairs.
        """
        if indices_tuple is not None:
            raise ValueError("indices_tuple must be None: proxies take no pairs; use no miner")
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


class CrossBatchMemory(nn.Module):
    """Keeps the embeddings and labels of the last `size` items, oldest overwritten first.

    A model drifts slowly, so embeddings of some batches ago still do as references: they cost
    memory and no forward pass, and carry no gradient. The contents are buffers: they move with
    the module and are saved with it, so a resumed run goes on with the memory it had.

    Example:
        >>> memory = CrossBatchMemory(size=3, embedding_dim=2, levels=1)
        >>> memory.append(torch.eye(2), torch.tensor([[0], [1]]))
        >>> memory.append(torch.eye(2), torch.tensor([[2], [3]]))
        >>> memory.contents()[1].flatten().tolist()
        [1, 2, 3]

    Source:
        Wang, Zhang, Huang, Scott: Cross-Batch Memory for Embedding Learning, CVPR 2020.
    """

    _embeddings: Tensor
    _labels: Tensor
    _seen: Tensor

    def __init__(self, size: int, embedding_dim: int, levels: int) -> None:
        """Makes an empty memory.

        Args:
            size: most items it holds.
            embedding_dim: D.
            levels: L.

        Raises:
            ValueError: one of them is not positive.
        """
        super().__init__()
        if min(size, embedding_dim, levels) < 1:
            raise ValueError(
                "size, embedding_dim and levels must be positive, got "
                f"{size}, {embedding_dim} and {levels}"
            )
        self.register_buffer("_embeddings", torch.zeros(size, embedding_dim))
        self.register_buffer("_labels", torch.zeros(size, levels, dtype=torch.int64))
        self.register_buffer("_seen", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        """How many items it holds."""
        return min(int(self._seen), len(self._labels))

    def append(self, embeddings: Tensor, labels: Tensor) -> None:
        """Adds a batch, in its order, over the oldest items; of a larger one the last rows stay.

        Args:
            embeddings: (B, D) floating point, finite in single precision.
            labels: (B, L) integers; (B,) where there is one level.

        Raises:
            ValueError: other shapes, or an embedding that is not finite: it would spoil the loss
                of every batch until it is overwritten.
            TypeError: what is no tensor, embeddings that are not floating point, or labels that are
                no integers.
        """
        size = len(self._labels)
        labels = self._fitting(embeddings, labels)
        kept = embeddings.detach().to(self._embeddings)
        if not kept.isfinite().all():  # as kept: double precision may overflow there
            raise ValueError(
                "embeddings must be finite to be remembered; look at the learning rate"
            )
        first = int(self._seen) + max(0, len(embeddings) - size)
        place = torch.arange(first, int(self._seen) + len(embeddings), device=labels.device) % size
        place = place.to(self._labels.device)
        last = slice(len(embeddings) - len(place), None)
        self._embeddings[place] = kept[last]
        self._labels[place] = labels[last].to(self._labels)
        self._seen += len(embeddings)

    def contents(self) -> tuple[Tensor, Tensor]:
        """Returns (M, D) embeddings and (M, L) labels, oldest first; copies, without gradient."""
        seen = int(self._seen)
        oldest = torch.arange(seen - len(self), seen, device=self._labels.device)
        place = oldest % len(self._labels)
        return self._embeddings[place], self._labels[place]

    def with_batch(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Puts a batch before the contents: the references for a loss on that batch.

        Args:
            embeddings: (B, D); gradients flow to them as references too.
            labels: (B, L) integers; (B,) where there is one level.

        Returns:
            (B + M, D) and (B + M, L), of the batch's precision and on its device. Call it before
            `append`, or the batch is there twice.

        Raises:
            ValueError: other shapes.
            TypeError: what is no tensor, embeddings that are not floating point, or labels that are
                no integers.
        """
        labels = self._fitting(embeddings, labels)
        held, held_labels = self.contents()
        references = torch.cat([embeddings, held.to(embeddings)])
        return references, torch.cat([labels, held_labels.to(labels.device)])

    def _fitting(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The labels, (B, L), of a batch that fits the memory."""
        check_tensors(embeddings=embeddings)
        if not embeddings.is_floating_point():
            raise TypeError(f"embeddings must be floating point, got {embeddings.dtype}")
        matrix = label_matrix("labels", labels)
        count, dim, levels = len(matrix), self._embeddings.shape[1], self._labels.shape[1]
        if (embeddings.shape, matrix.shape) != ((count, dim), (count, levels)):
            raise ValueError(
                f"embeddings and labels must have shapes (B, {dim}) and (B, {levels}), got "
                f"{tuple(embeddings.shape)} and {tuple(labels.shape)}; make a memory of that size"
            )
        return matrix
