"""Revisited Oxford and Paris: 70 queries each, on 4,993 and 6,322 pictures.

What is to be found is said image by image, not by labels (`hgld.metrics.revisited`). A query is the
part of its picture within a box.

Source: Radenovic, Iscen, Tolias, Avrithis, Chum: Revisiting Oxford and Paris: Large-Scale Image
Retrieval Benchmarking, CVPR 2018.
"""

import io
import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData, require_once
from hgld.errors import InputError
from hgld.metrics import GroundTruth

RevisitedName = Literal["roxford5k", "rparis6k", "roxford5k+1m", "rparis6k+1m"]
Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge, in pixels."""

_R1M = 1_001_001
"""Distractors of the official million."""
_KINDS = ("easy", "hard", "junk")
# What arrays and numbers of numpy are made of; lists, texts and dictionaries need no name.
_ALLOWED = {
    *(("builtins", name) for name in ("bytes", "set", "frozenset")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    *((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}
# What a file that is no pickle, or a damaged one, has been seen to raise.
_UNREADABLE = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError),
    *(ImportError, MemoryError, OverflowError),
)


class _PlainUnpickler(pickle.Unpickler):
    """Reads only plain data: a pickle can name any function, and it is called on reading."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the base class has it
        """Returns what makes arrays of numpy.

        Raises:
            UnpicklingError: anything else is named.
        """
        # Python 2 has another name of the built-ins.
        module = "builtins" if module == "__builtin__" else module
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no plain data")
        return super().find_class(module, name)


def read_revisited(folder: Path, name: RevisitedName) -> RetrievalData:
    """Reads Revisited Oxford or Paris.

    Args:
        folder: with `gnd_roxford5k.pkl` or `gnd_rparis6k.pkl`, and the pictures in `jpg/`.
        name: which; `+1m` with R1M, whose embeddings are given beside it.

    Returns:
        Queries and index, named as the file names them, without labels and with `truths`.

    Raises:
        InputError: the file cannot be read, names what is no plain data, lacks something, lists an
            image twice, or says of an image that there is not, or of one as two things, what it is.
    """
    of_pictures, _, with_million = name.partition("+")
    path, query = folder / f"gnd_{of_pictures}.pkl", ""
    content = _unpickled(path)
    try:
        names, queries = ([str(one) for one in content[key]] for key in ("imlist", "qimlist"))
        for images in (names, queries):
            require_once(path, "image", images)
        found = []
        for query, entry in zip(queries, content["gnd"], strict=True):  # noqa: B007 - the error names it
            found.append(_truth_and_box(entry, len(names)))
        truths, boxes = zip(*found, strict=True)
    except (LookupError, TypeError, ValueError) as error:
        at = f", query {query}," if query else ""
        raise InputError(
            f"{path}{at} must be as the official file has it, and reading it gives {error!r}; "
            f"fetch it again"
        ) from error
    return RetrievalData(
        name=name,
        folder=folder,
        levels=(),
        train=_images([]),
        queries=_images(queries),
        index=_images(names),
        truths=truths,
        boxes=boxes,
        distractor_count=_R1M if with_million else 0,
    )


def _unpickled(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        # The texts of Python 2 are bytes.
        return _PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (OSError, *_UNREADABLE) as error:
        raise InputError(
            f"{path} must be a pickle of plain data, and reading it gives {error!r}; put the "
            f"official file there, or name the folder that holds it"
        ) from error


def _truth_and_box(entry: Any, images: int) -> tuple[GroundTruth, Box]:  # noqa: ANN401 - whatever the file holds
    """Returns what a query has to find, and where in its picture it lies."""
    truth = GroundTruth.from_published({kind: list(entry[kind]) for kind in _KINDS})
    left, upper, right, lower = (float(edge) for edge in entry["bbx"])
    for place in (*truth.easy, *truth.hard, *truth.junk):
        if not 0 <= place < images:
            raise ValueError(f"image {place} is named, of {images:,} images")
    if not (-math.inf < left < right < math.inf and -math.inf < upper < lower < math.inf):
        raise ValueError(f"a box must have a width and a height, got {entry['bbx']}")
    return truth, (left, upper, right, lower)


def _images(names: Sequence[str]) -> pa.Table:
    paths = [f"jpg/{name}.jpg" for name in names]
    return pa.table([pa.array(one, pa.string()) for one in (names, paths)], ["image_id", "path"])
