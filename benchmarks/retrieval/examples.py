"""Which queries a report shows, and what is said of each picture.

The rule, so that nobody picks wins: the queries for which the leading metric is defined are sorted
by their change in it (by its value where nothing is compared), equal ones by image id, and those at
the quantiles 0, 1/4, 1/2, 3/4 and 1 are shown. Of the mistakes the most severe are shown, the
surest first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from hgld.benchmarks.pages import category_name
from hgld.benchmarks.retrieval.protocol import RETRIEVED, Protocol
from hgld.benchmarks.retrieval.results import Example, Mistake, Picture
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS
from hgld.training.data.labels import LabelledImages

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
MISTAKES = 8
"""Shown of each method, at most."""


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


def make_examples(
    protocol: Protocol,
    retrievals: Mapping[str, Retrieval],
    compared: tuple[str, str] | None,
) -> list[Example]:
    """Puts together what each method retrieves for the queries that the rule chooses.

    Args:
        protocol: queries and index.
        retrievals: by method, of the same queries and index.
        compared: names of two methods; the change between them orders the queries. None: the value
            of the first method does.

    Returns:
        The examples, the worst first.
    """
    queries, index = protocol.queries, protocol.index
    if compared is None:
        changes = next(iter(retrievals.values())).scores
    else:
        before, after = (retrievals[name].scores for name in compared)
        changes = [late - early for early, late in zip(before, after, strict=True)]
    chosen = spread_queries(changes, queries.image_ids.to_pylist())
    numbers = list(chosen.values())
    shown = {name: one.nearest[:, :RETRIEVED] for name, one in retrievals.items()}
    found = sorted({int(i) for one in shown.values() for i in one[numbers].flatten()})
    query_names = _landmark_names(protocol.build, queries, numbers)
    index_names = _landmark_names(protocol.build, index, found)
    examples = []
    for quantile, number in chosen.items():
        grades = protocol.grades(number).tolist()
        retrieved = {
            name: [
                _picture(index, place, index_names.get(place, ""), grades[place])
                for place in one[number].tolist()
            ]
            for name, one in shown.items()
        }
        examples.append(
            Example(
                query=_query_picture(protocol, number, query_names),
                quantile=quantile,
                scores={name: retrieval.scores[number] for name, retrieval in retrievals.items()},
                retrieved=retrieved,
            )
        )
    return examples


def make_mistakes(protocol: Protocol, retrieval: Retrieval) -> list[Mistake]:
    """Puts together the most severe mistakes of a method at rank 1.

    Args:
        protocol: queries and index.
        retrieval: of the method.

    Returns:
        Those that miss most levels, of these the surest first: of the highest similarity, equal
        ones by image id. A query that has nothing to find cannot miss it, and is none.
    """
    queries, index = protocol.queries, protocol.index
    first = retrieval.first.tolist()
    ids = queries.image_ids.to_pylist()
    missed = protocol.missed(retrieval.first)
    wrong = [
        number
        for number, count in enumerate(missed)
        if count and not math.isnan(retrieval.scores[number])
    ]
    wrong.sort(key=lambda number: (-missed[number], -retrieval.similarity[number], ids[number]))
    chosen = wrong[:MISTAKES]
    query_names = _landmark_names(protocol.build, queries, chosen)
    index_names = _landmark_names(protocol.build, index, [first[number] for number in chosen])
    mistakes = []
    for number in chosen:
        place = first[number]
        grade = int(protocol.grades(number)[place])
        mistakes.append(
            Mistake(
                query=_query_picture(protocol, number, query_names),
                found=_picture(index, place, index_names.get(place, ""), grade),
                missed_levels=missed[number],
                similarity=retrieval.similarity[number],
            )
        )
    return mistakes


def _query_picture(protocol: Protocol, number: int, names: Mapping[int, str]) -> Picture:
    levels = len(protocol.queries.levels)
    return _picture(protocol.queries, number, names.get(number, ""), levels)


def _picture(images: LabelledImages, place: int, landmark: str, grade: int) -> Picture:
    image_id = str(images.image_ids[place])
    labels = [
        names[int(label)] for names, label in zip(images.names, images.labels[place], strict=True)
    ]
    # A number is no name: the level says what it is of.
    named = f"{images.levels[0].title} {labels[0]}" if labels and labels[0].isdigit() else ""
    called = named or (labels[0] if labels else image_id)
    return Picture(
        image_id=image_id,
        landmark=landmark or called,
        labels=tuple(label.strip() for label in labels[1:]),
        grade=grade,
    )


def _landmark_names(
    build: Workspace | None, images: LabelledImages, places: Sequence[int]
) -> dict[int, str]:
    """Returns what the Commons category of each picture's landmark is called, empty if none is.

    Args:
        build: whose images these are; None of a data set, which names no categories.
        images: of the build.
        places: of the pictures.
    """
    if build is None:
        return {}
    ids = images.image_ids.take(pa.array(places, pa.int64()))
    rows = build.read(ANNOTATIONS[images.split], ["image_id", "category"])
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=ids))
    categories = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return {
        place: category_name(categories[image_id] or "")
        for place, image_id in zip(places, ids.to_pylist(), strict=True)
    }
