"""The loss of a run: its method, and the proxies and the memory that are learned beside a model."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld import losses
from hgld.training.data.loading import seed_of
from hgld.training.methods import CSL, Batch, Cost, TrainingMethod


class MethodLoss(nn.Module):
    """The loss of a training method, with the proxies and the memory it keeps.

    A memory adds the embeddings of past batches to what a batch is compared with. Methods that
    compare images rank them too. Those that compare images with proxies only (CSL, NSM, ArcFace)
    have the decomposability loss against the memory added, with weight 1: the contrastive loss
    that cross-batch memory was published with, in the form that ROADMAP gave it.

    Attributes:
        proxies: (C, D) parameter, a direction for each landmark; None where the method has none.

    Example:
        >>> from hgld.training.methods import NSM
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
        if method.compares_with != "images":
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
        memory = self.memory if self.memory is not None and len(self.memory) else None
        ranks = self.method.compares_with != "proxies"
        references, reference_labels = (
            memory.with_batch(embeddings, labels) if memory is not None and ranks else (None, None)
        )
        batch = Batch(
            embeddings=embeddings,
            labels=labels,
            references=references,
            reference_labels=reference_labels,
            proxies=embeddings[:0] if self.proxies is None else self.proxies,
            proxy_labels=self.landmark_labels,
        )
        cost = self.method.cost(batch)
        if memory is None or ranks:
            return cost
        past, past_labels = memory.contents()
        spread = losses.decomposability_loss(
            embeddings, labels, ref_embeddings=past, ref_labels=past_labels
        )
        return Cost(cost.total + spread, {self.method.name: cost.total, "memory": spread})

    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Adds a batch, whose step is taken, to the memory, if there is one.

        Args:
            embeddings: (B, D), without gradient.
            labels: (B, L) int64.
        """
        if self.memory is not None:
            self.memory.append(embeddings, labels)


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
