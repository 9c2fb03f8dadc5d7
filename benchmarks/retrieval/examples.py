"""What a report shows of the pictures: which queries, and what is said of each picture.

The rule, so that nobody picks wins: the queries for which the leading metric is defined are sorted
by their change in it (by its value where nothing is compared), equal ones by image id, and those at
the quantiles 0, 1/4, 1/2, 3/4 and 1 are shown. Of the mistakes the most severe are shown, the
surest first.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps
from torch import Tensor

from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.retrieval.protocol import RETRIEVED, Protocol
from hgld.benchmarks.retrieval.results import Method
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.training.data.labels import LabelledImages

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
MISTAKES = 8
"""Shown of each method, at most."""
PICTURE_PX = 144
"""Side of a picture in the report: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What a method makes of the queries."""

    scores: list[float]
    """(Q,), the leading metric, NaN where undefined."""
    nearest: Tensor
    """(Q, k) int64, positions in the index, nearest first."""
    first: Tensor
    """(Q,) int64, the position of the first that is no junk."""
    similarity: list[float]
    """(Q,), of that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A query or a retrieved picture, in words."""

    image_id: str
    landmark: str
    """What its landmark, the finest level, is called."""
    labels: tuple[str, ...]
    """Of the coarser levels, finest first."""
    grade: int
    """How many levels it shares with the query: 0 is none, and the number of levels is the same
    landmark. Of Revisited Oxford and Paris: 0 is nothing to find, 1 junk, 2 hard, 3 easy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A query at whose first place stands what shares least with it."""

    query: Picture
    found: Picture
    missed_levels: int
    """Of Revisited Oxford and Paris 1: what is found is not to be found."""
    similarity: float
    """Of the two, their cosine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A query and what each method puts first."""

    query: Picture
    quantile: float
    """Where the query stands in the order of what is compared: 0 is the worst."""
    scores: dict[str, float]
    """By method, the leading metric."""
    retrieved: dict[str, list[Picture]]
    """By method, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """All that a report shows of the pictures."""

    queries: tuple[Example, ...] = ()
    """Ordered by the first trained method's change in the leading metric, or by a value of it."""
    mistakes: Mapping[str, Sequence[Mistake]]
    """By method: the most severe ones, of these the surest first."""

    @property
    def image_ids(self) -> set[str]:
        """Ids of the pictures that are shown."""
        shown = {example.query.image_id for example in self.queries}
        for example in self.queries:
            shown |= {one.image_id for found in example.retrieved.values() for one in found}
        for mistakes in self.mistakes.values():
            shown |= {one.image_id for two in mistakes for one in (two.query, two.found)}
        return shown

    def pictures(self, protocol: Protocol) -> dict[str, str]:
        """Returns every picture that is shown as a data URI, by its image id.

        Raises:
            DamagedError: one is gone, or is not what was recorded.
            PictureError: it cannot be decoded.
        """
        shown = self.image_ids
        # Twice what is shown: a JPEG is decoded no larger than that.
        found = {
            image_id: image_uri(
                decode_picture(
                    images.picture(number).read(), max_pixels=MOST_PIXELS, min_side=2 * PICTURE_PX
                )
            )
            for images in (protocol.queries, protocol.index)
            for number, image_id in enumerate(images.image_ids.to_pylist())
            if image_id in shown
        }
        if protocol.data is not None and protocol.data.boxes:
            # Of a query what is searched for, and not what lies around it.
            ids = protocol.queries.image_ids.to_pylist()
            crops = zip(ids, query_crops(protocol.data), strict=True)
            found |= {image_id: image_uri(crop) for image_id, crop in crops if image_id in shown}
        return found


def image_uri(image: Image.Image) -> str:
    """Returns an image as a small square JPEG in a data URI, cropped about its middle."""
    small = ImageOps.fit(image, (PICTURE_PX, PICTURE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def spread_queries(changes: Sequence[float], image_ids: Sequence[str]) -> dict[float, int]:
    """Chooses queries at fixed places of the order of their change.

    Args:
        changes: (Q,), NaN for a query that cannot be chosen.
        image_ids: (Q,), unique; they order equal changes.

    Returns:
        Quantile to the position of its query, worst change first; fewer than `QUANTILES` where
        there are fewer queries, each query once.

    Example:
        >>> spread_queries([0.2, -0.1, float("nan"), 0.2], ["b", "c", "d", "a"])
        {0.0: 1, 0.5: 3, 1.0: 0}
    """
    defined = [number for number, change in enumerate(changes) if not math.isnan(change)]
    order = sorted(defined, key=lambda number: (changes[number], image_ids[number]))
    chosen: dict[float, int] = {}
    if order:
        # With fewer queries than quantiles, the first, middle and last places come first.
        for quantile in sorted(QUANTILES, key=lambda value: (value not in {0.0, 0.5, 1.0}, value)):
            number = order[math.floor(quantile * (len(order) - 1) + 0.5)]
            if number not in chosen.values():
                chosen[quantile] = number
    return dict(sorted(chosen.items()))


def make_examples(protocol: Protocol, retrievals: Sequence[tuple[Method, Retrieval]]) -> Examples:
    """Puts together what each method retrieves for the queries that the rule chooses.

    Args:
        protocol: queries and index.
        retrievals: of each method, of the same queries and index. The first one that started
            from another orders the queries by its change, else the first one by its value.
    """
    queries, index = protocol.queries, protocol.index
    found = {method.name: one for method, one in retrievals}
    order = next(iter(found.values())).scores
    for method, _ in retrievals:
        if method.baseline:
            before, after = found[method.baseline].scores, found[method.name].scores
            order = [late - early for early, late in zip(before, after, strict=True)]
            break
    chosen = spread_queries(order, queries.image_ids.to_pylist())
    examples = []
    for quantile, number in chosen.items():
        grades = protocol.grades(number).tolist()
        retrieved = {
            name: [
                _picture(index, place, grades[place])
                for place in one.nearest[number, :RETRIEVED].tolist()
            ]
            for name, one in found.items()
        }
        examples.append(
            Example(
                query=_picture(queries, number, len(queries.levels)),
                quantile=quantile,
                scores={name: retrieval.scores[number] for name, retrieval in found.items()},
                retrieved=retrieved,
            )
        )
    mistakes = {name: make_mistakes(protocol, one) for name, one in found.items()}
    return Examples(queries=tuple(examples), mistakes=mistakes)


def make_mistakes(protocol: Protocol, retrieval: Retrieval) -> list[Mistake]:
    """Puts together the most severe mistakes of a method at rank 1.

    Args:
        protocol: queries and index.
        retrieval: of the method.

    Returns:
        Those that miss most levels, of these the surest first: of the highest similarity, equal
        ones by image id. A query that has nothing to find cannot miss it, and is none.
    """
    queries, first = protocol.queries, retrieval.first.tolist()
    ids = queries.image_ids.to_pylist()
    missed = protocol.missed(retrieval.first)
    wrong = [
        number
        for number, count in enumerate(missed)
        if count and not math.isnan(retrieval.scores[number])
    ]
    wrong.sort(key=lambda number: (-missed[number], -retrieval.similarity[number], ids[number]))
    return [
        Mistake(
            query=_picture(queries, number, len(queries.levels)),
            found=_picture(
                protocol.index, first[number], int(protocol.grades(number)[first[number]])
            ),
            missed_levels=missed[number],
            similarity=retrieval.similarity[number],
        )
        for number in wrong[:MISTAKES]
    ]


def _picture(images: LabelledImages, place: int, grade: int) -> Picture:
    image_id = str(images.image_ids[place])
    labels = [
        names[int(label)] for names, label in zip(images.names, images.labels[place], strict=True)
    ]
    # A number is no name: the level says what it is of.
    named = f"{images.levels[0].title} {labels[0]}" if labels and labels[0].isdigit() else ""
    return Picture(
        image_id=image_id,
        landmark=named or (labels[0] if labels else image_id),
        labels=tuple(label.strip() for label in labels[1:]),
        grade=grade,
    )
