"""`hgld search`: the pictures of an index that are nearest to some pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.training.index.embeddings import model_digest
from hgld.training.index.finding.hierarchy import LEVEL_TITLES, PictureLabels, labels_of
from hgld.training.index.folder import EmbeddedIndex
from hgld.training.index.search import Neighbours, top_k
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model

if TYPE_CHECKING:
    from hgld.training.model.config import Precision

_CHUNK_BYTES = 64 << 20
"""Of the array that are looked at together: memory does not grow with the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPicture:
    """A picture of the index."""

    rank: int
    similarity: float
    image_id: str
    file: Path
    labels: PictureLabels | None
    """None: no annotation of the build knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPictures:
    """A picture that was searched with, and the nearest ones, best first."""

    query: Path
    query_labels: PictureLabels | None
    found: tuple[FoundPicture, ...]

    def commonest(self) -> list[tuple[str, str, int]]:
        """Returns title, commonest label and how many have it, by level, finest first.

        Nothing where no picture that was found has labels.
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
        k: how many to find of each; fewer where the index has fewer.
        run: folder or file of the model that the index was made with.
        root: a build, whose annotations say what the pictures are, where they know them.
        device: where the model runs.

    Returns:
        Q times the nearest pictures.

    Raises:
        InputError: another model, no pictures in the index, or one to search with that cannot be
            read.
        DamagedError: a file of the index is not as it was written.
    """
    if k < 1:
        raise InputError(f"-k must be 1 or more, got {k}")
    if not len(index):
        raise InputError(f"{index.folder} has no embedding of a picture; {index.again()}")
    model = load_model(run)
    require_model(index, model, run)
    precision = cast("Precision", index.precision)
    queries = embed_images(
        model, list(pictures), image_size=index.image_size, precision=precision, device=device
    )
    near = nearest_in(index, queries, min(k, len(index)))
    places = sorted({int(place) for place in near.indices.flatten()})
    names = {place: index.picture_at(place) for place in places}
    workspace = Workspace(root)
    labels = labels_of(workspace, [image_id for image_id, _ in names.values()], index.split)
    of_queries = labels_of(workspace, [path.name for path in pictures])
    return [
        FoundPictures(
            query=query,
            query_labels=of_queries.get(query.name),
            found=tuple(
                _found(index, names[place], rank, similarity, labels, root)
                for rank, (place, similarity) in enumerate(row, start=1)
            ),
        )
        for query, row in zip(pictures, _pairs(near), strict=True)
    ]


def nearest_in(index: EmbeddedIndex, queries: Tensor, k: int) -> Neighbours:
    """Finds the k rows of an index's array that are nearest to each query.

    Exact, as `top_k`; a part of the array after the other, so that memory stays bounded.

    Args:
        index: of N pictures.
        queries: (Q, D) float32.
        k: from 1 to N.

    Returns:
        (Q, k) similarities and positions in the array, best first.

    Raises:
        DamagedError: the array is not as it was written.
    """
    rows = max(1, _CHUNK_BYTES // (index.dimensions * 4))
    best = Neighbours(torch.empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.int64))
    with progress("search", len(index)) as advance:
        for start in range(0, len(index), rows):
            part = torch.from_numpy(index.vectors(start, min(start + rows, len(index))))
            try:
                found = top_k(queries, part, min(k, len(part)))
            except ValueError as error:  # a value that is not finite
                raise DamagedError(
                    f"{index.folder} is damaged ({error}); {index.again()}"
                ) from error
            best = _better(best, Neighbours(found.values, found.indices + start), k)
            advance(len(part))
    return best


def require_model(index: EmbeddedIndex, model: EmbeddingModel, run: Path) -> None:
    """Refuses to search an index with another model than it was made with.

    Raises:
        InputError: it is another one.
    """
    digest = model_digest(model)
    if digest != index.model:
        raise InputError(
            f"{index.folder} was made with another model ({index.model[:12]}) than {run} is now "
            f"({digest[:12]}); {index.again()}, or name the run that still has that model by --run"
        )


def _better(one: Neighbours, other: Neighbours, k: int) -> Neighbours:
    """Returns the best k of two; of equal ones those of the first come first."""
    values = torch.cat([one.values, other.values], dim=1)
    indices = torch.cat([one.indices, other.indices], dim=1)
    values, order = values.sort(dim=1, descending=True, stable=True)
    return Neighbours(values[:, :k], indices.gather(1, order[:, :k]))


def _pairs(near: Neighbours) -> list[list[tuple[int, float]]]:
    return [
        list(zip(places, values, strict=True))
        for places, values in zip(near.indices.tolist(), near.values.tolist(), strict=True)
    ]


def _found(
    index: EmbeddedIndex,
    name: tuple[str, str],
    rank: int,
    similarity: float,
    labels: dict[str, PictureLabels],
    root: Path,
) -> FoundPicture:
    image_id, path = name
    return FoundPicture(
        rank=rank,
        similarity=similarity,
        image_id=image_id,
        file=(root if index.split else index.source) / path,
        labels=labels.get(image_id),
    )
