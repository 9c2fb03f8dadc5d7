"""A confidence head that means the same on two sources: a discriminator cannot tell them by it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.benchmarks.robustness.heads.confidence_head import ConfidenceHead, HeadSettings

_HIDDEN_UNITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarySettings:
    """How a confidence head is trained against a discriminator."""

    weight: float = 0.01
    """Of fooling the discriminator, beside the error of the confidence; 0: no adversary."""
    head: HeadSettings = field(
        default_factory=lambda: HeadSettings(
            layers=2, hidden_units=100, learning_rate=1e-3, epochs=60
        )
    )
    """Smaller than the published one, which is for maps of a segmentation."""

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: a negative weight.
        """
        if not self.weight >= 0:
            raise ValueError(f"weight must be 0 or more, got {self.weight}; 0 is no adversary")


def fit_adversarial_head(
    source: Tensor, confidence: Tensor, target: Tensor, settings: AdversarySettings, *, seed: int
) -> ConfidenceHead:
    """Trains a head to regress how right a classifier is on its source, alike on the target.

    Head c: mean (c(x_s) - confidence)^2 + weight BCE(d(c(x_t)), source); discriminator d:
    BCE(d(c(x_s)), source) + BCE(d(c(x_t)), target), a step each in turn. Of each batch of source
    rows there are as many target rows, drawn with replacement.

    Args:
        source: (N, D) float32, rows that the classifier was not trained on.
        confidence: (N,) in [0, 1], their probability of the true class.
        target: (M, D) float32, rows without labels.
        settings: how.
        seed: of weights and batches. Without an adversary the target changes nothing.

    Returns:
        The head of the last epoch, in evaluation mode. No row is held out to choose another: what
        is to be chosen for, the target, has no labels.

    Raises:
        ValueError: shapes do not fit, or a side has no row.

    Source:
        Corbiere, Thome, Saporta, Vu, Cord, Perez: Confidence Estimation via Auxiliary Models,
        TPAMI 2021, its adversarial learning of confidence, there on maps of a segmentation. The
        discriminator's layers (1, 32, 1), the weight and the training's length are ours.
    """
    if len(source) != len(confidence) or not len(source) or not len(target):
        raise ValueError(
            f"source and confidence must be of one length and target not empty, got {len(source)}, "
            f"{len(confidence)} and {len(target)} rows"
        )
    draws = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ConfidenceHead(source, settings.head)
        judge = _discriminator()
    optimisers = [
        torch.optim.Adam(part.parameters(), settings.head.learning_rate) for part in (head, judge)
    ]
    for _ in range(settings.head.epochs):
        for batch in torch.split(
            torch.randperm(len(source), generator=draws), settings.head.batch_size
        ):
            loss = (head(source[batch]) - confidence[batch].float()).square().mean()
            if settings.weight:
                other = target[torch.randint(len(target), (len(batch),), generator=draws)]
                loss = loss + settings.weight * _judged(judge, head(other), is_source=True)
            _step(optimisers[0], loss)
            if settings.weight:
                with torch.no_grad():
                    own, foreign = head(source[batch]), head(other)
                told = _judged(judge, own, is_source=True)
                _step(optimisers[1], told + _judged(judge, foreign, is_source=False))
    return head.eval().requires_grad_(requires_grad=False)


def _discriminator() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(1, _HIDDEN_UNITS), nn.LeakyReLU(0.2), nn.Linear(_HIDDEN_UNITS, 1)
    )


def _judged(judge: nn.Module, confidence: Tensor, *, is_source: bool) -> Tensor:
    logits = judge(confidence[:, None])[:, 0]
    return functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, float(is_source))
    )


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
