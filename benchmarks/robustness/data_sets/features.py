"""What the suite measures on: features with labels, from a build's embeddings or from a package."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS
from hgld.training.data.labels import encode_labels, query_and_index_labels

_LEAST_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """Rows of frozen features, each of one class."""

    title: str
    """As a reader sees it."""
    features: NDArray[np.float32]
    """(N, D)"""
    labels: NDArray[np.int64]
    """(N,) from 0 to C - 1, each of which occurs."""
    groups: NDArray[np.int64]
    """(N,) rows of one group never come into different parts of a split."""

    @property
    def classes(self) -> int:
        """C."""
        return int(self.labels.max(initial=-1)) + 1

    def rows(self, positions: NDArray[np.int64]) -> "FeatureSet":
        """Returns some of the rows, whose labels keep their numbers."""
        return FeatureSet(
            title=self.title,
            features=self.features[positions],
            labels=self.labels[positions],
            groups=self.groups[positions],
        )


def packaged_sets() -> list[FeatureSet]:
    """Returns the data sets that scikit-learn brings along: no download, no build.

    Returns:
        Digits (1,797 pictures of 8 x 8, 10 classes) and breast cancer (569 rows of 30, 2 classes).
    """
    from sklearn.datasets import load_breast_cancer, load_digits

    loaded = [("Digits", load_digits()), ("Breast cancer", load_breast_cancer())]
    return [
        FeatureSet(
            title=title,
            features=content.data.astype(np.float32),
            labels=content.target.astype(np.int64),
            groups=np.arange(len(content.target)),
        )
        for title, content in loaded
    ]


def embedded_sets(
    name: str, embeddings: NDArray[np.float32], labels: NDArray[np.int64], *, least_images: int = 8
) -> list[FeatureSet]:
    """Returns the classifications that labelled embeddings give.

    Args:
        name: what the reader is told of the embeddings, such as `untrained`.
        embeddings: (N, D).
        labels: (N, L), finest level first, L >= 2.
        least_images: of a class; rows of smaller classes are left out.

    Returns:
        By landmark; by super-category, whose landmarks are in every part of a split; and by
        super-category with other landmarks in each part, of super-categories with at least three.
        Without what has fewer than two classes.
    """
    own = np.arange(len(labels))
    several = _has_groups(labels[:, 1], labels[:, 0])
    found = [
        (f"{name}: landmark", labels[:, 0], own, np.ones(len(labels), np.bool_)),
        (f"{name}: super-category", labels[:, 1], own, np.ones(len(labels), np.bool_)),
        (f"{name}: super-category of unseen landmarks", labels[:, 1], labels[:, 0], several),
    ]
    sets = []
    for title, classes, groups, usable in found:
        large = np.bincount(classes)[classes] >= least_images
        rows = np.flatnonzero(large & usable)
        if len(np.unique(classes[rows])) > 1:
            sets.append(
                FeatureSet(
                    title=title,
                    features=embeddings[rows],
                    labels=np.unique(classes[rows], return_inverse=True)[1].astype(np.int64),
                    groups=groups[rows],
                )
            )
    return sets


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedBuild:
    """The labelled images of a build as embeddings; labels are (n, L), finest level first."""

    name: str
    """What the reader is told of the embeddings."""
    training: NDArray[np.float32]
    training_labels: NDArray[np.int64]
    queries: NDArray[np.float32]
    query_labels: NDArray[np.int64]
    index: NDArray[np.float32]
    index_labels: NDArray[np.int64]
    """In the encoding of the queries' labels; training landmarks are others."""
    has_seen_training: bool = False
    """Whether the model was trained on the training images."""


def read_embedded_build(
    workspace: Workspace, name: str, training: Path, queries: Path, index: Path
) -> EmbeddedBuild:
    """Reads embeddings, and the labels of their images.

    Args:
        workspace: a build with annotations.
        name: what the reader is told of the embeddings.
        training: file of the training images; of the test and the index images: `queries`, `index`.
        queries: see there.
        index: see there.

    Raises:
        MissingInputError: the annotations are not there yet.
        InputError: a file cannot be read or lacks images, a split has no labelled image, or the
            three files have embeddings of different lengths.
    """
    levels = ANNOTATIONS["train"].levels
    columns = ["image_id", *(level.column for level in levels)]
    rows = workspace.read(ANNOTATIONS["train"], columns).drop_null().sort_by("image_id")
    if not len(rows):
        raise InputError("no image of train has a label at every level; annotate the build first")
    tested, searched = query_and_index_labels(workspace)
    vectors = [
        read_embeddings(path, ids, split=split).numpy()
        for path, ids, split in (
            (training, rows["image_id"].to_pylist(), "train"),
            (queries, tested.image_ids.to_pylist(), "test"),
            (index, searched.image_ids.to_pylist(), "index"),
        )
    ]
    widths = [array.shape[1] for array in vectors]
    if len(set(widths)) > 1:
        raise InputError(
            f"the embeddings of {training}, {queries} and {index} must be of one length, got "
            f"{', '.join(map(str, widths))}; give files of one model"
        )
    return EmbeddedBuild(
        name=name,
        training=vectors[0],
        training_labels=encode_labels(rows, levels).numpy(),
        queries=vectors[1],
        query_labels=tested.labels.numpy(),
        index=vectors[2],
        index_labels=searched.labels.numpy(),
    )


def build_sets(build: EmbeddedBuild) -> list[FeatureSet]:
    """Returns the classifications of a build: of its training images, and of index and test.

    Of a model that was trained on the former, those of index and test alone: the images that it
    knows by heart tell nothing of its failures on others.

    Args:
        build: embeddings of one model.
    """
    unseen = np.concatenate([build.index, build.queries])
    labels = np.concatenate([build.index_labels, build.query_labels])
    sets = embedded_sets(f"{build.name}, index and test images", unseen, labels)
    if build.has_seen_training:
        return sets
    return [*embedded_sets(build.name, build.training, build.training_labels), *sets]


def split_groups(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    shares: tuple[float, ...],
    generator: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Splits rows at random, so that each class is in each part and each group in one.

    Args:
        labels: (N,) classes.
        groups: (N,); all rows of a group are of one class.
        shares: of each part, above 0, summing to 1.
        generator: what decides.

    Returns:
        The sorted positions of each part; of each class's groups the share is met within one
        group, and every part has at least one.

    Raises:
        ValueError: a class has fewer groups than there are parts, or shares do not sum to 1.

    Example:
        >>> parts = split_groups(
        ...     np.zeros(4, int), np.arange(4), (0.5, 0.5), np.random.default_rng(0)
        ... )
        >>> [len(part) for part in parts]
        [2, 2]
    """
    if min(shares) <= 0 or not np.isclose(sum(shares), 1):
        raise ValueError(f"shares must be above 0 and sum to 1, got {shares}")
    part_of = np.full(groups.max(initial=-1) + 1, -1)
    for label in np.unique(labels):
        own = generator.permutation(np.unique(groups[labels == label]))
        if len(own) < len(shares):
            raise ValueError(
                f"each class must have a group for each of the {len(shares)} parts, got "
                f"{len(own)} for class {label}; leave small classes out"
            )
        # One each, and the others by their shares.
        counts = np.ones(len(shares), np.int64)
        for _ in range(len(own) - len(shares)):
            counts[np.argmax(np.array(shares) * len(own) - counts)] += 1
        part_of[own] = np.repeat(np.arange(len(shares)), counts)
    return [np.flatnonzero(part_of[groups] == part) for part in range(len(shares))]


def _has_groups(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns which rows are of a class with a group for each part of a split."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    counts = np.bincount(pairs[0], minlength=int(labels.max(initial=-1)) + 1)
    enough: NDArray[np.bool_] = counts[labels] >= _LEAST_PARTS
    return enough
