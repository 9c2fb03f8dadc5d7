"""Files of labels in the published format, and two of them side by side."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from hgld.annotations.rule import deciding_classes
from hgld.engine.dataset import read_csv
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import CLASSES, TAXONOMY

LABEL_FILES = {
    split: f"annotations/{split}_label_to_hierarchical.csv" for split in ("train", "index")
}
"""The labels of a build in the published format, by label space."""
_SPLIT_IN_NAME = re.compile(r"(?<![a-z])(train|index)(?![a-z])")


class LabelRow(NamedTuple):
    """A row of a file, without the blanks around its texts; None where a cell is empty."""

    category: str | None
    supercategory: str | None
    hierarchical_label: str | None
    natural_or_human_made: str | None


LabelRows = Mapping[tuple[str, int], LabelRow]
"""Split and landmark to the row."""


class ComparedLandmark(NamedTuple):
    """A landmark of both files. None: no label."""

    split: str
    landmark_id: int
    category: str
    official_label: str | None
    official_natural_or_human_made: str | None
    our_label: str | None
    our_natural_or_human_made: str | None
    class_label: str | None
    class_qid: str | None = None
    """Of the deciding class; None, like what follows, where only a file of ours is known."""
    decision: str | None = None
    votes: int | None = None
    """Classes of the landmark that speak for our label."""
    votes_against: int | None = None
    """Those that speak for another."""


def official_files(official: Sequence[Path]) -> dict[str, Path]:
    """Finds out of which label space each file is.

    Returns:
        Split to file.

    Raises:
        InputError: no file, a file of an unknown split, or two of one.
    """
    found = {split_of(path): path for path in official}
    if len(found) != len(official) or not official:
        raise InputError(
            "name train_label_to_hierarchical.csv, index_label_to_hierarchical.csv or both with "
            "--official, one file of each split"
        )
    return found


def split_of(path: Path) -> str:
    """Returns the split that the name of a file says.

    Raises:
        InputError: it says none, or both.

    Example:
        >>> split_of(Path("index_label_to_hierarchical.csv"))
        'index'
    """
    named = set(_SPLIT_IN_NAME.findall(path.name.lower()))
    if len(named) != 1:
        raise InputError(
            f"{path}: its name must say whether its landmarks are of train or of index, as "
            f"train_label_to_hierarchical.csv does; rename it"
        )
    return str(named.pop())


def our_files(place: Path, splits: Collection[str]) -> dict[str, Path]:
    """Finds the labels to compare with official ones.

    Args:
        place: a file, or a folder with the files of a release or with its folder `annotations/`.
        splits: the splits wanted.

    Returns:
        Split to file, of the splits wanted that are there.

    Raises:
        InputError: there is no file of any of these splits.
    """
    if place.is_file():
        paths = [(split_of(place), place)]
    else:
        names = [(split, Path(LABEL_FILES[split])) for split in splits]
        paths = [(split, place / one) for split, name in names for one in (name, Path(name.name))]
    files = {split: path for split, path in paths if split in splits and path.is_file()}
    if not files:
        wanted = " or ".join(Path(LABEL_FILES[split]).name for split in splits)
        raise InputError(
            f"{place} must be or hold {wanted}; run `hgld annotate`, or name others with --ours"
        )
    return files


def read_label_files(files: Mapping[str, Path]) -> LabelRows:
    """Reads files of labels.

    Args:
        files: split to file.

    Raises:
        InputError: a file that cannot be read, is no UTF-8, has other columns, no landmark id, or
            the same one twice; or one with no row at all.
    """
    columns = {"landmark_id": pa.int64(), **dict.fromkeys(LabelRow._fields, pa.string())}
    found: dict[tuple[str, int], LabelRow] = {}
    for split, path in files.items():
        table = read_csv(path, columns, unique="landmark_id")
        if table["landmark_id"].null_count or not len(table):
            raise InputError(f"{path} must have rows, each with a landmark_id; it lacks one")
        for landmark_id, *texts in zip(*(each.to_pylist() for each in table), strict=True):
            found[split, landmark_id] = LabelRow(*(text.strip() or None for text in texts))
    return found


def side_by_side(official: LabelRows, ours: LabelRows) -> list[ComparedLandmark]:
    """Joins the labels of the landmarks that are in both files, by split and landmark.

    Raises:
        InputError: no landmark is in both.
    """
    keys = sorted(official.keys() & ours.keys())
    if not keys:
        raise InputError(
            "no landmark is in both the official labels and ours; compare files of the same split "
            "and the same version of GLDv2"
        )
    return [
        # Of each row the last two texts are its label and its side.
        ComparedLandmark(
            *key, theirs.category or own.category or "", *theirs[2:], *own[2:], own.supercategory
        )
        for key in keys
        for theirs, own in [(official[key], ours[key])]
    ]


def with_classes(
    landmarks: Sequence[ComparedLandmark], workspace: Workspace
) -> list[ComparedLandmark]:
    """Adds to landmarks of a build why they have their label; nothing where one has no class.

    Raises:
        MissingInputError: the build has no classes or no taxonomy, or they do not fit together.
    """
    deciding = deciding_classes(workspace.read(CLASSES), workspace.read(TAXONOMY))
    found = {(row["split"], row["landmark_id"]): row for row in deciding.to_pylist()}
    told = []
    for one in landmarks:
        row = found.get((one.split, one.landmark_id))
        if row is None:
            told.append(one._replace(class_label=None))
            continue
        votes = {each["hierarchical_label"].strip(): each["votes"] for each in row["candidates"]}
        ours = votes.get(one.our_label, 0)
        columns = {name: row[name] for name in ("class_qid", "class_label", "decision")}
        told.append(one._replace(**columns, votes=ours, votes_against=sum(votes.values()) - ours))
    return told
