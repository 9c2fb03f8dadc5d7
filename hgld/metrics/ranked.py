"""What the metrics of ranked lists share: the checks of their arguments, ranks and precision."""

import torch
from torch import Tensor

from hgld.metrics.arguments import check_tensors


def check_lists(name: str, ranked: Tensor) -> None:
    """Refuses lists unless there is one for each query."""
    check_tensors(**{name: ranked})
    if ranked.ndim != 2:  # noqa: PLR2004 - (Q, N)
        raise ValueError(
            f"{name} must have shape (Q, N), got {tuple(ranked.shape)}; "
            "add the query dimension with x[None]"
        )


def check_k(k: int) -> None:
    """Refuses a k unless at least one result counts."""
    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}; say how many results count")


def ranks(ranked: Tensor) -> Tensor:
    """Returns (N,) the 1-based ranks, float64."""
    return torch.arange(1, ranked.shape[1] + 1, dtype=torch.float64, device=ranked.device)


def precision_sum(positive: Tensor) -> Tensor:
    """Returns (Q,) the precision at the rank of each positive, added up."""
    precision = positive.cumsum(dim=1) / ranks(positive)
    return precision.masked_fill(~positive, 0).sum(dim=1)


def divide(value: Tensor, count: Tensor) -> Tensor:
    """Divides value by count, NaN where nothing is relevant."""
    return (value / count).masked_fill(count == 0, torch.nan)
