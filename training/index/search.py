"""Exact search: the pictures of an index that are nearest to some pictures, with their labels."""

import base64
import contextlib
import io
import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow.compute as pc
import torch
from PIL import Image
from torch import Tensor

from hgld.engine.progress import progress
from hgld.errors import DamagedError, HgldError, InputError, PictureError
from hgld.loading.labelled import LabelledSplit
from hgld.loading.sources import load
from hgld.metrics.similarity import (
    BLOCK_COLUMNS,
    Ids,
    check_embeddings,
    descending_bits,
    from_descending_bits,
    full_precision,
    own_positions,
    similarity_blocks,
)
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.plots.pages import page_template
from hgld.tables import ANNOTATIONS
from hgld.training.index.folder import EmbeddedIndex
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model, model_digest

logger = logging.getLogger(__name__)

_MOST_ROWS = 256  # more queries at a time gain nothing
_KEY_BYTES = 1 << 26  # for the candidates of the queries searched for at a time
_POSITION_BITS = 32
_LAST = torch.iinfo(torch.int64).max  # sorts behind every item
_CHUNK_BYTES = 64 << 20
"""Of the array, to search at a time, so that memory does not grow with the index."""
_LEVELS = ANNOTATIONS["index"].levels
LEVEL_TITLES = tuple(level.title for level in _LEVELS)
"""Of the levels, finest first, for readers."""
_CATEGORY = "Category:"
_SIDE = 320
"""Pixels of the longer side of a picture: sharp at the size it is shown on a dense screen."""
_QUALITY = 78


class Neighbours(NamedTuple):
    """The best k items of each query, best first."""

    values: Tensor
    """(Q, k) float32 similarities."""
    indices: Tensor
    """(Q, k) int64 positions in the index."""


@torch.no_grad()
def top_k(
    query_embeddings: Tensor,
    index_embeddings: Tensor,
    k: int,
    *,
    query_ids: Ids | None = None,
    index_ids: Ids | None = None,
    first: Tensor | None = None,
) -> Neighbours:
    """Finds the k index items with the highest inner product for each query.

    Exact in single precision, and the same on every run: equal similarities are ordered by position
    in the index. A query that is itself in the index is left out of its own list by its id. Runs on
    the device of the queries, to which the index is moved in blocks; beyond the arguments it takes
    about 100 MB and 16 Q k bytes.

    Args:
        query_embeddings: (Q, D) floating point, of unit length for cosine similarity.
        index_embeddings: (N, D) floating point.
        k: how many items to find, 1 to N (one less where a query is in the index).
        query_ids: Q unique ids, integers or strings; None: no query is in the index.
        index_ids: N unique ids of the same kind; None as above.
        first: (Q, m) positions that another ranking puts first (`similarity_blocks`).

    Returns:
        (Q, k) similarities and (Q, k) positions in the index, best first.

    Raises:
        TypeError: embeddings that are no tensors, or not floating point.
        ValueError: shapes or ids that do not fit, a value that is not finite, or fewer than k items
            to find.

    Example:
        >>> index = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> top_k(index[:1], index, 2).indices.tolist()
        [[0, 2]]
        >>> top_k(index[:1], index, 2, query_ids=["a"], index_ids=["a", "b", "c"]).indices.tolist()
        [[2, 1]]
    """
    check_embeddings(query_embeddings, index_embeddings)
    own = own_positions(query_ids, index_ids, len(query_embeddings), len(index_embeddings))
    available = len(index_embeddings) - int(bool((own >= 0).any()))
    if not 1 <= k <= available:
        raise ValueError(
            f"k must be between 1 and the items that a query can find ({available}), got {k}; "
            "ask for fewer"
        )
    queries, own = query_embeddings.float(), own.to(query_embeddings.device)
    count = max(1, min(_MOST_ROWS, _KEY_BYTES // (16 * (k + BLOCK_COLUMNS))))
    with full_precision():
        found = [
            _best(
                *(queries[start : start + count], index_embeddings, own[start : start + count], k),
                first=None if first is None else first[start : start + count],
            )
            for start in range(0, max(1, len(queries)), count)
        ]
    return Neighbours(*map(torch.cat, zip(*found, strict=True)))


def _best(
    queries: Tensor, index: Tensor, own: Tensor, k: int, *, first: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sorts by one integer of similarity and position, so that nothing ties."""
    rows = len(queries)
    # The best k so far, then room for at least as many new ones.
    width = k + BLOCK_COLUMNS * math.ceil(k / BLOCK_COLUMNS)
    keys = queries.new_full((rows, width), _LAST, dtype=torch.int64)
    scratch = queries.new_empty((rows, BLOCK_COLUMNS), dtype=torch.int32)
    filled = k
    for start, similarities in similarity_blocks(queries, index, first):
        count = similarities.shape[1]
        if filled + count > width:
            filled = _keep_smallest(keys[:, :filled], k)
        key = keys[:, filled : filled + count]
        key.copy_(descending_bits(similarities, scratch[:, :count]))
        key.bitwise_left_shift_(_POSITION_BITS)
        key |= torch.arange(start, start + count, device=key.device)
        inside = ((own >= start) & (own < start + count)).nonzero().squeeze(1)
        key[inside, own[inside] - start] = _LAST
        filled += count
    _keep_smallest(keys[:, :filled], k)
    best = keys[:, :k].sort(dim=1).values
    values = from_descending_bits((best >> _POSITION_BITS).to(torch.int32))
    return values, best & ((1 << _POSITION_BITS) - 1)


def _keep_smallest(keys: Tensor, k: int) -> int:
    """Brings the k smallest keys of each row to its front, in any order; returns k."""
    if keys.device.type == "cpu":
        keys.numpy().partition(k - 1, axis=1)  # vectorised: five times faster than topk
    else:
        keys[:, :k] = keys.topk(k, largest=False, sorted=False).values
    return k


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLabels:
    """The labels of a picture."""

    names: tuple[str, ...]
    """Of each level, finest first; a landmark has the name of its category, if any."""
    landmark_id: int
    split: str

    def shared_with(self, other: "PictureLabels") -> str:
        """Returns in words the finest level at which both are the same, or an empty text."""
        # Landmark ids of train are others than those of index and test.
        is_one_space = (self.split == "train") == (other.split == "train")
        same = [
            is_one_space and self.landmark_id == other.landmark_id,
            *(one == two for one, two in zip(self.names[1:], other.names[1:], strict=True)),
        ]
        shared = (level.shared for level, is_same in zip(_LEVELS, same, strict=True) if is_same)
        return next(shared, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPicture:
    """A picture of the index."""

    rank: int
    similarity: float
    image_id: str
    file: Path
    labels: PictureLabels | None
    """None: the build has no annotation of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPictures:
    """A picture that was searched with, and the nearest ones, best first."""

    query: Path
    query_labels: PictureLabels | None
    found: tuple[FoundPicture, ...]

    def commonest(self) -> list[tuple[str, str, int]]:
        """Returns title, commonest label and its count, by level, finest first.

        Empty if none of the found pictures has labels.
        """
        known = [one.labels.names for one in self.found if one.labels is not None]
        counts = [Counter(names).most_common(1)[0] for names in zip(*known, strict=True)]
        return [(title, *count) for title, count in zip(LEVEL_TITLES, counts, strict=False)]


def search_pictures(
    index: EmbeddedIndex,
    pictures: Sequence[Path],
    k: int,
    *,
    run: Path,
    root: Path,
    device: str = "auto",
) -> list[FoundPictures]:
    """Finds the nearest pictures of an index.

    Args:
        index: which one.
        pictures: Q files to search with.
        k: how many to find for each; fewer if the index has fewer.
        run: folder or file of the model that the index was made with.
        root: a build or release with the labels of the pictures that it has.
        device: where the model runs.

    Returns:
        The nearest pictures of each of the Q.

    Raises:
        InputError: another model, an empty index, or a picture that cannot be read.
        DamagedError: a file of the index changed since it was written.
    """
    if k < 1:
        raise InputError(f"-k must be 1 or more, got {k}")
    if not len(index):
        raise InputError(f"{index.folder} has no embedding of a picture; {index.again()}")
    origin, model = index.origin, load_model(run)
    if (digest := model_digest(model)) != origin.model:
        what = f"{index.folder} was made with another model ({origin.model[:12]}) than {run} is now"
        mend = f"{index.again()}, or name the run that still has that model with --run"
        raise InputError(f"{what} ({digest[:12]}); {mend}")
    queries = embed_images(
        model,
        list(pictures),
        image_size=origin.image_size,
        precision=origin.precision,
        device=device,
    )
    near = nearest_in(index, queries, min(k, len(index)))
    names = index.pictures_at({*near.indices.flatten().tolist()})
    labels = labels_of(root, [image_id for image_id, _ in names.values()], origin.split)
    of_queries = labels_of(root, [path.name for path in pictures])
    folder = root if origin.split else Path(origin.source)
    return [
        FoundPictures(
            query=query,
            query_labels=of_queries.get(query.name),
            found=tuple(
                FoundPicture(
                    rank=rank,
                    similarity=similarity,
                    image_id=names[place][0],
                    file=folder / names[place][1],
                    labels=labels.get(names[place][0]),
                )
                for rank, (place, similarity) in enumerate(zip(places, values, strict=True), 1)
            ),
        )
        for query, places, values in zip(
            pictures, near.indices.tolist(), near.values.tolist(), strict=True
        )
    ]


def nearest_in(index: EmbeddedIndex, queries: Tensor, k: int) -> Neighbours:
    """Finds the k rows of an index's array that are nearest to each query, as `top_k` does.

    Args:
        index: of N pictures.
        queries: (Q, D) float32.
        k: from 1 to N.

    Returns:
        (Q, k) similarities and positions in the array, best first.

    Raises:
        DamagedError: the array changed since it was written.
    """
    vectors, rows = index.vectors(), max(1, _CHUNK_BYTES // (index.origin.dimensions * 4))
    parts = []
    with progress("search", len(index)) as advance:
        for start in range(0, len(index), rows):
            part = torch.from_numpy(vectors[start : start + rows])
            try:
                found = top_k(queries, part, min(k, len(part)))
            except ValueError as error:  # a value that is not finite
                what = f"{index.folder} is damaged ({error})"
                raise DamagedError(f"{what}; {index.again()}") from error
            parts.append((found.values, found.indices + start))
            advance(len(part))
    values, indices = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))
    # Stable: of equal ones the first of the index stays first.
    order = values.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return Neighbours(values.gather(1, order), indices.gather(1, order))


def labels_of(root: Path, image_ids: Collection[str], split: str = "") -> dict[str, PictureLabels]:
    """Looks pictures up in the annotations of a build or release.

    Args:
        root: the folder; without annotations, or with damaged ones, it knows no picture.
        image_ids: of GLDv2, or paths of files that are named after them.
        split: where to look; empty: in all splits.

    Returns:
        The labels of the ids or paths that are annotated.
    """
    by_id: dict[str, list[str]] = {}
    for name in image_ids:
        by_id.setdefault(name if split else PurePosixPath(name).stem, []).append(name)
    columns = ["image_id", "category", *(level.column for level in _LEVELS)]
    found: dict[str, PictureLabels] = {}
    try:
        for part, rows in _annotations(root).items():
            if part == split or not split:
                chosen = rows.where(pc.field("image_id").isin(list(by_id)))
                for row in chosen.to_arrow(columns).to_pylist():
                    found |= dict.fromkeys(by_id[row["image_id"]], _labels(row, part))
    except HgldError as error:
        logger.warning("%s; its labels are left out", error)
    return found


def _annotations(root: Path) -> Mapping[str, LabelledSplit]:
    for origin in ("all", "classes"):  # all are refused where none is filled
        with contextlib.suppress(InputError):
            return load(root, labels=origin).splits
    return {}


def _labels(row: Mapping[str, object], split: str) -> PictureLabels:
    landmark, *coarser = (str(row[level.column]) for level in _LEVELS)
    _, is_category, title = str(row["category"]).rpartition(_CATEGORY)
    name = unquote(title).replace("_", " ") if is_category else f"landmark {landmark}"
    return PictureLabels(names=(name, *coarser), landmark_id=int(landmark), split=split)


def search_page(index: EmbeddedIndex, searches: Sequence[FoundPictures]) -> str:
    """Returns the page of some searches; a picture whose file is gone by now is a frame."""
    files = {found.file for one in searches for found in one.found}
    files |= {one.query for one in searches}
    return page_template("hgld.training.index", "search.html.j2").render(
        index=index,
        searches=searches,
        titles=LEVEL_TITLES,
        pictures={file: _shown(file) for file in sorted(files)},
    )


def _shown(file: Path) -> tuple[str, str]:
    """Returns a small JPEG in a data URI, or an empty text and why there is none."""
    try:
        image = decode_picture(file.read_bytes(), max_pixels=MOST_PIXELS, min_side=_SIDE)
    except (OSError, PictureError) as error:
        return "", str(getattr(error, "strerror", None) or error).lower()
    image.thumbnail((_SIDE, _SIDE))
    return jpeg_uri(image, _QUALITY), ""


def jpeg_uri(image: Image.Image, quality: int) -> str:
    """Returns an image as a JPEG in a data URI."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
