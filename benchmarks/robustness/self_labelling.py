"""Rounds of self-labelling: label the target, keep the confident rows, train again (ConDA)."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.robustness import networks
from hgld.benchmarks.robustness.failures import negative_entropy
from hgld.benchmarks.robustness.networks import FeatureClassifier, Values, is_right
from hgld.benchmarks.robustness.results import Measured, Part
from hgld.benchmarks.robustness.rows import LEAST_ROWS, Numbers, Rows, RowTable, UnfitRowsError

NONE, ALL = "Source only", "All target rows"
PROBABILITY, ENTROPY = "Maximum probability", "Entropy"
TCP, CONDA = "TCP, no adversary", "ConDA"
CHOICES = (NONE, ALL, PROBABILITY, ENTROPY, TCP, CONDA)
"""How the rows that are kept are chosen: not at all, all of them, or by a confidence."""

SHARES = (0.25, 0.5, 0.75)
"""Of the target rows that are kept in a round."""
ROUNDS = (1, 2)
WEIGHTS = (0.01, 0.1)
"""Of the adversary."""

_SPLIT = (0.5, 0.3, 0.2)
_HEAD = networks.HeadSettings(layers=2, hidden_units=100, learning_rate=1e-3, epochs=60)
"""Ours; the published head is for maps of a segmentation."""


class Domains(NamedTuple):
    """A labelled source, and a target of the same classes."""

    fitted: Rows
    """Source rows that train the classifier."""
    kept_out: Rows
    """Source rows that train the confidence."""
    validation: Rows
    """Source rows that train nothing and choose."""
    target: Rows
    """Rows to label; their labels only measure."""
    measured: Rows
    """Other target rows."""

    def classifier(self, rows: Rows, seed: int) -> FeatureClassifier:
        """Trains a classifier of the source's classes."""
        classes = int(self.fitted.labels.max()) + 1
        return networks.fit_classifier(rows, classes, networks.CLASSIFIERS[0], seed)


class Adapted(NamedTuple):
    """What some rounds came to."""

    model: FeatureClassifier
    """Trained on the source and the kept rows."""
    labels: Numbers
    """(M,) that the model before gave the target rows."""
    kept: Numbers
    """Sorted positions of those that were kept."""


def measure_self_labelling(table: RowTable, seed: int) -> Iterator[Measured]:
    """Yields the results of every choice of rows: train is the source, index the target.

    For each choice share, rounds and (of ConDA) the adversary's weight are chosen: of all that is
    tried, what leaves the most right of the source's validation rows, then the likeliest. Nobody
    can see without labels what helps on the target; it tells what does harm to the source.

    Args:
        table: with train, index and query; others give nothing.
        seed: of the split of the source, of weights and batches.
    """
    if not {"index", "query"} <= table.splits.keys():
        return
    domains = split_source(table, seed)
    before = domains.classifier(domains.fitted, seed)
    scores, chosen, more = {}, {}, {}
    for choice in CHOICES:
        model = before
        if choice != NONE:
            best, chosen[choice] = choose_rounds(domains, choice, seed)
            model = best.model
            right = best.labels[best.kept] == domains.target.labels[best.kept]
            more[choice] = {"precision_kept": float(right.mean())}
        scores[choice] = is_right(model, domains.measured).astype(np.float64)
    rows = domains.measured
    yield Measured(
        group="query",
        truth=np.ones(len(rows), dtype=np.bool_),
        groups=rows.groups,
        scores=scores,
        chosen=chosen,
        more=more,
    )


def split_source(table: RowTable, seed: int) -> Domains:
    """Splits the source for the classifier, for the confidence, and to choose on.

    Args:
        table: with train, index and query.
        seed: of the split.

    Returns:
        Rows of the labels of which train and index have 8 rows each, numbered anew.

    Raises:
        UnfitRowsError: there are fewer than two such labels.
    """
    source, target, measured = (table.splits[one] for one in ("train", "index", "query"))
    common = np.intersect1d(source.large_labels, target.large_labels)
    if len(common) < 2:  # noqa: PLR2004 - there must be something to tell apart
        raise UnfitRowsError(
            f"train and index must have two labels of {LEAST_ROWS} rows each, got {len(common)}"
        )
    source, target, measured = (one.of_labels(common) for one in (source, target, measured))
    # Rows of a landmark may come into different parts: a group of its own each.
    source = dataclasses.replace(source, groups=np.arange(len(source)))
    parts = source.split(_SPLIT, np.random.default_rng(seed))
    fitted, kept_out, validation = map(source.take, parts)
    return Domains(fitted, kept_out, validation, target, measured)


def choose_rounds(domains: Domains, choice: str, seed: int) -> tuple[Adapted, str]:
    """Tries every share, number of rounds and weight, and returns the best on the source.

    Args:
        domains: source and target.
        choice: one of `CHOICES`, not the first.
        seed: of weights and batches.

    Returns:
        What came of it, and what was chosen, in words.
    """
    shares = (1.0,) if choice == ALL else SHARES
    weights = WEIGHTS if choice == CONDA else (0.0,)
    tried: list[tuple[Adapted, str]] = []
    for share, weight in itertools.product(shares, weights):
        steps = adaptation_rounds(domains, choice, share, weight, seed)
        for rounds, step in zip(ROUNDS, steps, strict=False):
            words = f"share {share:g}, {rounds} rounds"
            tried.append((step, f"{words}, weight {weight:g}" if weight else words))

    def on_source(one: tuple[Adapted, str]) -> tuple[float, float]:
        model = one[0].model
        return (
            float(is_right(model, domains.validation).mean()),
            networks.mean_log_probability(model, domains.validation),
        )

    return max(tried, key=on_source)


def adaptation_rounds(
    domains: Domains, choice: str, share: float, weight: float, seed: int
) -> Iterator[Adapted]:
    """Yields rounds of self-labelling without end: label, keep the confident rows, train again.

    Args:
        domains: source and target.
        choice: of the rows that are kept.
        share: of the target rows that are kept.
        weight: of the adversary.
        seed: of weights and batches; all choices begin with the same classifier.

    Source:
        Corbiere, Thome, Saporta, Vu, Cord, Perez: Confidence Estimation via Auxiliary Models,
        TPAMI 2021, there on maps of a segmentation.
    """
    target, fitted = domains.target, domains.fitted
    model = domains.classifier(fitted, seed)
    for number in itertools.count():
        labels = model.probabilities(target.features).argmax(axis=1).astype(np.int64)
        kept = np.arange(len(target))
        if choice != ALL:
            scores = _confidence(model, domains, choice, weight, seed + 1000 * number)
            kept = most_confident(scores, share)
        own = dataclasses.replace(target, labels=labels).take(kept)
        model = domains.classifier(fitted.joined(own), seed)
        yield Adapted(model, labels, kept)


def most_confident(scores: NDArray[np.float64], share: float) -> Numbers:
    """Returns the sorted positions of the rows of highest score; of equal ones the first.

    Args:
        scores: (N,) higher is surer.
        share: of the rows, in (0, 1]; at least one row where there is any.

    Example:
        >>> most_confident(np.array([0.1, 0.9, 0.5, 0.9]), 0.5).tolist()
        [1, 3]
    """
    count = min(len(scores), max(1, round(share * len(scores))))
    return np.sort(np.argsort(-scores, kind="stable")[:count]).astype(np.int64)


def _confidence(
    model: FeatureClassifier, domains: Domains, choice: str, weight: float, seed: int
) -> Values:
    """Returns how sure a choice is of each target row."""
    if choice in {PROBABILITY, ENTROPY}:
        probabilities = model.probabilities(domains.target.features)
        return probabilities.max(1) if choice == PROBABILITY else negative_entropy(probabilities)
    # A fifth of the rows chooses the epoch, as for every other head.
    rows, chooses = domains.kept_out.held_out(seed)
    foreign = model.hidden(domains.target.features)
    tcp, hidden = networks.true_class_probability(model, rows), model.hidden(rows.features)
    choosing = networks.order_of_errors(model, chooses)
    adversary = networks.Adversary(foreign, weight) if weight else None
    return networks.fit_head(hidden, tcp, choosing, _HEAD, seed, adversary).confidence(foreign)


SELF_LABELLING = Part(
    measure_self_labelling,
    lambda _, right: {"accuracy": float(right.mean())},
    lambda _, right: float(right.mean()),
    (CONDA, TCP),
    CHOICES[:4],
)
