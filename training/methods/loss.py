"""What a batch costs under a training method, and what the method learns beside the model."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld import losses
from hgld.losses.modules import RankingLoss
from hgld.training.data.loading import seed_of
from hgld.training.methods.config import (
    CSL,
    NSM,
    ArcFace,
    Happier,
    RecallAtK,
    Roadmap,
    SmoothAP,
    SupAP,
    TrainingMethod,
    Triplet,
)

_PROXIES_ALONE = (CSL, NSM, ArcFace)
_WITH_PROXIES = (Happier, *_PROXIES_ALONE)


class Cost(NamedTuple):
    """The loss of a batch."""

    total: Tensor
    """What is minimised, a scalar."""
    parts: dict[str, Tensor]
    """What it is the weighted sum of, for the log; empty where it is one."""


class MethodLoss(nn.Module):
    """The loss of a training method, with the proxies and the memory it keeps.

    A memory adds the embeddings of past batches to what a batch is compared with. The methods that
    compare images rank them too. Those that compare images with proxies alone (CSL, NSM, ArcFace)
    have the decomposability loss against the memory added, with weight 1: the contrastive loss
    that cross-batch memory was published with, in the form that ROADMAP gave it.

    Attributes:
        proxies: (C, D) parameter, a direction for each landmark; None where the method has none.

    Example:
        >>> landmarks = torch.tensor([[0, 0], [1, 0]])
        >>> loss = MethodLoss(NSM(temperature=1.0), landmarks, embedding_dim=2)
        >>> embeddings, labels = torch.eye(2)[[0, 0, 1]], landmarks[[0, 0, 1]]
        >>> loss(embeddings, labels).total.backward()
        >>> loss.proxies.grad.shape
        torch.Size([2, 2])
    """

    landmark_labels: Tensor

    def __init__(
        self,
        method: TrainingMethod,
        landmark_labels: Tensor,
        embedding_dim: int,
        *,
        seed: int = 0,
        memory_size: int = 0,
    ) -> None:
        """Makes the proxies and the memory that the method needs.

        Args:
            method: its settings.
            landmark_labels: (C, L) int64, the labels of each landmark at every level: that of
                landmark c in row c.
            embedding_dim: D.
            seed: what the proxies are drawn from.
            memory_size: embeddings of past batches to keep; 0: none.

        Raises:
            ValueError: the method does not fit the levels.
        """
        super().__init__()
        self.method = method
        self.register_buffer("landmark_labels", landmark_labels.clone())
        landmarks, levels = landmark_labels.shape
        if isinstance(method, CSL) and len(method.margins) != levels:
            raise ValueError(
                f"margins of method csl must be one a level, {levels}, got {list(method.margins)}"
            )
        self.proxies = None
        if isinstance(method, _WITH_PROXIES):
            generator = torch.Generator().manual_seed(seed_of(f"proxies, seed {seed}"))
            drawn = torch.randn(landmarks, embedding_dim, generator=generator)
            # Of unit norm: the longer a proxy, the less a step of Adam turns it. A larger learning
            # rate for them made retrieval worse (demo, 2 epochs at 3e-4: H-AP 0.67; with 1e-3 for
            # proxies 0.64).
            self.proxies = nn.Parameter(functional.normalize(drawn, dim=1))
        self.memory = None
        if memory_size:
            self.memory = losses.CrossBatchMemory(memory_size, embedding_dim, levels)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Cost:
        """Computes the loss of a batch.

        Args:
            embeddings: (B, D) unit norm, float32.
            labels: (B, L) int64; column 0 numbers the landmarks from 0.

        Returns:
            The loss and its parts.
        """
        if self.memory is None or not len(self.memory):
            return self._batch_cost(embeddings, labels, None, None)
        if not isinstance(self.method, _PROXIES_ALONE):
            references, reference_labels = self.memory.with_batch(embeddings, labels)
            return self._batch_cost(embeddings, labels, references, reference_labels)
        cost = self._batch_cost(embeddings, labels, None, None)
        past, past_labels = self.memory.contents()
        spread = losses.decomposability_loss(
            embeddings, labels, ref_embeddings=past, ref_labels=past_labels
        )
        parts: dict[str, Tensor] = {self.method.name: cost.total, "memory": spread}
        return Cost(cost.total + spread, parts)

    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Adds a batch, whose step is taken, to the memory, if there is one.

        Args:
            embeddings: (B, D), without gradient.
            labels: (B, L) int64.
        """
        if self.memory is not None:
            self.memory.append(embeddings, labels)

    def _batch_cost(  # noqa: C901 - a case for each method
        self,
        embeddings: Tensor,
        labels: Tensor,
        references: Tensor | None,
        reference_labels: Tensor | None,
    ) -> Cost:
        match self.method:
            case Happier(alpha=alpha, clustering_weight=weight, temperature=temperature):
                ranked = RankingLoss(losses.sup_hap_loss, alpha=alpha)
                ranking = ranked(embeddings, labels, references, reference_labels)
                clustering = self._clustering(embeddings, labels, temperature)
                total = (1 - weight) * ranking + weight * clustering
                return Cost(total, {"sup_hap": ranking, "clustering": clustering})
            case Roadmap() as method:
                bounds = {"alpha": method.positive_similarity, "beta": method.negative_similarity}
                ranked = RankingLoss(losses.sup_ap_loss)
                paired = RankingLoss(losses.decomposability_loss, **bounds)
                ranking = ranked(embeddings, labels, references, reference_labels)
                spread = paired(embeddings, labels, references, reference_labels)
                weight = method.decomposability_weight
                total = (1 - weight) * ranking + weight * spread
                return Cost(total, {"sup_ap": ranking, "decomposability": spread})
            case SupAP():
                ranked = RankingLoss(losses.sup_ap_loss)
            case SmoothAP(tau=tau):
                ranked = RankingLoss(losses.smooth_ap_loss, tau=tau)
            case Triplet(margin=margin):
                ranked = RankingLoss(losses.triplet_loss, margin=margin)
            case RecallAtK(ks=ks, temperature=temperature, tau=tau):
                ranked = RankingLoss(
                    losses.recall_at_k_loss, ks=ks, temperature=temperature, tau=tau
                )
            case CSL(margins=margins, scale=scale):
                proxies = self._directions()
                total = losses.csl_loss(
                    *(embeddings, labels, proxies, self.landmark_labels),
                    margins=margins,
                    scale=scale,
                )
                return Cost(total, {})
            case NSM(temperature=temperature):
                return Cost(self._clustering(embeddings, labels, temperature), {})
            case ArcFace(margin=margin, scale=scale):
                proxies = self._directions()
                total = losses.arcface_loss(embeddings, labels, proxies, margin=margin, scale=scale)
                return Cost(total, {})
        return Cost(ranked(embeddings, labels, references, reference_labels), {})

    def _clustering(self, embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
        return losses.clustering_loss(embeddings, labels, self._directions(), temperature)

    def _directions(self) -> Tensor:
        if self.proxies is None:
            raise TypeError(f"method {self.method.name} has no proxies")
        return self.proxies


def landmark_labels(labels: Tensor) -> Tensor:
    """Returns the labels of each landmark, from those of its images.

    Args:
        labels: (N, L) int64; column 0 numbers the landmarks from 0, and each has an image.

    Returns:
        (C, L) int64, those of landmark c in row c.

    Example:
        >>> landmark_labels(torch.tensor([[1, 0], [0, 4], [1, 0]])).tolist()
        [[0, 4], [1, 0]]
    """
    of_each = labels.new_empty(int(labels[:, 0].max()) + 1, labels.shape[1])
    of_each[labels[:, 0]] = labels
    return of_each
