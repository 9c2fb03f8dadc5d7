"""A small 3D network with a prior in place, and rounds of self-labelling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hgld.benchmarks.robustness.segmentation.prior import UNKNOWN_VOXEL, dice, spatial_prior
from hgld.benchmarks.robustness.segmentation.volumes import ORGANS, LabelledVolumes

_CLASSES = len(ORGANS) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationSettings:
    """Settings of the demonstration, all ours."""

    uses_prior: bool
    rounds: int
    """Of self-labelling; 0: none."""
    exponent: float = 1.0
    """Of the prior."""
    share: float = 0.5
    """Of the voxels of each label, over all volumes, that are kept: those of highest probability.
    One threshold for all would keep the background alone."""
    steps: int = 120
    """Of each training, a volume each: a labelled one and an unlabelled one in turn."""
    channels: int = 8
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        """Refuses what cannot be.

        Raises:
            ValueError: a number out of its range.
        """
        if self.rounds < 0 or self.steps < 1 or self.channels < 1 or not self.learning_rate > 0:
            raise ValueError(
                f"rounds must be 0 or more, steps and channels 1 or more and learning_rate above "
                f"0, got {self.rounds}, {self.steps}, {self.channels} and {self.learning_rate}"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be in (0, 1], got {self.share}")


class PriorNetwork(nn.Module):
    """Three 3D convolutions and the logarithm of a prior: p(c | x, v) ~ exp(f_c(x)) prior^gamma."""

    offset: Tensor

    def __init__(self, offset: Tensor, channels: int) -> None:
        """Draws the weights at random.

        Args:
            offset: (C, Z, Y, X) float32, gamma log prior, added to the scores; zeros: no prior.
            channels: of the hidden maps.
        """
        super().__init__()
        self.register_buffer("offset", offset)
        self.layers = nn.Sequential(
            nn.Conv3d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv3d(channels, len(offset), 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Returns the scores (B, C, Z, Y, X) of images (B, Z, Y, X)."""
        scores: Tensor = self.layers(images[:, None]) + self.offset
        return scores


def segment(
    labelled: LabelledVolumes,
    unlabelled: NDArray[np.float32],
    test: LabelledVolumes,
    settings: SegmentationSettings,
    *,
    seed: int,
) -> dict[str, float]:
    """Trains on labelled volumes, labels the others if asked to, and measures Dice.

    In a round of self-labelling the unlabelled volumes get the labels of the combined prediction
    where these are confident, and network and prior are trained again on all.

    Args:
        labelled: at least one volume.
        unlabelled: (N, Z, Y, X) images.
        test: volumes to measure on.
        settings: with or without prior and self-labelling.
        seed: of weights and the order of volumes.

    Returns:
        `dice`, the mean over organs of the Dice over all test voxels, and `dice_large` and so on;
        `kept`, the share of the unlabelled voxels that the last round kept, NaN
        without one.

    Raises:
        ValueError: there is no labelled volume.
    """
    if not len(labelled.images):
        raise ValueError("labelled must hold at least one volume, got none")
    network = _trained((labelled,), settings, seed)
    kept = np.nan
    for number in range(1, settings.rounds + 1):
        guessed = confident_labels(_probabilities(network, unlabelled), settings.share)
        kept = float((guessed != UNKNOWN_VOXEL).mean())
        both = (labelled, LabelledVolumes(images=unlabelled, labels=guessed))
        network = _trained(both, settings, seed + 1000 * number)
    values = dice(_probabilities(network, test.images).argmax(axis=1), test.labels, _CLASSES)
    return {
        "dice": float(values.mean()),
        **{f"dice_{organ}": float(one) for organ, one in zip(ORGANS, values, strict=True)},
        "kept": kept,
    }


def confident_labels(probabilities: NDArray[np.float32], share: float) -> NDArray[np.int64]:
    """Labels voxels by their likeliest class, where it is likelier than for others of the class.

    Args:
        probabilities: (N, C, ...).
        share: of the voxels of each label that keep it, in (0, 1].

    Returns:
        (N, ...), `UNKNOWN_VOXEL` for the others. Of equal voxels at the border all are kept.

    Example:
        >>> likely = np.array([[[0.9, 0.6, 0.2, 0.4]], [[0.1, 0.4, 0.8, 0.6]]]).transpose(1, 0, 2)
        >>> confident_labels(likely, 0.5).tolist()
        [[0, -1, 1, -1]]
    """
    labels, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    kept: NDArray[np.int64] = np.full(labels.shape, UNKNOWN_VOXEL, dtype=np.int64)
    for label in np.unique(labels):
        own = labels == label
        kept[own & (best >= np.quantile(best[own], 1 - share, method="higher"))] = label
    return kept


def _trained(
    sources: Sequence[LabelledVolumes], settings: SegmentationSettings, seed: int
) -> PriorNetwork:
    """Trains on a volume of each source in turn."""
    labels = np.concatenate([one.labels for one in sources])
    offset = torch.zeros((_CLASSES, *labels.shape[1:]))
    if settings.uses_prior:
        prior = spatial_prior(labels, _CLASSES)
        offset = torch.from_numpy(settings.exponent * np.log(prior)).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PriorNetwork(offset, settings.channels)
        optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
        for step in range(settings.steps):
            source = sources[step % len(sources)]
            one = int(torch.randint(len(source.images), (1,)))
            wanted = torch.from_numpy(source.labels[one][None])
            # A volume without a confident voxel would have no mean.
            if not bool((wanted != UNKNOWN_VOXEL).any()):
                continue
            scores = network(torch.from_numpy(source.images[one][None]))
            loss = functional.cross_entropy(scores, wanted, ignore_index=UNKNOWN_VOXEL)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    return network.eval().requires_grad_(requires_grad=False)


def _probabilities(network: PriorNetwork, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the combined prediction (N, C, Z, Y, X)."""
    found = [network(torch.from_numpy(one[None])).softmax(dim=1).numpy() for one in images]
    return np.concatenate(found)
