"""A head that learns how far a frozen model is right (ConfidNet)."""

import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSettings:
    """How a confidence head is built and trained."""

    layers: int = 4
    """Hidden ones; 0: a linear head."""
    hidden_units: int = 400
    learning_rate: float = 1e-4
    epochs: int = 100
    patience: int = 10
    """Epochs without a lower error on the rows that choose, after which it ends."""
    batch_size: int = 64
    validation_share: float = 0.2
    """Of its rows: they train nothing and choose the epoch, as the validation set of the paper."""


class ConfidenceHead(nn.Module):
    """Hidden layers with ReLU on standardised features, and a sigmoid."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Tensor, settings: HeadSettings) -> None:
        """Draws the weights at random.

        Args:
            features: (N, D) that it will be trained on: their mean and deviation are kept.
            settings: depth and width.
        """
        super().__init__()
        self.register_buffer("mean", features.mean(dim=0))
        spread = features.std(dim=0, correction=0)
        self.register_buffer("deviation", spread.masked_fill(spread < _SMALLEST_DEVIATION, 1.0))
        widths = [features.shape[1], *[settings.hidden_units] * settings.layers]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, features: Tensor) -> Tensor:
        """Returns the confidence (N,) in (0, 1)."""
        confidence: Tensor = self.layers((features - self.mean) / self.deviation)[:, 0].sigmoid()
        return confidence


def fit_confidence_head(
    features: NDArray[np.float32],
    target: NDArray[np.float64],
    settings: HeadSettings,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> ConfidenceHead:
    """Trains a head to predict how right a frozen model is: mean (c - target)^2.

    The rows must be held out from what the model was trained on: there it is right everywhere, the
    target is 1, and there is nothing to learn.

    Args:
        features: (N, D), what the model has of each row.
        target: (N,) in [0, 1], such as the probability of the true class (TCP).
        settings: how.
        seed: of the weights, the batches and the rows that choose the epoch.
        groups: (N,) rows of one group are all trained on, or all choose; each is one by default.

    Returns:
        It, of the epoch of the least error on the rows that choose, in evaluation mode.

    Raises:
        ValueError: shapes differ, a target is not in [0, 1], or there are too few rows.

    Source:
        Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019,
        equation 3 and section 4.
    """
    groups = np.arange(len(target)) if groups is None else groups
    _check_rows(features, target, groups)
    chooses = choosing_rows(groups, settings.validation_share, seed)
    inputs, wanted = torch.from_numpy(features), torch.from_numpy(target).float()
    fitted = torch.from_numpy(np.flatnonzero(~chooses))
    choosing = torch.from_numpy(np.flatnonzero(chooses))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ConfidenceHead(inputs[fitted], settings)
        optimizer = torch.optim.Adam(head.parameters(), settings.learning_rate, fused=True)
        best, best_epoch, kept = float("inf"), 0, copy.deepcopy(head.state_dict())
        for epoch in range(settings.epochs):
            for batch in torch.split(fitted[torch.randperm(len(fitted))], settings.batch_size):
                optimizer.zero_grad()
                (head(inputs[batch]) - wanted[batch]).square().mean().backward()
                optimizer.step()
            with torch.no_grad():
                error = float((head(inputs[choosing]) - wanted[choosing]).square().mean())
            if error < best:
                best, best_epoch, kept = error, epoch, copy.deepcopy(head.state_dict())
            if epoch - best_epoch >= settings.patience:
                break
    head.load_state_dict(kept)
    return head.eval().requires_grad_(requires_grad=False)


def predict_confidence(head: ConfidenceHead, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the confidence (N,) in [0, 1] of each row."""
    # The logit in double precision: near 1 single precision makes ties of what is told apart.
    confidence: NDArray[np.float64] = (
        copy.deepcopy(head).double()(torch.from_numpy(features).double()).numpy()
    )
    return confidence


def _check_rows(
    features: NDArray[np.float32], target: NDArray[np.float64], groups: NDArray[np.int64]
) -> None:
    least = 2
    if features.ndim != least or target.shape != features.shape[:1]:
        raise ValueError(
            f"features must have shape (N, D) and target (N,), got {features.shape} and "
            f"{target.shape}; give one target a row"
        )
    if len(np.unique(groups)) < least:
        raise ValueError(
            f"a confidence head needs rows of at least 2 groups, one to train on and one to choose "
            f"the epoch, got {len(target)} rows of {len(np.unique(groups))}; hold more rows out"
        )
    if not ((target >= 0) & (target <= 1)).all():
        raise ValueError(
            f"target must be in [0, 1], got values from {target.min()} to {target.max()}; leave "
            f"out rows where it is undefined"
        )


def choosing_rows(groups: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Returns which rows choose the epoch, and what else there is to choose.

    Args:
        groups: (N,) rows of one group are all trained on, or all choose; two groups at least.
        share: of the groups that choose.
        seed: of the draw.

    Returns:
        (N,) of whole groups, at least one and not all.

    Example:
        >>> choosing_rows(np.array([0, 0, 1, 1]), 0.2, seed=0).sum()
        np.int64(2)
    """
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    chooses: NDArray[np.bool_] = np.isin(groups, names[:count])
    return chooses
