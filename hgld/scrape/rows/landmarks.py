"""The landmarks to scrape, from a user's CSV file."""

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import read_csv
from hgld.errors import InputError
from hgld.tables import LANDMARKS

_SPLITS = ("train", "index")


def read_categories(path: Path) -> pa.Table:
    """Reads the landmarks to scrape from a CSV file.

    Args:
        path: a file with the columns landmark_id and category, and perhaps split.

    Returns:
        The rows of LANDMARKS' schema, in the order of the file.

    Raises:
        InputError: the file cannot be read, a column is missing, a landmark id is missing or
            stands there twice, or a split is neither train nor index.
    """
    kinds = {field.name: field.type for field in LANDMARKS.schema}
    with_split = "split" in _header(path)
    names = ["landmark_id", "category", *(["split"] if with_split else [])]
    unique = None if with_split else "landmark_id"
    table = read_csv(path, {name: kinds[name] for name in names}, unique=unique)
    if not with_split:
        table = table.append_column("split", pa.array(["train"] * len(table), pa.string()))
    table = table.select(LANDMARKS.schema.names)
    if table["landmark_id"].null_count:
        row = pc.index(table["landmark_id"].is_null(), True).as_py() + 1
        raise InputError(f"{path}: row {row} has no landmark_id; give each landmark its number")
    for split in pc.unique(table["split"]).to_pylist():
        if split not in _SPLITS:
            raise InputError(f"{path}: split must be one of {', '.join(_SPLITS)}, got {split!r}")
    pairs = Counter(zip(table["split"].to_pylist(), table["landmark_id"].to_pylist(), strict=True))
    for (split, landmark_id), count in pairs.items():
        if count > 1:
            raise InputError(
                f"{path}: landmark_id {landmark_id} of {split} stands in {count} rows; keep one"
            )
    return table


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}") from error
