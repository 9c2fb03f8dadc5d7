"""The networks on frozen features: a classifier, and a head that learns how far it is right."""

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hgld.benchmarks.robustness.measures import area_under_precision_recall
from hgld.benchmarks.robustness.rows import Features, Rows, UnfitRowsError

Values = NDArray[np.float64]

_SMALLEST_DEVIATION = 1e-6
_LEAST_PROBABILITY = 1e-12


class ClassifierSettings(NamedTuple):
    """What of a classifier is chosen; all have one hidden layer of 256, and AdamW at 1e-3."""

    dropout: float = 0.5
    epochs: int = 30

    def __str__(self) -> str:
        """As results have it."""
        return f"dropout {self.dropout:g}, {self.epochs} epochs"


_PAIRS = itertools.product((0.5, 0.2), (30, 10))
CLASSIFIERS = tuple(ClassifierSettings(dropout, epochs) for dropout, epochs in _PAIRS)
"""Of which a fifth of the classifier's rows chooses one."""


class Standardised(nn.Module):
    """Features less their mean, over their deviation, on the rows that it was made of."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Tensor) -> None:
        """Keeps mean and deviation of (N, D)."""
        super().__init__()
        self.register_buffer("mean", features.mean(dim=0))
        # A feature that never varies, such as a corner of a digit, says nothing.
        spread = features.std(dim=0, correction=0)
        self.register_buffer("deviation", spread.masked_fill(spread < _SMALLEST_DEVIATION, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """Returns (N, D)."""
        return torch.div(features - self.mean, self.deviation)


class FeatureClassifier(nn.Module):
    """An encoder of frozen features to a hidden layer, dropout, and a score for each class."""

    def __init__(self, encoder: nn.Module, last: nn.Linear, dropout: float) -> None:
        """Takes the parts; `last` is from the hidden layer to C scores."""
        super().__init__()
        self.encoder, self.last, self.dropout = encoder, last, nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the logits (N, C)."""
        return torch.as_tensor(self.last(self.dropout(self.encoder(features))))

    def hidden(self, features: Features) -> Features:
        """Returns the hidden layer (N, H), before dropout."""
        with torch.no_grad():
            return np.asarray(self.encoder(torch.from_numpy(features)).numpy())

    def probabilities(self, features: Features, passes: int = 0, seed: int = 0) -> Values:
        """Returns the softmax (N, C); of several passes with dropout their mean.

        Source:
            Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016, section 4.
        """
        hidden = torch.from_numpy(self.hidden(features))
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drop = nn.Dropout(self.dropout.p) if passes else nn.Identity()
            total = torch.zeros((len(hidden), self.last.out_features), dtype=torch.float64)
            for _ in range(passes or 1):
                total += self.last(drop(hidden)).double().softmax(dim=1)
            return np.asarray((total / (passes or 1)).numpy())


def fit_classifier(
    rows: Rows, classes: int, settings: ClassifierSettings, seed: int
) -> FeatureClassifier:
    """Trains a classifier with cross-entropy and AdamW.

    Args:
        rows: N of them, labels below `classes`.
        classes: C.
        settings: how.
        seed: of the weights, the batches and the dropout.

    Returns:
        It, in evaluation mode and without gradients.
    """
    features, labels = torch.from_numpy(rows.features), torch.from_numpy(rows.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = nn.Linear(features.shape[1], 256)
        encoder = nn.Sequential(Standardised(features), first, nn.ReLU())
        model = FeatureClassifier(encoder, nn.Linear(256, classes), settings.dropout)
        optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
        for _ in range(settings.epochs):
            for batch in torch.split(torch.randperm(len(labels)), 64):
                loss = functional.cross_entropy(model(features[batch]), labels[batch])
                take_step(optimiser, loss)
    return model.eval().requires_grad_(requires_grad=False)


def choose_classifier(
    rows: Rows, classes: int, seed: int
) -> tuple[FeatureClassifier, ClassifierSettings]:
    """Chooses one of `CLASSIFIERS` by likelihood on a fifth of the rows, and fits it on all.

    Args:
        rows: what the classifier may see.
        classes: C.
        seed: of the fifth, and of the weights.

    Returns:
        The classifier, and what it was fitted with.
    """
    fitted, asked = rows.held_out(seed)

    def likelihood(one: ClassifierSettings) -> float:
        return mean_log_probability(fit_classifier(fitted, classes, one, seed), asked)

    best = max(CLASSIFIERS, key=likelihood)
    return fit_classifier(rows, classes, best, seed), best


def own_classifier(features: Features, logits: Features) -> FeatureClassifier:
    """Finds the linear classifier of a model that gave both features and logits.

    Args:
        features: (N, D), what the model's last layer takes.
        logits: (N, C).

    Returns:
        A classifier whose hidden layer is the features as they are.

    Raises:
        UnfitRowsError: logits are not linear in the features (by least squares, R^2 below 0.99).
    """
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(features.astype(np.float64), logits)
    explained = fitted.score(features, logits)
    if not explained > 0.99:  # noqa: PLR2004 - of rounding, 0.9999 and more
        raise UnfitRowsError(
            f"logits must be linear in the embedding, which explains {explained:.0%} of them; give "
            f"the embedding that the last layer takes, not scaled, or leave them out"
        )
    last = nn.Linear(features.shape[1], logits.shape[1])
    weights = {"weight": fitted.coef_, "bias": fitted.intercept_}
    last.load_state_dict({name: torch.from_numpy(one) for name, one in weights.items()})
    return FeatureClassifier(nn.Identity(), last, 0.0).eval().requires_grad_(requires_grad=False)


def mean_log_probability(model: FeatureClassifier, rows: Rows) -> float:
    """Returns the mean log-probability of the true class."""
    own = true_class_probability(model, rows)
    return float(np.log(np.maximum(own, _LEAST_PROBABILITY)).mean())


def true_class_probability(model: FeatureClassifier, rows: Rows) -> Values:
    """Probability of the true class (TCP), which a confidence head learns to predict.

    Above 1/2 the prediction is right; below 1/C it is wrong.

    Args:
        model: of C classes.
        rows: N of them.

    Returns:
        (N,) in [0, 1].

    Source:
        Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019,
        section 2.2.
    """
    probabilities = model.probabilities(rows.features)
    # A sum of rounded shares may be a hair above 1.
    return probabilities[np.arange(len(rows)), rows.labels].clip(0, 1)


def is_right(model: FeatureClassifier, rows: Rows) -> NDArray[np.bool_]:
    """Returns (N,) whether the likeliest class is the true one."""
    return np.asarray(model.probabilities(rows.features).argmax(axis=1) == rows.labels)


class HeadSettings(NamedTuple):
    """How a confidence head is built; the first of `HEADS` is the published one."""

    layers: int = 4
    """Hidden ones; 0: a linear head."""
    hidden_units: int = 400
    learning_rate: float = 1e-4
    epochs: int = 500
    patience: int = 30
    """Epochs without a better one, after which it ends: ours, the published head runs on."""

    def __str__(self) -> str:
        """As results have it."""
        return f"{self.layers} x {self.hidden_units}" if self.layers else "linear"


HEADS = (HeadSettings(), HeadSettings(2, 100, 1e-3), HeadSettings(0, 0, 1e-3))
"""The others, ours, have fewer weights than some hundred rows fill."""


class Adversary(NamedTuple):
    """What a head is trained against: a discriminator that tells source from target by it."""

    foreign: Features
    """(M, D) rows of the target, without labels."""
    weight: float
    """Of fooling the discriminator, beside the error of the confidence."""


class FittedHead(NamedTuple):
    """A head of its best epoch."""

    network: nn.Module
    settings: HeadSettings
    epoch: int
    score: float
    """On the rows that chose, higher is better."""

    def confidence(self, features: Features) -> Values:
        """Returns the confidence (N,) in [0, 1] of each row."""
        # In double precision: near 1 single precision makes ties of what is told apart.
        with torch.no_grad():
            exact = copy.deepcopy(self.network).double()
            return np.asarray(exact(torch.from_numpy(features).double())[:, 0].numpy())

    def __str__(self) -> str:
        """As results have it."""
        return f"{self.settings}, epoch {self.epoch}"


class ChoosingRows(NamedTuple):
    """Rows that train nothing and choose, and how good a confidence of them is."""

    features: Features
    better: Callable[[Values], float]
    """From their confidence to a number that is higher where it is better."""


def order_of_errors(model: FeatureClassifier, rows: Rows) -> ChoosingRows:
    """Returns what the published code chooses the epoch by: the AP of errors on validation rows.

    Where these are all right, or all wrong, it is minus the square error of the TCP.
    """
    target, right = true_class_probability(model, rows), is_right(model, rows)

    def better(confidence: Values) -> float:
        if right.all() or not right.any():
            return -float(np.square(confidence - target).mean())
        return area_under_precision_recall(~right, -confidence)

    return ChoosingRows(model.hidden(rows.features), better)


def fit_head(
    features: Features,
    target: Values,
    choosing: ChoosingRows,
    settings: HeadSettings,
    seed: int,
    adversary: Adversary | None = None,
) -> FittedHead:
    """Trains a head to predict how right a frozen model is: mean (c - target)^2.

    Features are standardised; Adam, batches of 128. With an adversary the head c also gets
    weight BCE(d(c(x_t)), source), and the discriminator d (1, 32, 1) takes a step on
    BCE(d(c(x_s)), source) + BCE(d(c(x_t)), target) after each of its own; of each batch of source
    rows there are as many target rows, drawn with replacement.

    Args:
        features: (N, D).
        target: (N,) in [0, 1], such as the TCP.
        choosing: the rows that choose the epoch.
        settings: how.
        seed: of weights and batches.
        adversary: what it is trained against, if anything.

    Returns:
        The head of the epoch that is best on the rows that choose.

    Source:
        Corbiere et al., Addressing Failure Prediction by Learning Model Confidence, NeurIPS 2019,
        equation 3 and section 4; the adversary: Corbiere, Thome, Saporta, Vu, Cord, Perez,
        Confidence Estimation via Auxiliary Models, TPAMI 2021, there on maps of a segmentation.
        Their second phase, which trains a copy of the encoder on, is left out: ours is frozen.
    """
    inputs, wanted = torch.from_numpy(features), torch.from_numpy(target).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = _head(inputs, settings)
        judge = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
        own, other = (
            torch.optim.Adam(one.parameters(), settings.learning_rate) for one in (head, judge)
        )
        best = FittedHead(head, settings, 0, -math.inf)
        for epoch in range(1, settings.epochs + 1):
            for batch in torch.split(torch.randperm(len(wanted)), 128):
                loss = (head(inputs[batch])[:, 0] - wanted[batch]).square().mean()
                if adversary is None:
                    take_step(own, loss)
                    continue
                drawn = torch.randint(len(adversary.foreign), (len(batch),))
                foreign = torch.from_numpy(adversary.foreign)[drawn]
                take_step(own, loss + adversary.weight * _judged(judge, head(foreign), 1.0))
                with torch.no_grad():
                    pair = head(inputs[batch]), head(foreign)
                take_step(other, _judged(judge, pair[0], 1.0) + _judged(judge, pair[1], 0.0))
            now = FittedHead(head, settings, epoch, -math.inf)
            if (score := choosing.better(now.confidence(choosing.features))) > best.score:
                best = FittedHead(copy.deepcopy(head), settings, epoch, score)
            if epoch - best.epoch >= settings.patience:
                break
    best.network.eval().requires_grad_(requires_grad=False)
    return best


def choose_head(
    features: Features,
    target: Values,
    choosing: ChoosingRows,
    seed: int,
    grid: Sequence[HeadSettings] | None = None,
) -> FittedHead:
    """Fits a head with each of several settings (`HEADS`), and returns the best on `choosing`."""
    heads = [fit_head(features, target, choosing, one, seed) for one in grid or HEADS]
    return max(heads, key=lambda one: one.score)


def _head(inputs: Tensor, settings: HeadSettings) -> nn.Sequential:
    widths = [inputs.shape[1], *[settings.hidden_units] * settings.layers]
    layers: list[nn.Module] = [Standardised(inputs)]
    for wide, narrow in itertools.pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Sigmoid())


def _judged(judge: nn.Module, confidence: Tensor, wanted: float) -> Tensor:
    logits = judge(confidence)
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))


def take_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Moves the weights by the gradient of a loss."""
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
