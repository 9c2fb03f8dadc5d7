"""The rows of a release, as they are compared with those of another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.annotations.images import annotated_rows
from hgld.engine.dataset import Dataset, shard_pattern
from hgld.engine.verify import RELEASE_SUMS, verify_sums
from hgld.errors import DamagedError, InputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    EXCLUDED,
    FILLED,
    LABEL_CHANGES,
    LANDMARK_LABELS,
    NOT_COMPARED,
)

RELEASE_FOLDER = "annotations"
"""Of a release, in a build."""
RELEASES_FILE = "releases.json"
"""Of a release: its version and those before it."""
LABELLED_TABLES: Mapping[str, Mapping[str, Dataset]] = {"data": ANNOTATIONS, "filled": FILLED}
"""The tables of images that have a label, by their folders in a release."""

# The label space of each split: the landmark of a test image is one of the index.
_SPACES = {"train": "train", "index": "index", "test": "index"}

LANDMARK_COLUMNS = [name for name in LANDMARK_LABELS.schema.names if name not in NOT_COMPARED]
IMAGE_COLUMNS = ["split", "image_id", "landmark_id", "in_clean", "table", "reason"]
# Rows that a release has not are all null where two are put side by side.
_OF_LANDMARK = {field.name: field for field in LABEL_CHANGES.schema.field("landmark").type}
_KEY = {"split": pa.field("split", pa.string()), "landmark_id": pa.field("landmark_id", pa.int64())}
# What a release before may lack, since a later version of the program added it: each landmark is
# told of as one that says more. Nested columns are not compared, and would be missed.
_MAY_LACK = frozenset(
    name
    for name, field in _OF_LANDMARK.items()
    if name not in {"hierarchical_label", "natural_or_human_made"}
    and not pa.types.is_nested(field.type)
)
LANDMARK_SCHEMA = pa.schema([(_KEY | _OF_LANDMARK)[name] for name in LANDMARK_COLUMNS])
_KINDS = (pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.string(), pa.string())
IMAGE_SCHEMA = pa.schema(list(zip(IMAGE_COLUMNS, _KINDS, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTables:
    """All that a release says of landmarks and images, but for what is never compared."""

    landmarks: pa.Table
    """`LANDMARK_COLUMNS`, in any order."""
    images: pa.Table
    """`IMAGE_COLUMNS`, in any order. Every image once: `table` is data, filled, excluded or bad,
    and reason null in the first two."""


def relative_to_release(path: str) -> str:
    """Returns a path of a build, in its folder of annotations, as it is in a release.

    Example:
        >>> relative_to_release("annotations/data/train-*.parquet")
        'data/train-*.parquet'
    """
    return PurePosixPath(path).relative_to(RELEASE_FOLDER).as_posix()


def read_release(folder: Path) -> ReleaseTables:
    """Reads the rows of a release, or of the annotations of a build.

    Args:
        folder: with landmarks.parquet and data/.

    Returns:
        Its rows; null in columns of landmarks that came with a later version of this program.

    Raises:
        InputError: a table is not there, or has not the columns that this version needs.
    """
    tables = [_images_of(folder, split, name) for name in LABELLED_TABLES for split in ANNOTATIONS]
    for dataset, name in ((EXCLUDED, "excluded"), (BAD_ANNOTATIONS, "bad")):
        # What is guessed of excluded images is not compared, and earlier releases have none.
        rows = read_released(folder, dataset, BAD_ANNOTATIONS.schema.names)
        rows = rows.append_column("in_clean", pa.nulls(len(rows), pa.bool_()))
        tables.append(rows.append_column("table", pa.repeat(name, len(rows))))
    images = pa.concat_tables(table.select(IMAGE_COLUMNS).cast(IMAGE_SCHEMA) for table in tables)
    path = folder / relative_to_release(LANDMARK_LABELS.path)
    known = pq.read_schema(path).names if path.is_file() else LANDMARK_COLUMNS
    columns = [name for name in LANDMARK_COLUMNS if name in known or name not in _MAY_LACK]
    landmarks = read_released(folder, LANDMARK_LABELS, columns)
    for field in LANDMARK_SCHEMA:
        if field.name not in columns:
            landmarks = landmarks.append_column(field, pa.nulls(len(landmarks), field.type))
    landmarks = landmarks.select(LANDMARK_COLUMNS).cast(LANDMARK_SCHEMA)
    return ReleaseTables(landmarks=landmarks, images=images)


def check_release_before(folder: Path) -> None:
    """Refuses what somebody names as the release before and is none, or not as it was released.

    Raises:
        InputError: the folder holds no release.
        DamagedError: a file of it is not what was released.
    """
    for name in (RELEASE_SUMS, RELEASES_FILE):
        if not (folder / name).is_file():
            raise InputError(
                f"[release] previous must be the folder of a release, with {name} in it, got "
                f"{folder}; name another, or none for a first release"
            )
    for damage in verify_sums(folder):
        if damage.what:
            raise DamagedError(f"[release] previous: {folder / damage.path} {damage.what}")


def read_released(folder: Path, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
    """Reads a table of a release.

    Raises:
        InputError: a shard has not the columns of the data set, or a table of one file is not
            there.
    """
    pattern = shard_pattern(relative_to_release(dataset.path))
    paths = sorted(folder.glob(pattern))
    if not paths and "*" not in pattern:
        raise InputError(f"{folder} has no {pattern}; a release has one, name another folder")
    names = columns or dataset.schema.names
    schema = pa.schema([dataset.schema.field(name) for name in names])
    tables = [schema.empty_table()]
    for path in paths:
        there = pq.read_schema(path)
        lacking = [
            field.name
            for field in schema
            if field.name not in there.names or there.field(field.name).type != field.type
        ]
        if lacking:
            raise InputError(
                f"{path} has other columns than this version of hgld writes "
                f"({', '.join(lacking)}); use the version that wrote it, or compare with none"
            )
        table = pq.read_table(path, columns=names, partitioning=None)
        tables.append(table.replace_schema_metadata().cast(schema))
    return pa.concat_tables(tables)


def by_key(table: pa.Table, key: str) -> pa.Table:
    """Sorts landmarks, or images, by their split and key."""
    return table.take(pc.sort_indices(table, [("split", "ascending"), (key, "ascending")]))


def rebuilt_annotations(tables: ReleaseTables, split: str, table: str = "data") -> pa.Table:
    """Returns the rows of ANNOTATIONS of a split, in their order, from what is compared.

    Args:
        tables: of a release.
        split: train, index or test.
        table: data; or filled, for those of FILLED.
    """
    space = pc.equal(tables.landmarks["split"], _SPACES[split])
    landmarks = tables.landmarks.filter(space)
    images = tables.images
    here = pc.and_(pc.equal(images["split"], split), pc.equal(images["table"], table))
    images = images.filter(here).select(["image_id", "landmark_id", "in_clean"])
    place = pc.index_in(images["landmark_id"], value_set=landmarks["landmark_id"])
    rows = annotated_rows(images.append_column("row", place), landmarks)
    order = [(name, "ascending") for name in ANNOTATIONS[split].layout.sorted_by]
    return rows.sort_by(order).cast(ANNOTATIONS[split].schema)


def _images_of(folder: Path, split: str, table: str) -> pa.Table:
    dataset = LABELLED_TABLES[table][split]
    rows = read_released(folder, dataset, ["image_id", "landmark_id", "in_clean"])
    rows = rows.append_column("split", pa.repeat(split, len(rows)))
    rows = rows.append_column("table", pa.repeat(table, len(rows)))
    return rows.append_column("reason", pa.nulls(len(rows), pa.string()))
