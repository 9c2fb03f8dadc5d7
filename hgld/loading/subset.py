"""A few images of each class: the same ones everywhere, and spread over its landmarks.

Every image and every landmark has a number that follows from the seed and its id alone (SHA-256).
So neither the order of the rows nor a version of any package changes what is chosen. Within a class
the landmarks take turns, in the order of their numbers: each gives the first of its images, then
each its second, and so on until there are enough. So a larger subset holds the smaller one.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from hgld.engine.dataset import write_shard
from hgld.engine.files import atomic_file
from hgld.errors import InputError
from hgld.loading.labelled import LabelledSplit
from hgld.loading.naming import SUPERCATEGORY

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBSET_ENDINGS = (".parquet", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetChoice:
    """Which images are chosen."""

    per_class: int
    """Images of each class; of a class that has fewer, all."""
    seed: int = 0
    level: str = SUPERCATEGORY
    """The column whose values are the classes."""
    landmarks: int = 0
    """The most landmarks of each class, the first by their numbers; 0: all of them."""

    def __post_init__(self) -> None:
        """Refuses what chooses nothing.

        Raises:
            ValueError: fewer than one image, or a negative number of landmarks.
        """
        if self.per_class < 1:
            raise ValueError(f"per_class must be 1 or more, got {self.per_class}")
        if self.landmarks < 0:
            raise ValueError(f"landmarks must be 0 (all) or more, got {self.landmarks}")


class ChosenClass(NamedTuple):
    """What was chosen of a class."""

    name: str
    images: int
    landmarks: int


class Subset(NamedTuple):
    """The chosen images."""

    rows: pa.Table
    """`split`, the image and its labels, by class, landmark and image."""
    classes: tuple[ChosenClass, ...]


def choose_subset(split: LabelledSplit, choice: SubsetChoice) -> Subset:
    """Chooses images of a split.

    Args:
        split: its finest level is the landmark, or what stands for it.
        choice: how many of what.

    Returns:
        The images. Nothing else decides which than the seed and their ids.

    Raises:
        ValueError: the level is none, or an image has no label.
    """
    finest = split.levels[0]
    table = split.to_arrow(list(dict.fromkeys([split.image_column, *split.levels, choice.level])))
    classes, members = split.labels([choice.level, finest]).T
    ids = [str(one) for one in table[split.image_column].to_pylist()]
    images = _numbers(choice.seed, "image", ids)
    found, place = np.unique(members, return_inverse=True)
    names = split.names(finest)
    landmarks = _numbers(choice.seed, "landmark", [names[one] for one in found])[place]
    order = np.lexsort((images, landmarks, classes))
    begins_class = _changes(classes[order])
    begins_landmark = begins_class | _changes(landmarks[order])
    turns = _since(begins_landmark)  # 0 for the first image of each landmark
    if choice.landmarks:
        count = np.cumsum(begins_landmark)
        ranks = count - count[np.arange(len(order)) - _since(begins_class)]
        order, turns = order[ranks < choice.landmarks], turns[ranks < choice.landmarks]
    order = order[np.lexsort((landmarks[order], turns, classes[order]))]
    order = order[_since(_changes(classes[order])) < choice.per_class]
    rows = table.take(pa.array(order))
    rows = rows.add_column(0, "split", pa.array([split.name] * len(rows), pa.string()))
    by = dict.fromkeys([choice.level, finest, split.image_column])
    return Subset(
        rows.sort_by([(column, "ascending") for column in by]),
        _counted(split.names(choice.level), classes, order, members),
    )


def spelled_names(split: LabelledSplit, names: Sequence[str]) -> list[str]:
    """Returns super-categories as the data set writes them, whatever their case and blanks.

    Args:
        split: which has them.
        names: such as `ocean area` for `ocean area `, or `castle-fort` for `castle / fort`. One
            that is none is returned as it is.
    """
    official = split.names(SUPERCATEGORY)
    near = {_letters(name): name for name in official}
    return [name if name in official else near.get(_letters(name), name) for name in names]


def write_subset(path: Path, rows: pa.Table) -> None:
    """Writes chosen images as parquet or CSV, by the ending of the path, whole or not at all.

    Raises:
        InputError: the path has another ending, or cannot be written.
    """
    check_subset_path(path)
    try:
        with atomic_file(path) as temporary:
            if path.suffix == ".csv":
                _write_csv(temporary, rows)
            else:
                write_shard(rows, temporary)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; choose another --out"
        ) from error


def check_subset_path(path: Path) -> None:
    """Refuses a path whose ending says no format.

    Raises:
        InputError: it does not.
    """
    if path.suffix not in SUBSET_ENDINGS:
        raise InputError(f"--out must end in {' or '.join(SUBSET_ENDINGS)}, got {path}")


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _write_csv(path: Path, rows: pa.Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(rows.column_names)
        sheet.writerows(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _numbers(seed: int, what: str, names: Sequence[str]) -> "NDArray[np.uint64]":
    """Returns a number for each name, which looks random and never changes."""
    digests = (hashlib.sha256(f"{seed} {what} {name}".encode()).digest() for name in names)
    return np.frombuffer(b"".join(one[:8] for one in digests), dtype=">u8").astype(np.uint64)


def _changes(values: "NDArray[np.generic]") -> "NDArray[np.bool_]":
    """Says of each value whether another one, or none, stands before it."""
    is_other = np.ones(len(values), dtype=bool)
    is_other[1:] = values[1:] != values[:-1]
    return is_other


def _since(begins: "NDArray[np.bool_]") -> "NDArray[np.int64]":
    """Returns how far each place is from the last beginning."""
    places = np.arange(len(begins))
    return places - np.maximum.accumulate(np.where(begins, places, 0))


def _counted(
    names: Sequence[str],
    classes: "NDArray[np.int64]",
    order: "NDArray[np.int64]",
    members: "NDArray[np.int64]",
) -> tuple[ChosenClass, ...]:
    """Returns the classes that have images, by name."""
    return tuple(
        ChosenClass(
            names[one],
            int(np.sum(classes[order] == one)),
            len(np.unique(members[order][classes[order] == one])),
        )
        for one in np.unique(classes)
    )
