"""What the methods are measured on: classes held out (near), and rows of another kind (far)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.data_sets.features import FeatureSet
from hgld.benchmarks.robustness.failures.classifier import (
    ClassifierSettings,
    FeatureClassifier,
    fit_classifier,
)
from hgld.benchmarks.robustness.out_of_distribution.frozen import (
    FrozenRows,
    LinearClassifier,
    fit_linear,
)

HELD_OUT_CLASSES = "held-out classes"
_LEAST_ROWS = 8
_NETWORK = ClassifierSettings(hidden_units=128, dropout=0.0, epochs=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutProblem:
    """Training rows, and rows that are or are not of their classes.

    Attributes:
        title: of the data set.
        train: with labels.
        classifier: trained on them.
        inside: rows of the same classes that nothing was trained on.
        outside: by kind.
    """

    title: str
    train: FrozenRows
    classifier: LinearClassifier
    inside: FrozenRows
    outside: dict[str, FrozenRows]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRows:
    """A data set before classes are held out of it.

    Attributes:
        title: as a reader sees it.
        train: with labels.
        queries: with labels; one of a class that training lacks is out of distribution.
        far: rows of another kind.
    """

    title: str
    train: FrozenRows
    queries: FrozenRows
    far: Mapping[str, FrozenRows]


def hold_out_classes(rows: ClassRows, *, held_out: int, components: int, seed: int) -> OutProblem:
    """Holds classes out of the training rows, and fits a linear classifier on the others.

    Near are the queries of the classes held out, and of those that training never had; inside are
    the queries of the others. So both come from one place, and no score can tell them by that.

    Args:
        rows: the data set. Classes of fewer than 8 training rows are left out, queries and all.
        held_out: how many classes, drawn from those that have both training rows and queries.
        components: what features, and spreads, are reduced to, by the training rows alone.
        seed: of the draw.

    Returns:
        The problem.

    Raises:
        ValueError: fewer than two classes would be left.
    """
    labels, asked = rows.train.required_labels(), rows.queries.required_labels()
    classes, counts = np.unique(labels, return_counts=True)
    large = classes[counts >= _LEAST_ROWS]
    both = np.intersect1d(large, asked)
    if len(both) < held_out + 2:
        raise ValueError(
            f"held_out must leave two classes with at least {_LEAST_ROWS} training rows and with "
            f"queries, got {held_out} of {len(both)}; hold fewer out"
        )
    near = np.random.default_rng(seed).choice(both, held_out, replace=False)
    kept = np.setdiff1d(large, near)
    known = rows.train.take(np.isin(labels, kept))
    reduction = fit_reduction(known, components)
    train = reduction(known)
    is_near = np.isin(asked, near) | ~np.isin(asked, classes)
    queries = reduction(rows.queries)
    return OutProblem(
        title=rows.title,
        train=train,
        classifier=fit_linear(train),
        inside=queries.take(np.isin(asked, kept)),
        outside={
            HELD_OUT_CLASSES: queries.take(is_near),
            **{kind: reduction(far) for kind, far in rows.far.items()},
        },
    )


@dataclass(frozen=True, slots=True)
class RowReduction:
    """Principal components of features, and of spreads where there are some, on one scale."""

    features: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Mean (D,) and what rows less the mean are multiplied with, (D, P)."""
    spreads: tuple[NDArray[np.float64], NDArray[np.float64]] | None

    def __call__(self, rows: FrozenRows) -> FrozenRows:
        """Returns the same rows in fewer dimensions."""
        mean, axes = self.features
        spreads = None
        if self.spreads is not None:
            spreads = (rows.required_spreads() - self.spreads[0]) @ self.spreads[1]
        return FrozenRows((rows.features - mean) @ axes, rows.labels, spreads)


def fit_reduction(train: FrozenRows, components: int) -> RowReduction:
    """Fits principal components, and one factor for all of them.

    The factor makes the mean variance of a component 1, as the settings of the corrections, their
    steps and noise, are for features of about that size and not for unit vectors of 1,280 numbers.
    Directions keep their lengths relative to each other: nothing is whitened.

    Args:
        train: rows; what has no more dimensions than `components` keeps them.
        components: P.

    Returns:
        What reduces rows.
    """
    return RowReduction(
        _axes(train.features, components),
        None if train.spreads is None else _axes(train.spreads, components),
    )


def _axes(
    rows: NDArray[np.float64], components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = rows.mean(axis=0)
    _, lengths, axes = np.linalg.svd(rows - mean, full_matrices=False)
    kept = min(components, int((lengths > lengths.max(initial=0) * 1e-9).sum()))
    scale = np.sqrt((lengths[:kept] ** 2).mean() / len(rows))
    return mean, axes[:kept].T / scale


def digit_problem(seed: int, *, held_out: int = 3) -> OutProblem:
    """Written digits, three classes held out; features are the hidden layer of a network.

    Far are patches of 8 x 8 of scikit-learn's two photos, in grey and stretched to the range of
    the digits, and noise: each pixel uniform over that range.

    Args:
        seed: of the classes held out, of the split (three in five rows train), of the network.
        held_out: how many of the ten classes.
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = pixels.astype(np.float32), labels.astype(np.int64)
    random = np.random.default_rng(seed)
    near = random.choice(10, held_out, replace=False)
    is_train = random.random(len(labels)) < 0.6  # noqa: PLR2004 - three in five
    known = ~np.isin(labels, near)
    rows = np.flatnonzero(is_train & known)
    numbers = np.searchsorted(np.setdiff1d(np.arange(10), near), labels)
    digits = FeatureSet(
        title="Digits",
        features=pixels[rows],
        labels=numbers[rows],
        groups=np.arange(len(rows)),
    )
    network = fit_classifier(digits, 10 - held_out, _NETWORK, seed)
    count = int((~known & ~is_train).sum())
    far = {
        "patches of photos": photo_patches(count, random),
        "noise": random.uniform(0, 16, (count, 64)).astype(np.float32),
    }
    return OutProblem(
        title="Digits",
        train=replace(_hidden(network, digits.features), labels=digits.labels),
        classifier=LinearClassifier(
            weight=network.last.weight.double().numpy(),
            bias=network.last.bias.double().numpy(),
            classes=np.arange(10 - held_out),
        ),
        inside=_hidden(network, pixels[known & ~is_train]),
        outside={
            HELD_OUT_CLASSES: _hidden(network, pixels[~known & ~is_train]),
            **{kind: _hidden(network, one) for kind, one in far.items()},
        },
    )


def photo_patches(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Cuts patches from scikit-learn's two sample photos, made small like the digits.

    Args:
        count: how many.
        random: which photo, where, and how large (8 to 64 px).

    Returns:
        (count, 64) grey values from 0 to 16, each patch over the whole range.
    """
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(one).convert("L") for one in load_sample_images().images]
    patches = np.empty((count, 64), dtype=np.float32)
    for row in range(count):
        photo = photos[int(random.integers(len(photos)))]
        side = int(random.integers(8, 65))
        left = int(random.integers(photo.width - side + 1))
        top = int(random.integers(photo.height - side + 1))
        box = (left, top, left + side, top + side)
        grey = np.asarray(photo.crop(box).resize((8, 8), Image.Resampling.BOX), dtype=np.float32)
        spread = max(float(np.ptp(grey)), 1.0)
        patches[row] = ((grey - grey.min()) * (16 / spread)).ravel()
    return patches


def _hidden(network: FeatureClassifier, pixels: NDArray[np.float32]) -> FrozenRows:
    with torch.no_grad():
        return FrozenRows(network.hidden(torch.from_numpy(pixels)).double().numpy())
