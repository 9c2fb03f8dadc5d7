"""Does knowing where an organ lies help, where few volumes are labelled? An example.

Volumes are made by a seed. A small 3D network alone, with the voxels' coordinates as inputs, and
with a spatial prior, each also with rounds of self-labelling: only the idea of the prior is
published (Petit, Thome, Soler, IJCARS 2021); network, smoothing, shares and volumes are ours.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hgld.benchmarks.robustness.networks import take_step
from hgld.benchmarks.robustness.results import Measured, Part

LABELLED = (1, 2, 5, 10)
UNKNOWN_VOXEL = -1
"""Label of a voxel that says nothing."""
SHAPE = (16, 20, 20)
CLASSES = 4
"""Background, two organs that look alike, and a tube."""

_UNLABELLED, _TEST = 10, 10
# The first two organs look alike, and so do blobs of the background: only their places tell.
_INTENSITIES = (0.0, 1.0, 1.0, 0.6)
_CENTRES = ((8.0, 7.0, 7.0), (8.0, 14.0, 14.0), (8.0, 7.0, 15.0))
_RADII = ((4.5, 4.5, 4.0), (3.0, 2.5, 2.5), (7.0, 1.8, 1.8))


_Network = Callable[[NDArray[np.float32]], Tensor]
"""From an image (Z, Y, X) to the scores (1, C, Z, Y, X)."""


class SegmentationSettings(NamedTuple):
    """How a method segments."""

    has_coordinates: bool = False
    """Whether the network sees where a voxel is: the fair rival of a prior."""
    has_prior: bool = False
    """Whether the logarithm of the prior is added to the scores, in training too."""
    rounds: int = 0
    """Of self-labelling."""


METHODS = {
    f"Network{has}{learning}": SegmentationSettings("coord" in has, "prior" in has, rounds)
    for learning, rounds in (("", 0), (", self-labelling", 2))
    for has in ("", ", coordinates", ", prior")
}
STEPS = 120
"""Of each training, a volume each: a labelled one and an unlabelled one in turn."""
_SHARE = 0.5
"""Of the voxels of each label, over all volumes, that are kept: those of highest probability. One
threshold for all would keep only the background."""


class Volumes(NamedTuple):
    """Volumes, aligned with each other."""

    images: NDArray[np.float32]
    """(N, Z, Y, X)"""
    labels: NDArray[np.int64]
    """(N, Z, Y, X) from 0 to 3, or `UNKNOWN_VOXEL`."""


def measure_segmentation(seed: int, labelled: Sequence[int] = LABELLED) -> Iterator[Measured]:
    """Yields the Dice of every method, for each number of labelled volumes.

    Args:
        seed: of the volumes, the weights and the order.
        labelled: numbers of volumes.
    """
    images, labels = make_volumes(_UNLABELLED + _TEST, 2 * seed)
    unlabelled, asked = np.split(images, [_UNLABELLED])
    for count in labelled:
        own = make_volumes(count, 2 * seed + 1)
        scores = {}
        for name, settings in METHODS.items():
            found = segment(own, unlabelled, asked, settings, seed)
            pairs = zip(found, labels[_UNLABELLED:], strict=True)
            scores[name] = np.array([np.nanmean(dice(one, truth)) for one, truth in pairs])
        yield Measured(
            group=f"{count} labelled",
            truth=np.ones(_TEST),
            groups=np.arange(_TEST),
            scores=scores,
        )


def segment(
    labelled: Volumes,
    unlabelled: NDArray[np.float32],
    asked: NDArray[np.float32],
    settings: SegmentationSettings,
    seed: int,
) -> NDArray[np.int64]:
    """Trains on labelled volumes, labels the others if asked to, and labels volumes.

    In a round of self-labelling the unlabelled volumes get the labels of the combined prediction
    where these are confident, and network and prior are trained again on all.

    Args:
        labelled: at least one volume.
        unlabelled: (N, Z, Y, X) images.
        asked: (M, Z, Y, X) images to label.
        settings: with or without coordinates, prior and self-labelling.
        seed: of weights and the order of volumes.

    Returns:
        (M, Z, Y, X) labels.
    """
    network = _trained((labelled,), settings, seed)
    for number in range(1, settings.rounds + 1):
        guessed = confident_labels(_probabilities(network, unlabelled), _SHARE)
        both = (labelled, Volumes(unlabelled, guessed))
        network = _trained(both, settings, seed + 1000 * number)
    return np.asarray(_probabilities(network, asked).argmax(axis=1))


def spatial_prior(labels: NDArray[np.int64], classes: int = CLASSES) -> NDArray[np.float64]:
    """Estimates p(class | voxel position) from aligned volumes.

    p(c | v) = (n_c(v) + 1 / C) / (sum_c' n_c'(v) + 1), n_c = how many volumes have class c at v,
    blurred by a Gaussian of one voxel. Where no volume says anything it is 1 / C.

    Args:
        labels: (N, Z, Y, X), from 0 to C - 1 or `UNKNOWN_VOXEL`.
        classes: C.

    Returns:
        (C, Z, Y, X) float64, above 0, summing to 1 over the classes.

    Example:
        >>> spatial_prior(np.array([[[[0]]], [[[1]]], [[[1]]]]), 2).ravel().tolist()  # 1.5/4, 2.5/4
        [0.375, 0.625]

    Source:
        Petit, Thome, Soler: 3D Spatial Priors for Semi-Supervised Organ Segmentation with Deep
        Convolutional Neural Networks, IJCARS 2021, its idea; smoothing and weight are ours.
    """
    from scipy.ndimage import gaussian_filter

    counts = np.stack([(labels == label).sum(axis=0) for label in range(classes)]).astype(float)
    blurred = gaussian_filter(counts, (0, 1, 1, 1), mode="nearest")
    return np.asarray((blurred + 1 / classes) / (blurred.sum(axis=0) + 1))


def dice(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Overlap of a prediction with the truth: 2 |A and B| / (|A| + |B|) of each organ.

    Args:
        predicted: any shape, from 0 to 3.
        labels: of the same shape.

    Returns:
        (3,) of classes 1 to 3, in [0, 1]; NaN for one that is in neither.

    Example:
        >>> dice(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])).tolist()
        [0.5, nan, nan]

    Source:
        Dice: Measures of the Amount of Ecologic Association Between Species, Ecology 1945.
    """
    from sklearn.metrics import f1_score

    pair, organs = (labels.ravel(), predicted.ravel()), range(1, CLASSES)
    return np.asarray(f1_score(*pair, labels=organs, average=None, zero_division=np.nan))


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
    kept = np.full(labels.shape, UNKNOWN_VOXEL, dtype=np.int64)
    for label in np.unique(labels):
        own = labels == label
        kept[own & (best >= np.quantile(best[own], 1 - share, method="higher"))] = label
    return kept


def make_volumes(count: int, seed: int) -> Volumes:
    """Makes volumes of three ellipsoids whose places and sizes vary a little.

    In the background lie three blobs that look like an organ and may be anywhere; noise is
    Gaussian, each voxel by itself.

    Args:
        count: how many, >= 1.
        seed: of all that varies.

    Returns:
        The volumes; the same for the same seed, whatever the count.
    """
    streams = np.random.SeedSequence(seed).spawn(count)
    images, labels = zip(*(_volume(np.random.default_rng(one)) for one in streams), strict=True)
    return Volumes(np.stack(images).astype(np.float32), np.stack(labels))


def _trained(sources: Sequence[Volumes], settings: SegmentationSettings, seed: int) -> _Network:
    """Trains on a volume of each source in turn.

    Three 3D convolutions and the logarithm of a prior: p(c | x, v) ~ exp(f_c(x)) prior.
    """
    offset = torch.zeros((CLASSES, *SHAPE))
    if settings.has_prior:
        prior = spatial_prior(np.concatenate([one.labels for one in sources]))
        offset = torch.from_numpy(np.log(prior)).float()
    axes = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    places = axes if settings.has_coordinates else ()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pairs = itertools.pairwise((1 + len(places), 8, 8, CLASSES))
        first, second, last = (nn.Conv3d(*pair, 3, padding=1) for pair in pairs)
        layers = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
        optimiser = torch.optim.Adam(layers.parameters(), 1e-2)

        def network(image: NDArray[np.float32]) -> Tensor:
            inputs = torch.stack([torch.from_numpy(image), *places])[None]
            return torch.as_tensor(layers(inputs) + offset)

        for step in range(STEPS):
            source = sources[step % len(sources)]
            one = int(torch.randint(len(source.images), (1,)))
            wanted = torch.from_numpy(source.labels[one][None])
            # A volume without a confident voxel would have no mean.
            if bool((wanted != UNKNOWN_VOXEL).any()):
                scores = network(source.images[one])
                loss = functional.cross_entropy(scores, wanted, ignore_index=UNKNOWN_VOXEL)
                take_step(optimiser, loss)
    return network


def _probabilities(network: _Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the combined prediction (N, C, Z, Y, X)."""
    with torch.no_grad():
        return np.concatenate([network(one).softmax(dim=1).numpy() for one in images])


def _volume(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    labels, looks = np.zeros(SHAPE, dtype=np.int64), np.zeros(SHAPE)
    for _ in range(3):
        anywhere, radius = random.uniform(0, SHAPE), np.full(3, random.uniform(1.5, 2.5))
        looks[_inside(anywhere, radius)] = random.choice(_INTENSITIES[1:])
    for organ, (centre, radii) in enumerate(zip(_CENTRES, _RADII, strict=True), start=1):
        moved = np.array(centre) + random.normal(0, 1.2, 3)
        scaled = np.array(radii) * np.exp(random.normal(0, 0.12, 3))
        where = _inside(moved, scaled)
        labels[where], looks[where] = organ, _INTENSITIES[organ]
    return looks + random.normal(0, 0.45, SHAPE), labels


def _inside(centre: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.bool_]:
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    return np.asarray((((places - centre) / radii) ** 2).sum(axis=-1) <= 1)


SEGMENTATION = Part(
    lambda _, seed: measure_segmentation(seed),
    lambda _, score: {"dice": float(score.mean())},
    lambda _, score: float(score.mean()),
    [name for name in METHODS if "prior" in name],
    [name for name in METHODS if "prior" not in name],
)
