"""Every method on the same training rows: what it scores rows with."""

import itertools
from collections.abc import Callable
from functools import partial

from hgld.benchmarks.robustness.out_of_distribution.baselines import (
    OutScores,
    fit_virtual_logit,
    logit_energy_score,
    mahalanobis_score,
    maximum_logit_score,
    maximum_softmax_score,
    nearest_neighbour_score,
)
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows, LinearClassifier
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import (
    LOGITS,
    HeatConfig,
    fit_heat,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import fit_mixture

OutScorer = Callable[[FrozenRows], OutScores]
"""From N rows to (N,), higher is further out."""

SIMPLE_METHODS = ("msp", "max_logit", "energy", "mahalanobis", "knn", "vim")
"""What HEAT has to beat: none of them trains anything beside the classifier."""


def simple_scorers(train: FrozenRows, classifier: LinearClassifier) -> dict[str, OutScorer]:
    """Fits the simple scores, named as in `SIMPLE_METHODS`."""
    mixture = fit_mixture(train.features, train.required_labels())
    virtual = fit_virtual_logit(train.features, classifier.weight, classifier.bias)
    return {
        "msp": lambda rows: maximum_softmax_score(classifier.logits(rows.features)),
        "max_logit": lambda rows: maximum_logit_score(classifier.logits(rows.features)),
        "energy": lambda rows: logit_energy_score(classifier.logits(rows.features)),
        "mahalanobis": lambda rows: mahalanobis_score(mixture, rows.features),
        "knn": lambda rows: nearest_neighbour_score(train.features, rows.features),
        "vim": lambda rows: virtual.score(rows.features, classifier.logits(rows.features)),
    }


def heat_scorers(
    train: FrozenRows, classifier: LinearClassifier, config: HeatConfig, *, seed: int
) -> dict[str, OutScorer]:
    """Fits HEAT, and what tells where its gains are from.

    Every set of the corrected priors is composed, and every prior stands alone:

    Returns:
        `heat` has all priors; `heat_gmm` is one corrected prior, `heat_gmm_logits` two of them;
        `prior_gmm` is one not corrected, and `priors` all of these composed. The prior of logits
        alone is the simple score `energy`, and is left out. Where there are no spreads, there is
        nothing with `std`, and `heat` is the pair of the other two, which is not named twice.
    """
    heat = fit_heat(train, classifier, config, seed=seed)
    names = [prior.name for prior in heat.priors]
    scorers: dict[str, OutScorer] = {}
    for count in range(1, len(names)):
        for some in itertools.combinations(names, count):
            part = heat.of(some)
            scorers["_".join(("heat", *some))] = part.priors[0].scores
            if count > 1:
                scorers["_".join(("heat", *some))] = partial(part.score, beta=config.beta)
    scorers["heat"] = partial(heat.score, beta=config.beta)
    for prior in heat.priors:
        if prior.name != LOGITS:
            scorers[f"prior_{prior.name}"] = prior.prior_scores
    scorers["priors"] = partial(heat.prior_score, beta=config.beta)
    return scorers
