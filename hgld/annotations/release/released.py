"""Read a release from its folder: the tables and the list of versions."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset, shard_pattern
from hgld.errors import InputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    CREDITS,
    EXCLUDED,
    FILLED,
    HIERARCHY,
    LABEL_CHANGES,
    LANDMARK_LABELS,
    LEVELS,
    OVERLAP,
)

RELEASE_FOLDER = "annotations"
"""The folder of the release in a build."""
RELEASES_FILE = "releases.json"
"""The file in a release that lists its version and all earlier ones."""
LABELLED_TABLES = {"data": ANNOTATIONS, "filled": FILLED}
"""Folder in a release to its tables of labelled images."""
MORE_TABLES = {
    "landmarks": LANDMARK_LABELS,
    "hierarchy": HIERARCHY,
    "overlap": OVERLAP,
    "levels": LEVELS,
    "excluded": EXCLUDED,
    "bad": BAD_ANNOTATIONS,
    "credits": CREDITS,
}
"""Name in a release to each of the other tables."""

IMAGE_COLUMNS = ["split", "image_id", "landmark_id", "in_clean", "table", "reason"]
# All columns are nullable: in a comparison, a row that one release lacks is all null.
_KEY = [pa.field("split", pa.string()), pa.field("landmark_id", pa.int64())]
LANDMARK_SCHEMA = pa.schema([*_KEY, *LABEL_CHANGES.schema.field("landmark").type])
LANDMARK_COLUMNS = LANDMARK_SCHEMA.names
_KINDS = (pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.string(), pa.string())
IMAGE_SCHEMA = pa.schema(list(zip(IMAGE_COLUMNS, _KINDS, strict=True)))

Release = dict[str, Any]
"""The entry of one release in releases.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTables:
    """The rows of a release that are compared with those of another."""

    landmarks: pa.Table
    """`LANDMARK_COLUMNS`, in any order of rows."""
    images: pa.Table
    """`IMAGE_COLUMNS`, in any order of rows. Every image once: `table` is data, filled, excluded or
    bad; `reason` is null in the first two."""


def relative_to_release(path: str) -> str:
    """Returns the path in a release of a file of a build's annotations.

    Example:
        >>> relative_to_release("annotations/data/train-*.parquet")
        'data/train-*.parquet'
    """
    return PurePosixPath(path).relative_to(RELEASE_FOLDER).as_posix()


def read_release(folder: Path) -> ReleaseTables:
    """Reads the rows of a release, or of the annotations of a build.

    Args:
        folder: a folder with landmarks.parquet and data/.

    Raises:
        InputError: a table is missing, or has different columns.
    """
    tables = []
    for name, splits in LABELLED_TABLES.items():
        for split, dataset in splits.items():
            rows = read_released(folder, dataset, ["image_id", "landmark_id", "in_clean"])
            rows = rows.append_column("split", pa.repeat(split, len(rows)))
            tables.append(rows.append_column("table", pa.repeat(name, len(rows))))
    for dataset, name in ((EXCLUDED, "excluded"), (BAD_ANNOTATIONS, "bad")):
        # The guesses for excluded images are not compared.
        rows = read_released(folder, dataset, BAD_ANNOTATIONS.schema.names)
        tables.append(rows.append_column("table", pa.repeat(name, len(rows))))
    images = pa.concat_tables(tables, promote_options="default").select(IMAGE_COLUMNS)
    landmarks = read_released(folder, LANDMARK_LABELS, LANDMARK_COLUMNS).cast(LANDMARK_SCHEMA)
    return ReleaseTables(landmarks=landmarks, images=images.cast(IMAGE_SCHEMA))


def read_released(folder: Path, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
    """Reads a table of a release.

    Raises:
        InputError: a shard lacks columns of the data set, or a single-file table is missing.
    """
    pattern = shard_pattern(relative_to_release(dataset.path))
    paths = sorted(folder.glob(pattern))
    if not paths and "*" not in pattern:
        raise InputError(f"{folder} is not a release: it has no {pattern}; name another folder")
    names = columns or dataset.schema.names
    schema = pa.schema([dataset.schema.field(name) for name in names])
    tables = [schema.empty_table()]
    for path in paths:
        there = pq.read_schema(path)
        types = dict(zip(there.names, there.types, strict=True))
        lacking = [field.name for field in schema if types.get(field.name) != field.type]
        if lacking:
            raise InputError(
                f"{path} lacks columns of this version of hgld, or has them with another type: "
                f"{', '.join(lacking)}; use the version that wrote it, or compare with no release"
            )
        table = pq.read_table(path, columns=names, partitioning=None)
        tables.append(table.replace_schema_metadata().cast(schema))
    return pa.concat_tables(tables)


def read_releases(path: Path) -> list[Release]:
    """Reads the entries of a release and all earlier ones, newest first.

    Raises:
        InputError: the file has no such list.
    """
    try:
        releases = json.loads(path.read_text(encoding="utf-8"))
        for release in releases:
            _major, _minor, _patch = map(int, release["version"].split("."))
            release["date"], release["files"]
        releases[0]
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{path} is not a list of releases ({error!r}); fetch it again") from error
    return list(releases)
