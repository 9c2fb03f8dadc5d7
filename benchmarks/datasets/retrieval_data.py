"""What a data set of retrieval is: images with a label a level, in the roles they have.

A function a data set reads its official files into this form; nothing that measures knows any of
these files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hgld.engine.dataset import Level
from hgld.metrics import GroundTruth


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
    truths: tuple[GroundTruth, ...] = ()
    """Of each query, of Revisited Oxford and Paris."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Left, upper, right and lower edge, in pixels, of what is searched for in each query's
    picture; none: the whole pictures."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Images of queries and index that the files name and that take no part, by reason."""
