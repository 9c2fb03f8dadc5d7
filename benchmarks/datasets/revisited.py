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

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.datasets.rows import require_once, require_some
from hgld.errors import InputError
from hgld.metrics import GroundTruth

RevisitedName = Literal["roxford5k", "rparis6k"]

_KINDS = ("easy", "hard", "junk")
_EDGES = 4
# What arrays and numbers of numpy are made of; lists, texts and dictionaries need no name.
_ALLOWED = frozenset(
    {
        *(("builtins", name) for name in ("bytes", "set", "frozenset")),
        ("_codecs", "encode"),
        *(
            (module, name)
            for place in ("numpy.core", "numpy._core")
            for module, name in (
                (f"{place}.multiarray", "_reconstruct"),
                (f"{place}.multiarray", "scalar"),
                (f"{place}.numeric", "_frombuffer"),
            )
        ),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
)
# What a file that is no pickle, or a damaged one, has been seen to raise.
_UNREADABLE = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError),
    *(ImportError, MemoryError, OverflowError),
)


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain data alone: a pickle can name any function, and it is called on reading."""

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
        name: which.

    Returns:
        Queries and index, named as the file names them, without labels and with `truths`.

    Raises:
        InputError: the file cannot be read, names what is no plain data, lacks something, lists an
            image twice, or says of an image that there is not, or of one as two things, what it is.
    """
    path = folder / f"gnd_{name}.pkl"
    content = _unpickled(path)
    keys = ("imlist", "qimlist", "gnd")
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise InputError(f"{path} must have {', '.join(keys)}, and lacks {', '.join(missing)}")
    names, query_names, entries = (list(content[key]) for key in keys)
    for images in (names, query_names):
        require_some(path, images)
        require_once(path, "image", map(str, images))
    if len(entries) != len(query_names):
        raise InputError(
            f"{path} must say of each of its {len(query_names)} queries what is to be found, got "
            f"{len(entries)}; fetch the file again"
        )
    queries = list(zip(query_names, entries, strict=True))
    return RetrievalData(
        name=name,
        folder=folder,
        levels=(),
        train=_images([]),
        queries=_images(query_names),
        index=_images(names),
        truths=tuple(_truth(path, query, entry, len(names)) for query, entry in queries),
        boxes=tuple(_box(path, query, entry) for query, entry in queries),
    )


def _unpickled(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; put the official file there, or name the "
            f"folder that holds it"
        ) from error
    require_some(path, content)
    try:
        # The texts of Python 2 are bytes.
        return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except _UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as a pickle of plain data ({error}); fetch the official file "
            f"again"
        ) from error


def _truth(path: Path, query: str, entry: Any, images: int) -> GroundTruth:  # noqa: ANN401
    missing = [
        kind for kind in ("bbx", *_KINDS) if not isinstance(entry, dict) or kind not in entry
    ]
    if missing:
        raise InputError(f"{path}: query {query} lacks {', '.join(missing)}; fetch the file again")
    try:
        truth = GroundTruth.from_published({kind: list(entry[kind]) for kind in _KINDS})
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: query {query}: {error}") from error
    outside = [one for one in (*truth.easy, *truth.hard, *truth.junk) if not 0 <= one < images]
    if outside:
        raise InputError(
            f"{path}: query {query} must name images of its {images:,}, got position {outside[0]}; "
            f"fetch the file again"
        )
    return truth


def _box(path: Path, query: str, entry: Any) -> tuple[float, float, float, float]:  # noqa: ANN401
    try:
        edges = [float(edge) for edge in entry["bbx"]]
    except (ValueError, TypeError):
        edges = []
    if (
        len(edges) != _EDGES
        or not all(map(math.isfinite, edges))
        or not (edges[0] < edges[2] and edges[1] < edges[3])
    ):
        raise InputError(
            f"{path}: query {query} must have a box of left, upper, right and lower edge, got "
            f"{str(entry['bbx'])[:60]}; fetch the file again"
        )
    return edges[0], edges[1], edges[2], edges[3]


def _images(names: Sequence[str]) -> pa.Table:
    return pa.table(
        {
            "image_id": pa.array(map(str, names), pa.string()),
            "path": pa.array([f"jpg/{name}.jpg" for name in names], pa.string()),
        }
    )
