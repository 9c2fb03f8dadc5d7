"""What a few held-out queries find, as a page shows it: small pictures, right or wrong by level."""

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hgld.metrics import shared_levels
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture
from hgld.training.data.labels import LabelledImages
from hgld.training.index.search import top_k
from hgld.training.watching.validation import Validation

THUMBNAIL_PX = 128
"""Side of a picture: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedPicture:
    """A picture of a row."""

    uri: str
    """A small JPEG, in a data URI."""
    image_id: str
    labels: tuple[str, ...]
    """Its labels, finest first."""
    shares: tuple[bool, ...]
    """Whether it shares each of them, and all coarser ones, with the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedRow:
    """A query and what it finds."""

    levels: tuple[str, ...]
    """Titles of the L levels, finest first."""
    query: RetrievedPicture
    h_ap: float
    """Of the query, NaN where it has nothing to find."""
    found: tuple[RetrievedPicture, ...]
    """The nearest first."""


def retrieved_rows(
    validation: Validation,
    images: LabelledImages,
    *,
    rows: int = 4,
    k: int = 6,
    landmark_names: Mapping[str, str] | None = None,
) -> list[RetrievedRow]:
    """Shows what some of the validation's queries find.

    The queries are the same at every validation of a run, and nobody picks them: of images that
    share a landmark with another one, each of another landmark, those whose image ids have the
    lowest digests.

    Args:
        validation: of the images.
        images: the held-out ones.
        rows: how many queries.
        k: how many images of each.
        landmark_names: what landmarks are called, by id; one that is not in it is shown by its id.

    Returns:
        The rows; fewer where there are fewer queries.

    Raises:
        DamagedError: a picture is not what was recorded.
        PictureError: it cannot be decoded.
    """
    queries = _queries(images, rows)
    if not queries:
        return []
    ids = torch.arange(len(images))
    nearest = top_k(
        *(validation.embeddings[queries], validation.embeddings, min(k, len(images) - 1)),
        query_ids=ids[queries],
        index_ids=ids,
    ).indices
    shared = shared_levels(images.labels[queries], images.labels)  # (rows, m)
    levels = tuple(level.title for level in images.levels)
    called = landmark_names or {}
    return [
        RetrievedRow(
            levels=levels,
            query=_picture(images, query, len(levels), called),
            h_ap=float(validation.h_ap[query]),
            found=tuple(_picture(images, at, int(shared[row, at]), called) for at in found),
        )
        for row, (query, found) in enumerate(zip(queries, nearest.tolist(), strict=True))
    ]


def _queries(images: LabelledImages, rows: int) -> list[int]:
    """Returns the positions of the queries that are shown."""
    counts = torch.bincount(images.labels[:, 0])
    has_other = counts[images.labels[:, 0]] > 1
    order = sorted(
        has_other.nonzero().squeeze(1).tolist(),
        key=lambda at: hashlib.sha256(str(images.image_ids[at]).encode()).digest(),
    )
    chosen: dict[int, int] = {}
    for at in order:
        chosen.setdefault(int(images.labels[at, 0]), at)
    return list(chosen.values())[:rows]


def _picture(
    images: LabelledImages, at: int, shared: int, called: Mapping[str, str]
) -> RetrievedPicture:
    landmark, *coarser = (
        names[label] for names, label in zip(images.names, images.labels[at].tolist(), strict=True)
    )
    levels = 1 + len(coarser)
    return RetrievedPicture(
        uri=_thumbnail(images.picture(at)),
        image_id=str(images.image_ids[at]),
        labels=(
            called.get(landmark) or f"{images.levels[0].title} {landmark}",
            *(label.strip() for label in coarser),
        ),
        # Shared levels are counted from the coarsest.
        shares=tuple(level >= levels - shared for level in range(levels)),
    )


def _thumbnail(picture: PictureFile) -> str:
    """Returns a picture as a small square JPEG in a data URI, cropped about its middle."""
    from PIL import Image, ImageOps

    image = decode_picture(picture.read(), max_pixels=MOST_PIXELS, min_side=2 * THUMBNAIL_PX)
    small = ImageOps.fit(image, (THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
