"""What a few held-out queries find, as a page shows it: small pictures, right or wrong by level."""

import hashlib
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps

from hgld.metrics import shared_levels
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.training.data.labels import LabelledImages
from hgld.training.index.page import jpeg_uri
from hgld.training.index.search import top_k
from hgld.training.watching.validation import Validation

THUMBNAIL_PX = 128
"""Side of a picture: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 70
_ROWS = 4
_FOUND = 6


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


def retrieved_rows(validation: Validation, images: LabelledImages) -> list[RetrievedRow]:
    """Shows what some of the validation's queries find.

    The queries are the same at every validation of a run, and nobody picks them: of images that
    share a landmark with another one, each of another landmark, those whose image ids have the
    lowest digests.

    Args:
        validation: of the images.
        images: the held-out ones.

    Returns:
        Four rows of six pictures; fewer where there are fewer queries.

    Raises:
        DamagedError: a picture is not what was recorded.
        PictureError: it cannot be decoded.
    """
    queries = _queries(images)
    if not queries:
        return []
    ids = torch.arange(len(images))
    nearest = top_k(
        *(validation.embeddings[queries], validation.embeddings, min(_FOUND, len(images) - 1)),
        query_ids=ids[queries],
        index_ids=ids,
    ).indices
    shared = shared_levels(images.labels[queries], images.labels)  # (rows, m)
    levels = tuple(level.title for level in images.levels)
    return [
        RetrievedRow(
            levels=levels,
            query=_picture(images, query, len(levels)),
            h_ap=float(validation.h_ap[query]),
            found=tuple(_picture(images, at, int(shared[row, at])) for at in found),
        )
        for row, (query, found) in enumerate(zip(queries, nearest.tolist(), strict=True))
    ]


def _queries(images: LabelledImages) -> list[int]:
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
    return list(chosen.values())[:_ROWS]


def _picture(images: LabelledImages, at: int, shared: int) -> RetrievedPicture:
    landmark, *coarser = (
        names[label] for names, label in zip(images.names, images.labels[at].tolist(), strict=True)
    )
    levels, side = 1 + len(coarser), THUMBNAIL_PX
    # Twice what is shown: a JPEG is decoded no larger than that.
    image = decode_picture(images.picture(at).read(), max_pixels=MOST_PIXELS, min_side=2 * side)
    small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    return RetrievedPicture(
        uri=jpeg_uri(small, _JPEG_QUALITY),
        image_id=str(images.image_ids[at]),
        labels=(f"{images.levels[0].title} {landmark}", *(label.strip() for label in coarser)),
        # Shared levels are counted from the coarsest.
        shares=tuple(level >= levels - shared for level in range(levels)),
    )
