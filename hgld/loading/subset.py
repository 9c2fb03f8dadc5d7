"""Choose a few images of each class, reproducibly and spread over its landmarks.

Every image and landmark has a number that depends only on the seed and its id (SHA-256), so neither
the order of the rows nor package versions change the choice. Within a class the landmarks take
turns in the order of their numbers: each contributes its first image, then each its second, and so
on until there are enough. So a larger subset contains the smaller one.
"""

import hashlib
from collections import defaultdict
from pathlib import Path

import pyarrow as pa

from hgld.engine.dataset import write_shard
from hgld.engine.files import atomic_file
from hgld.errors import InputError, needing
from hgld.loading.labelled import LabelledSplit
from hgld.loading.own import TABLE_ENDINGS
from hgld.loading.reading import SUPERCATEGORY
from hgld.tables.csv_files import csv_text


def choose_subset(
    split: LabelledSplit,
    per_class: int,
    *,
    seed: int = 0,
    level: str = SUPERCATEGORY,
    most_landmarks: int = 0,
) -> pa.Table:
    """Chooses images of a split.

    Args:
        split: its finest level is the landmark or an equivalent.
        per_class: images of each class; all if there are fewer.
        seed: a different seed chooses different images.
        level: the column whose values are the classes.
        most_landmarks: maximum landmarks of each class, in the order of their numbers; 0: all.

    Returns:
        `split`, the image and its labels, sorted by class, landmark and image.

    Raises:
        ValueError: a number out of range, no such level, or an image without a label.
    """
    if per_class < 1:
        raise ValueError(f"per_class must be 1 or more, got {per_class}")
    if most_landmarks < 0:
        raise ValueError(f"landmarks must be 0 (all) or more, got {most_landmarks}")
    finest, image = split.levels[0], split.image_column
    table = split.to_arrow(list(dict.fromkeys([image, *split.levels, level])))
    names = split.names(finest)
    images: dict[int, dict[int, list[tuple[bytes, int]]]] = defaultdict(lambda: defaultdict(list))
    labels = split.labels([level, finest]).tolist()
    for row, (name, (class_, landmark)) in enumerate(zip(split.image_ids(), labels, strict=True)):
        images[class_][landmark].append((_number(seed, "image", name), row))
    chosen: list[int] = []
    for of_landmark in images.values():
        landmarks = sorted(of_landmark, key=lambda one: _number(seed, "landmark", names[one]))
        turns = [
            (turn, place, row)
            for place, one in enumerate(landmarks[: most_landmarks or None])
            for turn, (_, row) in enumerate(sorted(of_landmark[one]))
        ]
        chosen += [row for _, _, row in sorted(turns)[:per_class]]
    rows = table.take(pa.array(chosen, pa.int64()))
    rows = rows.add_column(0, "split", pa.array([split.name] * len(rows), pa.string()))
    return rows.sort_by([(one, "ascending") for one in dict.fromkeys([level, finest, image])])


def _number(seed: int, what: str, name: str) -> bytes:
    """Returns a pseudo-random but fixed number for an image or landmark."""
    return hashlib.sha256(f"{seed} {what} {name}".encode()).digest()


def landmarks_where(landmarks: pa.Table, condition: str) -> pa.Table:
    """Selects landmarks by a condition in SQL.

    Args:
        landmarks: rows of landmarks.parquet.
        condition: such as `country = 'Egypt' and inception < 1500`: `inception` is
            `inception_year`; lists have functions such as `list_contains(styles, 'Q176483')`.

    Returns:
        `split` and `landmark_id` of those for which it holds.

    Raises:
        InputError: it is no such condition, or DuckDB is not installed.
    """
    with needing("query", "--where"):
        import duckdb
    rows = landmarks.append_column("inception", landmarks["inception_year"])
    # Nothing but this table can be read, whatever the condition says.
    try:
        with duckdb.connect(
            config={"enable_external_access": False, "lock_configuration": True}
        ) as connection:
            found = connection.from_arrow(rows).filter(condition)
            return found.select("split", "landmark_id").to_arrow_table()
    except duckdb.Error as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"--where must be a condition on landmarks in SQL, such as \"country = 'Egypt'\", got "
            f"{condition!r} ({what}); columns are {', '.join(rows.column_names)}"
        ) from error


def write_subset(path: Path, rows: pa.Table) -> None:
    """Writes chosen images atomically as parquet or CSV, by the suffix of the path.

    Raises:
        InputError: the path cannot be written.
    """
    try:
        with atomic_file(path) as temporary:
            if path.suffix == ".parquet":
                write_shard(rows, temporary)
                return
            cells = zip(*rows.to_pydict().values(), strict=True)
            text = csv_text([rows.column_names, *cells])
            temporary.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"cannot write {path}: {why}; choose another --out") from error


def check_subset_path(path: Path) -> None:
    """Checks the suffix of a path.

    Raises:
        InputError: it is not that of a known format.
    """
    if path.suffix not in TABLE_ENDINGS:
        raise InputError(f"--out must end in {' or '.join(TABLE_ENDINGS)}, got {path}")
