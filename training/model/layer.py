"""What is trained on the vectors of a frozen backbone, and what stands for a backbone of others."""

from torch import Tensor, nn
from torch.nn import functional

from hgld.errors import InputError


class VectorLayer(nn.Linear):
    """From unit vectors to unit vectors: y = W x + b + V relu(U x + a), scaled to length 1.

    Without a hidden layer there is no U, a, V. W is square and the identity, and b is 0, where no
    width is named; else both start at random. V starts at 0, so that a hidden layer changes nothing
    at first.

    Example:
        >>> import torch
        >>> VectorLayer(2, hidden_dim=8)(torch.tensor([[0.6, 0.8]])).tolist()
        [[0.6..., 0.8...]]
    """

    def __init__(self, width: int, dim: int | None = None, hidden_dim: int | None = None) -> None:
        """Makes the weights.

        Args:
            width: C, numbers of a vector.
            dim: D, numbers of what comes out; None: C, and the layer starts as the identity.
            hidden_dim: rows of U; None: no hidden layer.
        """
        super().__init__(width, dim or width)
        self.embedding_dim = self.out_features
        if dim is None:
            nn.init.eye_(self.weight)
            nn.init.zeros_(self.bias)
        self.hidden = None
        if hidden_dim is not None:
            last = nn.Linear(hidden_dim, self.out_features, bias=False)
            nn.init.zeros_(last.weight)
            self.hidden = nn.Sequential(nn.Linear(width, hidden_dim), nn.ReLU(), last)

    def forward(self, vectors: Tensor) -> Tensor:
        """Returns unit vectors (B, D) float32 of vectors (B, C)."""
        made = super().forward(vectors)
        if self.hidden is not None:
            made = made + self.hidden(vectors)
        return functional.normalize(made.float(), dim=1)


class NoBackbone(nn.Module):
    """Stands for the backbone in a model of vectors that another program made."""

    def __init__(self, width: int) -> None:
        """Takes how many numbers a vector has."""
        super().__init__()
        self.width = width
        self.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.5,) * 3}

    def forward(self, images: Tensor) -> Tensor:
        """Refuses images.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"this model was trained on embeddings of a file and knows no backbone: it takes "
            f"vectors of {self.width} numbers (`model.adapt`), and no pictures, got {len(images)}; "
            f"`hgld benchmark --runs RUN --embeddings NAME=QUERY INDEX` measures it"
        )
