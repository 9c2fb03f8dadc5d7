"""HEAT: priors of features, each with a correction, and their composition."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows, LinearClassifier
from hgld.benchmarks.robustness.out_of_distribution.heat.composition import (
    compose_energies,
    standardise_energies,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.correction import (
    CorrectedEnergy,
    CorrectionConfig,
    gaussian_settings,
    logit_settings,
    train_correction,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.gaussians import (
    GaussianMixture,
    fit_mixture,
)

GAUSSIANS, LOGITS, SPREADS = "gmm", "logits", "std"
"""The priors: Gaussians of the features, energy of the logits, Gaussians of the feature std."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatConfig:
    """Settings of HEAT; the published ones, and what ours are."""

    gaussians: CorrectionConfig = dataclasses.field(default_factory=gaussian_settings)
    """Of the Gaussian priors, on features and on their std."""
    logits: CorrectionConfig = dataclasses.field(default_factory=logit_settings)
    beta: float = 0.0
    """Of the composition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedPrior:
    """A prior of HEAT: by itself and corrected, on its part of a row."""

    name: str
    energy: CorrectedEnergy

    def prior_scores(self, rows: FrozenRows) -> NDArray[np.float64]:
        """Returns the energies of the prior alone, (N,)."""
        return self._scores(rows, self.energy.prior)

    def scores(self, rows: FrozenRows) -> NDArray[np.float64]:
        """Returns the corrected energies, (N,)."""
        return self._scores(rows, self.energy)

    def _scores(self, rows: FrozenRows, energy: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
        part = rows.required_spreads() if self.name == SPREADS else rows.features
        with torch.no_grad():
            return energy(torch.from_numpy(part)).numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Corrected priors, and what their energies are on the training rows.

    Attributes:
        priors: P of them.
        train_energies: (M, P), by which energies are put on one scale.
        train_prior_energies: (M, P), the same of the priors alone.
    """

    priors: tuple[CorrectedPrior, ...]
    train_energies: NDArray[np.float64]
    train_prior_energies: NDArray[np.float64]

    def score(self, rows: FrozenRows, beta: float = 0.0) -> NDArray[np.float64]:
        """Composes the corrected energies of rows: higher is further out.

        Args:
            rows: N of them, with spreads where a prior needs these.
            beta: of `compose_energies`.

        Returns:
            (N,) float64.
        """
        energies = np.stack([prior.scores(rows) for prior in self.priors], axis=1)
        return compose_energies(standardise_energies(self.train_energies, energies), beta)

    def prior_score(self, rows: FrozenRows, beta: float = 0.0) -> NDArray[np.float64]:
        """Composes the energies of the priors as they are, without a correction: (N,) float64."""
        energies = np.stack([prior.prior_scores(rows) for prior in self.priors], axis=1)
        return compose_energies(standardise_energies(self.train_prior_energies, energies), beta)

    def of(self, names: Sequence[str]) -> "Heat":
        """Returns the same with some of the priors alone.

        Raises:
            ValueError: no name, or one that is no prior's.
        """
        places = [place for place, prior in enumerate(self.priors) if prior.name in names]
        if not names or len(places) != len(names):
            raise ValueError(
                f"names must be some of {', '.join(one.name for one in self.priors)}, got "
                f"{', '.join(names) or 'none'}"
            )
        return Heat(
            priors=tuple(self.priors[place] for place in places),
            train_energies=self.train_energies[:, places],
            train_prior_energies=self.train_prior_energies[:, places],
        )


def fit_heat(
    train: FrozenRows, classifier: LinearClassifier, config: HeatConfig, *, seed: int
) -> Heat:
    """Fits the priors on training rows and trains the correction of each.

    Args:
        train: rows of the training classes, with labels; the third prior is there where they have
            spreads.
        classifier: gives the logits of features.
        config: of the corrections.
        seed: of weights, orders and negatives; the same gives the same bits on one machine.

    Returns:
        HEAT with a prior of Gaussians, one of logits and, with spreads, one of their Gaussians.

    Raises:
        ValueError: labels are missing, or what `fit_mixture` and `train_correction` refuse.

    Source:
        Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
        Out-of-Distribution Detection, ICML 2023. The negatives of the energy of logits, which is
        no density, begin at samples of the Gaussians: ours.
    """
    labels = train.required_labels()
    mixture = fit_mixture(train.features, labels)
    weight = torch.from_numpy(classifier.weight)
    bias = torch.from_numpy(classifier.bias)

    def logit_energy(rows: Tensor) -> Tensor:
        return -torch.logsumexp(rows @ weight.T + bias, dim=1)

    features = torch.from_numpy(train.features)
    priors = [
        _gaussian_prior(GAUSSIANS, mixture, features, config, seed),
        CorrectedPrior(
            name=LOGITS,
            energy=train_correction(
                logit_energy, mixture.sample, features, config.logits, seed=seed
            ),
        ),
    ]
    if train.spreads is not None:
        spread = fit_mixture(train.spreads, labels)
        rows = torch.from_numpy(train.spreads)
        priors.append(_gaussian_prior(SPREADS, spread, rows, config, seed))
    energies = np.stack([prior.scores(train) for prior in priors], axis=1)
    alone = np.stack([prior.prior_scores(train) for prior in priors], axis=1)
    return Heat(priors=tuple(priors), train_energies=energies, train_prior_energies=alone)


def _gaussian_prior(
    name: str, mixture: GaussianMixture, rows: Tensor, config: HeatConfig, seed: int
) -> CorrectedPrior:
    energy = train_correction(mixture.energy, mixture.sample, rows, config.gaussians, seed=seed)
    return CorrectedPrior(name=name, energy=energy)
