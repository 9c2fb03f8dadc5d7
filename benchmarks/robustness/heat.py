"""HEAT: energies of rows by simple priors, each corrected by a network, and their sum."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from hgld.benchmarks.robustness.networks import Values, take_step
from hgld.benchmarks.robustness.rows import UnfitRowsError

Energy = Callable[[Tensor], Tensor]
"""From rows (N, D) to an energy of each, (N,)."""
Sample = Callable[[int, torch.Generator], Tensor]
"""From a count and a generator to rows (count, D) float64."""

_PUBLISHED_ROWS = 50_000
_JITTER = 1e-4  # of both kinds of rows, as published


class CorrectionSettings(NamedTuple):
    """How one correction is trained; see `GAUSSIANS`, `LOGITS` and `SPREADS` for the published."""

    steps: int
    """Langevin steps of a negative."""
    step_size: float
    """At the first step; it decays to a tenth."""
    noise: float
    """As the step size."""
    l2: float
    """Weight of the mean square of the correction."""
    temperature: float
    """What the prior's energy is divided by."""
    batch_size: int
    learning_rate: float = 1e-5
    """Of a data set of 50,000 rows: see `fitted_rate`."""
    epochs: int = 20
    """The rate is a tenth after half of them."""
    width: int = 128
    """Ours; 1,024 published, for 512 dimensions and more."""
    depth: int = 2
    """Hidden layers; ours, 5 published."""


GAUSSIANS = CorrectionSettings(
    steps=40, step_size=1e-4, noise=5e-3, l2=10.0, temperature=1e3, batch_size=1024
)
"""Of the Gaussians of unit-length features."""
SPREADS = GAUSSIANS._replace(steps=1)
"""Of the Gaussians of the std of a feature map."""
LOGITS = CorrectionSettings(
    steps=50, step_size=0.1, noise=0.1, l2=0.1, temperature=1.0, batch_size=256
)
"""Of the energy of the logits, on features of unit variance."""


class GaussianMixture(NamedTuple):
    """Gaussians that share one covariance, weighted by the rows of their class.

    Attributes:
        means: (K, D) float64.
        weights: (K,) float64, summing to 1.
        cholesky: (D, D) float64, lower triangular: covariance = cholesky @ cholesky.T.
    """

    means: Tensor
    weights: Tensor
    cholesky: Tensor

    def distances(self, rows: Tensor) -> Tensor:
        """Squared Mahalanobis distances: d_k(z) = (z - mu_k)^T Sigma^-1 (z - mu_k).

        Args:
            rows: (N, D) of any floating-point type.

        Returns:
            (N, K) float64, with a gradient where the rows have one.
        """
        # From the middle of the means, so that float64 keeps the digits.
        centre = self.means.mean(dim=0)
        both = torch.cat([rows.double() - centre, self.means - centre])
        white = torch.linalg.solve_triangular(self.cholesky, both.T, upper=False).T
        own, known = white[: len(rows)], white[len(rows) :]
        squares = own.square().sum(dim=1, keepdim=True) + known.square().sum(dim=1)
        return torch.clamp(squares - 2 * own @ known.T, min=0)

    def energy(self, rows: Tensor) -> Tensor:
        """Negative log-likelihood: E(z) = -log sum_k w_k N(z; mu_k, Sigma).

        Args:
            rows: (N, D) of any floating-point type.

        Returns:
            (N,) float64, with a gradient where the rows have one; (0,) of no rows.

        Example:
            >>> origin, unit = torch.zeros(1, 1).double(), torch.eye(1).double()
            >>> one = GaussianMixture(means=origin, weights=torch.ones(1).double(), cholesky=unit)
            >>> one.energy(torch.zeros(1, 1)).item()  # log(2 pi) / 2
            0.918...

        Source:
            Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
            Out-of-Distribution Detection, ICML 2023.
        """
        width = self.means.shape[1]
        log_volume = self.cholesky.diagonal().log().sum() + width / 2 * math.log(2 * math.pi)
        return log_volume - torch.logsumexp(self.weights.log() - self.distances(rows) / 2, dim=1)

    def sample(self, count: int, random: torch.Generator) -> Tensor:
        """Draws (count, D) float64 rows: a class by its weight, and a step from its mean."""
        classes = torch.multinomial(self.weights, count, replacement=True, generator=random)
        steps = torch.randn(count, self.means.shape[1], generator=random, dtype=self.means.dtype)
        return torch.as_tensor(self.means[classes] + steps @ self.cholesky.T)


def fit_mixture(features: ArrayLike, labels: NDArray[np.integer]) -> GaussianMixture:
    """Fits class means and the covariance around them.

    The covariance is that of all rows less the mean of their class, shrunk towards a multiple of
    the identity as Ledoit and Wolf have it: with about as many rows as dimensions the plain one
    has no inverse. With many rows the two are the same. On the diagonal a millionth of the mean
    variance is added, for a feature that never changes.

    Args:
        features: (N, D), finite.
        labels: (N,) whole numbers.

    Returns:
        The mixture, its means in the order of the sorted labels.

    Raises:
        UnfitRowsError: there is one class, or every row is the mean of its class.

    Source:
        The classes' Gaussians: Lee, Lee, Lee, Shin, NeurIPS 2018, equation 1. The shrinkage (ours):
        Ledoit, Wolf: A well-conditioned estimator for large-dimensional covariance matrices,
        Journal of Multivariate Analysis 2004.
    """
    from sklearn.covariance import ledoit_wolf

    rows = np.asarray(features, dtype=np.float64)
    names, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.stack([rows[places == place].mean(axis=0) for place in range(len(names))])
    covariance, _ = ledoit_wolf(rows - means[places], assume_centered=True)
    variance = float(np.trace(covariance)) / rows.shape[1]
    if len(names) < 2 or not variance > 0:  # noqa: PLR2004
        raise UnfitRowsError(
            f"features must vary within two classes or more, got {len(names)} classes of "
            f"variance {variance}"
        )
    unit = np.eye(rows.shape[1])
    return GaussianMixture(
        means=torch.from_numpy(means),
        weights=torch.from_numpy(counts / counts.sum()),
        cholesky=torch.linalg.cholesky(torch.from_numpy(covariance + 1e-6 * variance * unit)),
    )


class Prior(NamedTuple):
    """A simple energy that a network corrects."""

    energy: Energy
    """Differentiable."""
    sample: Sample
    """Of rows where negatives begin."""
    settings: CorrectionSettings


def corrected_energy(prior: Prior, network: nn.Module) -> Energy:
    """Returns E(z) = E_prior(z) / temperature + network(z), the network from (N, D) to (N, 1)."""
    return lambda rows: prior.energy(rows) / prior.settings.temperature + network(rows).squeeze(1)


def train_correction(
    prior: Prior, rows: NDArray[np.floating], chooses: Callable[[Energy], float], seed: int
) -> tuple[Energy, int]:
    """Trains the correction of a prior by contrastive divergence.

    Each step takes a batch of real rows z and negatives z': as many samples, and the same moved by
    Langevin steps down the energy as it stands. What is minimised is
    mean f(z) - mean f(z') + l2 (mean f(z)^2 + mean f(z')^2), f the network.

    Args:
        prior: its energy, where negatives begin, and how its correction is trained.
        rows: (N, D), of the training classes.
        chooses: how good an energy is on rows that train nothing, higher is better.
        seed: of the weights, the order, the negatives. The same gives the same bits on one machine
            and number of threads.

    Returns:
        The energy of the best epoch, the prior itself (epoch 0) among them; and that epoch.

    Raises:
        UnfitRowsError: the training diverged.

    Source:
        Lafon, Ramzi, Rambour, Thome, ICML 2023, and its code: Adam with betas 0 and 0.999, a tenth
        of the rate after half of the epochs. The choice of the epoch and the rate are ours.
    """
    real = torch.from_numpy(rows).double()
    settings, random = prior.settings, torch.Generator().manual_seed(seed)
    network = build_correction(real.shape[1], settings, seed)
    energy = corrected_energy(prior, network)
    best = corrected_energy(prior, copy.deepcopy(network)), 0
    rate = fitted_rate(settings, len(real))
    optimiser = torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.999))
    slower = torch.optim.lr_scheduler.StepLR(optimiser, max(1, settings.epochs // 2), 0.1)
    reached = chooses(energy)
    for epoch in range(1, settings.epochs + 1):
        order = torch.randperm(len(real), generator=random)
        for batch in torch.split(real[order], settings.batch_size):
            start = prior.sample(len(batch), random)
            moved = langevin_steps(energy, start, settings, random)
            known, negatives = (
                rows + _JITTER * torch.randn(rows.shape, generator=random, dtype=rows.dtype)
                for rows in (batch, torch.cat([moved, start]))
            )
            loss = contrastive_divergence(network, known, negatives, l2=settings.l2)
            take_step(optimiser, loss)
        if not loss.isfinite():
            raise UnfitRowsError(f"training HEAT diverged in epoch {epoch}; scale the embeddings")
        slower.step()
        if (found := chooses(energy)) > reached:
            reached, best = found, (corrected_energy(prior, copy.deepcopy(network)), epoch)
    return best


def fitted_rate(settings: CorrectionSettings, rows: int) -> float:
    """Returns a rate that lets weights travel as far as on the published 50,000 rows.

    A step of Adam moves a weight by about the rate, however small the gradient: of a thousand rows
    there are so few steps that the network would stay where it began. The rate grows by as much
    as an epoch has fewer steps. Ours.
    """
    published = math.ceil(_PUBLISHED_ROWS / settings.batch_size)
    return settings.learning_rate * max(1.0, published / math.ceil(rows / settings.batch_size))


def langevin_steps(
    energy: Energy, start: Tensor, settings: CorrectionSettings, random: torch.Generator
) -> Tensor:
    """Walks rows down an energy: z <- z - a_t grad E(z) + b_t e, e ~ N(0, 1).

    Step size a and noise b decay to a tenth: a_t = 0.9 a (1 - t/T)^2 + 0.1 a, t = 0..T-1.

    Args:
        energy: differentiable.
        start: (N, D), where each row begins; it is left as it is.
        settings: T, a and b.
        random: of the noise.

    Returns:
        (N, D) of the start's type, without a graph.

    Source:
        Welling, Teh: Bayesian Learning via Stochastic Gradient Langevin Dynamics, ICML 2011; step
        and noise apart as Du, Mordatch, NeurIPS 2019; the decay as HEAT's code has it.
    """
    rows = start.detach().clone()
    for step in range(settings.steps):
        share = 0.9 * (1 - step / settings.steps) ** 2 + 0.1
        rows.requires_grad_()
        (slope,) = torch.autograd.grad(energy(rows).sum(), rows)
        shaken = torch.randn(rows.shape, generator=random, dtype=rows.dtype)
        rows = rows.detach() - share * (settings.step_size * slope - settings.noise * shaken)
    return rows


def contrastive_divergence(
    network: Callable[[Tensor], Tensor], real: Tensor, negatives: Tensor, *, l2: float
) -> Tensor:
    """Returns mean f(z) - mean f(z') + l2 (mean f(z)^2 + mean f(z')^2).

    The prior's energies are left out: they have no weight that is trained.

    Args:
        network: f, from (N, D) to (N, 1).
        real: (N, D) z.
        negatives: (M, D) z'.
        l2: weight of the squares.

    Returns:
        A scalar.

    Example:
        >>> rows = torch.tensor([[1.0], [3.0]])  # f = z: 1 - 3 + 0.5 (1 + 9)
        >>> contrastive_divergence(lambda z: z, rows[:1], rows[1:], l2=0.5).item()
        3.0
    """
    low, high = network(real), network(negatives)
    return low.mean() - high.mean() + l2 * (low.square().mean() + high.square().mean())


def build_correction(width: int, settings: CorrectionSettings, seed: int) -> nn.Sequential:
    """Builds the network, float64: linear layers with leaky ReLU between, one number out.

    The last layer begins at zero (ours), so that training starts at the prior itself.
    """
    sizes = [width, *[settings.width] * settings.depth, 1]
    # Drawn apart from torch's generator, which is the whole process's.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        linear = [nn.Linear(*pair, dtype=torch.float64) for pair in itertools.pairwise(sizes)]
    for weight in linear[-1].parameters():
        nn.init.zeros_(weight)
    hidden = (layer for one in linear[:-1] for layer in (one, nn.LeakyReLU(0.2)))
    return nn.Sequential(*hidden, linear[-1])


def compose_energies(train: Values, energies: Values) -> Values:
    """Composes energies: the sum of each less its mean, over its deviation, on training rows.

    That is the published composition at beta 0: the order of
    log ((1/P) sum_p exp(beta s_p)) / beta as beta goes to 0.

    Args:
        train: (M, P), P energies of the training rows, each of which varies.
        energies: (N, P) of any rows.

    Returns:
        (N,) float64; (0,) of no rows.

    Example:
        >>> train, rows = np.array([[-1.0, -1.0], [1.0, 1.0]]), np.array([[1.0, 3.0]])
        >>> compose_energies(train, rows).tolist()
        [4.0]

    Source:
        Lafon, Ramzi, Rambour, Thome, ICML 2023, its composition of energies.
    """
    return np.asarray(((energies - train.mean(axis=0)) / train.std(axis=0)).sum(axis=1))
