"""A network that corrects a prior's energy, trained by contrastive divergence."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hgld.benchmarks.robustness.out_of_distribution.heat.langevin import Energy, langevin_steps

_PUBLISHED_STEPS = -(-50_000 // 128)  # of an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionConfig:
    """Settings of one correction; `gaussian_settings` and `logit_settings` have the published."""

    steps: int
    """Langevin steps of a negative."""
    step_size: float
    noise: float
    l2: float
    """Weight of the mean square of the correction."""
    temperature: float
    """What the prior's energy is divided by."""
    learning_rate: float = 1e-5
    epochs: int = 20
    batch_size: int = 128
    width: int = 128
    """Of the hidden layers. Ours: the published networks are for 2,048 dimensions."""
    depth: int = 2
    """Hidden layers; ours as well."""

    def __post_init__(self) -> None:
        """Refuses what cannot be trained with.

        Raises:
            ValueError: a number out of its range.
        """
        for name in ("step_size", "temperature", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name, least in (("noise", 0), ("l2", 0), ("steps", 0), ("epochs", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        for name in ("batch_size", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")


def gaussian_settings() -> CorrectionConfig:
    """The published settings on a prior of Gaussians."""
    return CorrectionConfig(steps=40, step_size=1e-4, noise=5e-3, l2=10.0, temperature=1e3)


def logit_settings() -> CorrectionConfig:
    """The published settings on the energy of logits."""
    return CorrectionConfig(steps=50, step_size=0.1, noise=0.1, l2=0.1, temperature=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedEnergy:
    """E(z) = E_prior(z) / temperature + network(z)."""

    prior: Energy
    network: nn.Module
    temperature: float

    def __call__(self, rows: Tensor) -> Tensor:
        """Returns the energy of rows (N, D) as (N,)."""
        correction: Tensor = self.network(rows)
        return self.prior(rows) / self.temperature + correction.squeeze(1)


def train_correction(
    prior: Energy,
    sample: Callable[[int, torch.Generator], Tensor],
    rows: Tensor,
    config: CorrectionConfig,
    *,
    seed: int,
) -> CorrectedEnergy:
    """Trains the correction of a prior by contrastive divergence.

    Each step takes a batch of real rows z and as many negatives z': samples of the prior, moved by
    Langevin steps down the energy as it stands. What is minimised is
    mean E(z) - mean E(z') + l2 (mean f(z)^2 + mean f(z')^2), f the network: the square keeps the
    correction small, so that it says something only where the prior is wrong.

    Args:
        prior: energy, differentiable.
        sample: from a count and a generator to rows (count, D) float64 where negatives begin.
        rows: (N, D) float64, of the training classes.
        config: how long and how.
        seed: of the weights, the order, the negatives. The same gives the same bits on one machine
            and number of threads.

    Returns:
        The corrected energy; with 0 epochs that of an untrained network.

    Raises:
        ValueError: there are no rows, or the training diverged.

    Source:
        Lafon, Ramzi, Rambour, Thome: Hybrid Energy Based Model in the Feature Space for
        Out-of-Distribution Detection, ICML 2023. Adam with betas 0 and 0.999.
    """
    if not len(rows):
        raise ValueError("rows must not be empty; give the features the prior was fitted on")
    generator = torch.Generator().manual_seed(seed)
    network = build_correction(rows.shape[1], config, generator)
    energy = CorrectedEnergy(prior=prior, network=network, temperature=config.temperature)
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, betas=(0.0, 0.999))
    for _ in range(config.epochs):
        order = torch.randperm(len(rows), generator=generator)
        for real in torch.split(rows[order], config.batch_size):
            negatives = langevin_steps(
                energy,
                sample(len(real), generator),
                steps=config.steps,
                step_size=config.step_size,
                noise=config.noise,
                generator=generator,
            )
            loss = contrastive_divergence(network, real, negatives, l2=config.l2)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    network.requires_grad_(requires_grad=False).eval()
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise ValueError(
            f"the correction diverged after {config.epochs} epochs; take a smaller learning_rate "
            f"than {config.learning_rate}, or a greater l2 than {config.l2}"
        )
    return energy


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


def build_correction(
    width: int, config: CorrectionConfig, generator: torch.Generator
) -> nn.Sequential:
    """Builds the network, float64: linear layers with leaky ReLU between, one number out.

    The last layer begins at zero, so that training starts at the prior itself.
    """
    sizes = [width, *[config.width] * config.depth, 1]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        # Not drawn by torch, whose generator is the whole process's.
        linear = nn.Linear(inputs, outputs, device="meta", dtype=torch.float64)
        linear.to_empty(device="cpu")
        bound = inputs**-0.5
        with torch.no_grad():
            for weight in linear.parameters():
                weight.uniform_(-bound, bound, generator=generator)
        layers += [linear, nn.LeakyReLU(0.2)]
    with torch.no_grad():
        for weight in layers[-2].parameters():
            weight.zero_()
    return nn.Sequential(*layers[:-1])


def with_travel(config: CorrectionConfig, rows: int) -> CorrectionConfig:
    """Returns settings with a rate that lets weights travel as far as on a large data set.

    A step of Adam moves a weight by about the rate, however small the gradient. The published
    20 epochs at 1e-5 are of data sets with 50,000 rows and more, which is 7,800 steps; on a
    thousand rows they are 160, after which the network is where it began. The rate grows by as
    much as steps are fewer. Ours.

    Args:
        config: whose rate is for 50,000 rows in batches of 128.
        rows: how many are trained on, >= 1.

    Returns:
        The same where there are as many rows, or more.
    """
    steps = -(-rows // config.batch_size)
    factor = max(1.0, _PUBLISHED_STEPS / steps)
    return dataclasses.replace(config, learning_rate=config.learning_rate * factor)
