"""A classifier on frozen features, with dropout, trained until it knows its rows by heart."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hgld.benchmarks.robustness.data_sets.features import FeatureSet

_SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSettings:
    """How a classifier is trained."""

    hidden_units: int = 256
    dropout: float = 0.5
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4


class FeatureClassifier(nn.Module):
    """Standardised features, one hidden layer with dropout, and a score for each class."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Tensor, classes: int, settings: ClassifierSettings) -> None:
        """Draws the weights at random.

        Args:
            features: (N, D) that it will be trained on: their mean and deviation are kept.
            classes: C.
            settings: width and dropout.
        """
        super().__init__()
        self.register_buffer("mean", features.mean(dim=0))
        # A feature that never varies, such as a corner of a digit, says nothing.
        spread = features.std(dim=0, correction=0)
        self.register_buffer("deviation", spread.masked_fill(spread < _SMALLEST_DEVIATION, 1.0))
        self.first = nn.Linear(features.shape[1], settings.hidden_units)
        self.dropout = nn.Dropout(settings.dropout)
        self.last = nn.Linear(settings.hidden_units, classes)

    def hidden(self, features: Tensor) -> Tensor:
        """Returns the hidden layer (N, H), before dropout."""
        hidden: Tensor = self.first((features - self.mean) / self.deviation).relu()
        return hidden

    def forward(self, features: Tensor) -> Tensor:
        """Returns the logits (N, C)."""
        logits: Tensor = self.last(self.dropout(self.hidden(features)))
        return logits


def fit_classifier(
    rows: FeatureSet, classes: int, settings: ClassifierSettings, seed: int
) -> FeatureClassifier:
    """Trains a classifier with cross-entropy and AdamW.

    Args:
        rows: N of them.
        classes: C, of all parts of the split.
        settings: how.
        seed: of the weights, the batches and the dropout.

    Returns:
        It, in evaluation mode and without gradients.
    """
    features, labels = torch.from_numpy(rows.features), torch.from_numpy(rows.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FeatureClassifier(features, classes, settings)
        optimizer = torch.optim.AdamW(
            model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        for _ in range(settings.epochs):
            for batch in torch.split(torch.randperm(len(labels)), settings.batch_size):
                optimizer.zero_grad()
                loss: Tensor = functional.cross_entropy(model(features[batch]), labels[batch])
                torch.autograd.backward(loss)
                optimizer.step()
    return model.eval().requires_grad_(requires_grad=False)


def class_probabilities(model: FeatureClassifier, rows: FeatureSet) -> NDArray[np.float64]:
    """Returns the softmax (N, C) of each row, without dropout."""
    logits = model(torch.from_numpy(rows.features)).double()
    probabilities: NDArray[np.float64] = logits.softmax(dim=1).numpy()
    return probabilities


def dropout_probabilities(
    model: FeatureClassifier, rows: FeatureSet, passes: int, seed: int
) -> NDArray[np.float64]:
    """Returns the mean softmax (N, C) of several passes, each with another dropout.

    Source:
        Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016, section 4.
    """
    hidden = model.hidden(torch.from_numpy(rows.features))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drop = nn.Dropout(model.dropout.p)
        total = torch.zeros((len(hidden), model.last.out_features), dtype=torch.float64)
        for _ in range(passes):
            total += model.last(drop(hidden)).double().softmax(dim=1)
    mean: NDArray[np.float64] = (total / passes).numpy()
    return mean
