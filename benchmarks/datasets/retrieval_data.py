"""What a data set of retrieval is: images with a label a level, in the roles they have.

A function a data set reads its official files into this form; nothing that measures knows any of
these files. Each has a name here, and anybody's own is a Python file with such a function.
"""

import runpy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.dataset import Level
from hgld.errors import InputError

if TYPE_CHECKING:
    from hgld.metrics import GroundTruth  # of a room that loads torch

NAMES = (
    *("h-gldv2", "roxford5k", "roxford5k+1m", "rparis6k", "rparis6k+1m"),
    *("sop", "inat2018", "inat2018-base", "cub200"),
)
"""What docs/datasets.md says of each: what it is, where it comes from, what its folder holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalData:
    """Images to train on, images that search, and images that are searched.

    Each table has `image_id` and `path` (texts, the path relative to the folder) and a column for
    each level; within a table no image is there twice.
    """

    name: str
    folder: Path
    """Of its files."""
    levels: tuple[Level, ...]
    """Of the labels, finest first; none where `truths` say what is to be found."""
    train: pa.Table
    """Empty where a data set has nothing to train on."""
    queries: pa.Table
    index: pa.Table
    is_one_set: bool = False
    """Each query searches all others: `index` is `queries`, and a query never finds itself."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What a reader calls labels of the finest level, each different; others as they are."""
    recall_at: tuple[int, ...] = (1, 10)
    """k of the R@k that are usual on it."""
    truths: "tuple[GroundTruth, ...]" = ()
    """Of each query, of Revisited Oxford and Paris."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Left, upper, right and lower edge, in pixels, of what is searched for in each query's
    picture; none: the whole pictures."""
    distractor_count: int = 0
    """How many items must stand beside the index that share nothing with any query; 0: any number,
    the same of each model."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Images of queries and index that the files name and that take no part, by reason."""


def check_name(name: str) -> None:
    """Refuses what is neither the name of a data set nor a Python file.

    Raises:
        ValueError: it is neither.
    """
    if name not in NAMES and not name.endswith(".py"):
        raise ValueError(
            f"data_set must be one of {', '.join(NAMES)}, or a Python file that reads your own, "
            f"got {name!r}"
        )


def read_data_set(name: str, folder: Path) -> RetrievalData:
    """Reads a data set from its official files.

    Args:
        name: which, by its split and levels where it has several; or a Python file with a function
            `read`, which takes the folder and returns a `RetrievalData`.
        folder: of its files.

    Raises:
        InputError: a file cannot be read, lacks something or contradicts another.
    """
    # Imported where they are used: only the names are needed to read settings.
    from hgld.benchmarks.datasets import gldv2, labelled_lists, revisited

    match name:
        case "h-gldv2":
            return gldv2.read_h_gldv2(folder)
        case "roxford5k" | "rparis6k" | "roxford5k+1m" | "rparis6k+1m":
            return revisited.read_revisited(folder, name)
        case "sop":
            return labelled_lists.read_sop(folder)
        case "inat2018" | "inat2018-base":
            return labelled_lists.read_inaturalist(folder, taxonomy=name == "inat2018")
        case "cub200":
            return labelled_lists.read_cub(folder)
        case _:
            return _read_own(Path(name), folder)


def require_once(path: Path, what: str, values: Iterable[object]) -> None:
    """Refuses values of which one is there twice.

    Args:
        path: the file that has them.
        what: one of them, such as `image`.
        values: all of them.

    Raises:
        InputError: the first that is, and how often.
    """
    value, count = next(iter(Counter(values).most_common(1)), ("", 0))
    if count > 1:
        raise InputError(f"{path}: {what} {value} is listed {count} times; keep one")


def _read_own(file: Path, folder: Path) -> RetrievalData:
    try:
        data = runpy.run_path(str(file))["read"](folder)
    except (FileNotFoundError, KeyError, SyntaxError) as error:
        raise InputError(
            f"{file} must be Python with a function read(folder), which returns a RetrievalData, "
            f"and its files must be there, got {error!r}; docs/datasets.md has an example"
        ) from error
    if not isinstance(data, RetrievalData):
        raise InputError(f"read of {file} must return a RetrievalData, got {type(data).__name__}")
    return data
