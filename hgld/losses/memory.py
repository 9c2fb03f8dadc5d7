"""Cross-batch memory: embeddings of recent batches, to rank against more than one batch holds."""

import torch
from torch import Tensor, nn

from hgld.metrics.arguments import check_tensors, label_matrix


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
        return torch.cat(self._held(self._embeddings)), torch.cat(self._held(self._labels))

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
        held = [part.to(embeddings) for part in self._held(self._embeddings)]
        held_labels = [part.to(labels.device) for part in self._held(self._labels)]
        return torch.cat([embeddings, *held]), torch.cat([labels, *held_labels])

    def reset(self) -> None:
        """Forgets everything."""
        self._seen.zero_()

    def _held(self, buffer: Tensor) -> tuple[Tensor, Tensor]:
        """What is held of a buffer, oldest first, in two parts that are no copies."""
        size, seen = len(buffer), int(self._seen)
        oldest = seen % size if seen > size else 0
        return buffer[oldest : len(self)], buffer[:oldest]

    def _fitting(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The labels, (B, L), of a batch that fits the memory."""
        check_tensors(embeddings=embeddings)
        if not embeddings.is_floating_point():
            raise TypeError(f"embeddings must be floating point, got {embeddings.dtype}")
        matrix = label_matrix("labels", labels)
        fits = (
            embeddings.shape[1:] == self._embeddings.shape[1:]
            and matrix.shape[1:] == self._labels.shape[1:]
            and len(embeddings) == len(matrix)
        )
        if not fits:
            raise ValueError(
                f"embeddings and labels must have shapes (B, {self._embeddings.shape[1]}) and "
                f"(B, {self._labels.shape[1]}), got {tuple(embeddings.shape)} and "
                f"{tuple(labels.shape)}; make a memory of that size"
            )
        return matrix
