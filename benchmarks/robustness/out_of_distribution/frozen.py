"""What a model left of pictures: features, the std of its feature map, and a linear classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hgld.benchmarks.robustness.out_of_distribution.rows import require_classes, require_rows


@dataclass(frozen=True, slots=True)
class FrozenRows:
    """Features of pictures, of any model.

    Attributes:
        features: (N, D) float64, finite.
        labels: (N,) whole numbers; None where rows have no class.
        spreads: (N, D') float64, standard deviation of each channel over the feature map; None
            where the map is not at hand.
    """

    features: NDArray[np.float64]
    labels: NDArray[Any] | None = None
    spreads: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be scored.

        Raises:
            ValueError: shapes do not fit, or numbers are not finite.
        """
        rows = require_rows("features", self.features)
        object.__setattr__(self, "features", rows)
        if self.labels is not None and self.labels.shape != (len(rows),):
            raise ValueError(
                f"labels must have shape ({len(rows)},), one for each row of features, got "
                f"{self.labels.shape}"
            )
        if self.spreads is not None:
            spreads = require_rows("spreads", self.spreads)
            if len(spreads) != len(rows):
                raise ValueError(
                    f"spreads must have a row for each of the {len(rows)} of features, got "
                    f"{len(spreads)}"
                )
            object.__setattr__(self, "spreads", spreads)

    def __len__(self) -> int:
        """Returns N."""
        return len(self.features)

    def required_labels(self) -> NDArray[Any]:
        """Returns the labels.

        Raises:
            ValueError: there are none.
        """
        if self.labels is None:
            raise ValueError("rows that something is trained on must have labels, got none")
        return self.labels

    def required_spreads(self) -> NDArray[np.float64]:
        """Returns the standard deviations.

        Raises:
            ValueError: there are none.
        """
        if self.spreads is None:
            raise ValueError(
                "rows must have spreads, as those that were trained on have, got none; give the "
                "std of the feature map of every row, or of none"
            )
        return self.spreads

    def take(self, rows: Sequence[int] | NDArray[Any]) -> "FrozenRows":
        """Returns some of the rows: positions, or a mask."""
        return FrozenRows(
            self.features[rows],
            None if self.labels is None else self.labels[rows],
            None if self.spreads is None else self.spreads[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearClassifier:
    """logits = features @ weight.T + bias.

    Attributes:
        weight: (K, D) float64.
        bias: (K,) float64.
        classes: (K,) the label of each logit, sorted.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    classes: NDArray[Any]

    def logits(self, features: ArrayLike) -> NDArray[np.float64]:
        """Returns the logits (N, K) of features (N, D)."""
        rows = require_rows("features", features, self.weight.shape[1])
        return np.asarray(rows @ self.weight.T + self.bias)

    def predict(self, features: ArrayLike) -> NDArray[Any]:
        """Returns the label (N,) of the greatest logit."""
        return np.asarray(self.classes[self.logits(features).argmax(axis=1)])


def fit_linear(train: FrozenRows, strength: float = 1.0) -> LinearClassifier:
    """Fits logistic regression on features as they are.

    Args:
        train: rows with labels of at least two classes.
        strength: C of scikit-learn, the inverse weight of the L2 penalty, > 0.

    Returns:
        The classifier; of two classes it has two logits, opposite to each other.

    Raises:
        ValueError: labels are missing or of one class, or the strength is not positive.
    """
    from sklearn.linear_model import LogisticRegression

    if not strength > 0:
        raise ValueError(f"strength must be above 0, got {strength}")
    labels = train.required_labels()
    classes, _ = require_classes(labels, len(train))
    fitted = LogisticRegression(C=strength, max_iter=2000).fit(train.features, labels)
    weight, bias = np.asarray(fitted.coef_), np.asarray(fitted.intercept_)
    if len(weight) == 1:  # of two classes scikit-learn keeps the difference alone
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearClassifier(weight=weight, bias=bias, classes=classes)
