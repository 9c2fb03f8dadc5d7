"""Which queries a report shows, and what is said of each picture.

The rule, so that nobody picks wins: the queries with a defined H-AP are sorted by their change in
it (by H-AP itself where nothing is compared), equal ones by image id, and those at the quantiles 0,
1/4, 1/2, 3/4 and 1 are shown. Of the mistakes the most severe are shown, the surest first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from hgld.benchmarks.pages import category_name
from hgld.benchmarks.retrieval.results import Example, Mistake, Picture
from hgld.engine.workspace import Workspace
from hgld.metrics.relevance import shared_levels
from hgld.tables import ANNOTATIONS
from hgld.training.data.labels import LabelledImages

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
MISTAKES = 8
"""Shown of each method, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What a method makes of the queries."""

    h_ap: list[float]
    """(Q,), NaN where undefined."""
    nearest: Tensor
    """(Q, k) int64, positions in the index, nearest first."""
    similarity: list[float]
    """(Q,), of the nearest."""


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
    workspace: Workspace,
    queries: LabelledImages,
    index: LabelledImages,
    retrievals: Mapping[str, Retrieval],
    compared: tuple[str, str] | None,
) -> list[Example]:
    """Puts together what each method retrieves for the queries that the rule chooses.

    Args:
        workspace: the build, for the names of landmarks.
        queries: Q images.
        index: N images, in the label encoding of the queries.
        retrievals: by method.
        compared: the methods before and after; the change between them orders the queries. None:
            the H-AP of the first method does.

    Returns:
        The examples, the worst first.
    """
    if compared is None:
        changes = next(iter(retrievals.values())).h_ap
    else:
        before, after = (retrievals[name].h_ap for name in compared)
        changes = [late - early for early, late in zip(before, after, strict=True)]
    chosen = spread_queries(changes, queries.image_ids.to_pylist())
    numbers = list(chosen.values())
    found = sorted(
        {int(i) for retrieval in retrievals.values() for i in retrieval.nearest[numbers].flatten()}
    )
    query_names = _landmark_names(workspace, queries, numbers)
    index_names = _landmark_names(workspace, index, found)
    shared = shared_levels(queries.labels[numbers], index.labels)  # (chosen, N)
    examples = []
    for row, (quantile, number) in enumerate(chosen.items()):
        levels = shared[row].tolist()
        retrieved = {
            name: [
                _picture(index, place, index_names[place], levels[place])
                for place in retrieval.nearest[number].tolist()
            ]
            for name, retrieval in retrievals.items()
        }
        examples.append(
            Example(
                query=_picture(queries, number, query_names[number], queries.labels.shape[1]),
                quantile=quantile,
                h_ap={name: retrieval.h_ap[number] for name, retrieval in retrievals.items()},
                retrieved=retrieved,
            )
        )
    return examples


def make_mistakes(
    workspace: Workspace, queries: LabelledImages, index: LabelledImages, retrieval: Retrieval
) -> list[Mistake]:
    """Puts together the most severe mistakes of a method at rank 1.

    Args:
        workspace: the build, for the names of landmarks.
        queries: Q images.
        index: N images, in the label encoding of the queries.
        retrieval: of the method.

    Returns:
        Those that miss most levels, of these the surest first: of the highest similarity, equal
        ones by image id. A query that has nothing to find cannot miss it, and is none.
    """
    levels = queries.labels.shape[1]
    first = retrieval.nearest[:, 0].tolist()
    ids = queries.image_ids.to_pylist()
    missed = [levels - shared for shared in first_shared_levels(queries, index, retrieval)]
    wrong = [
        number
        for number, count in enumerate(missed)
        if count and not math.isnan(retrieval.h_ap[number])
    ]
    wrong.sort(key=lambda number: (-missed[number], -retrieval.similarity[number], ids[number]))
    chosen = wrong[:MISTAKES]
    query_names = _landmark_names(workspace, queries, chosen)
    index_names = _landmark_names(workspace, index, [first[number] for number in chosen])
    return [
        Mistake(
            query=_picture(queries, number, query_names[number], levels),
            found=_picture(
                index, first[number], index_names[first[number]], levels - missed[number]
            ),
            missed_levels=missed[number],
            similarity=retrieval.similarity[number],
        )
        for number in chosen
    ]


def first_shared_levels(
    queries: LabelledImages, index: LabelledImages, retrieval: Retrieval
) -> list[int]:
    """Returns how many levels each query shares with what comes first, (Q,)."""
    is_same = queries.labels == index.labels[retrieval.nearest[:, 0]]  # (Q, L), finest first
    # From the coarsest on, a level counts only if all coarser ones are shared.
    shared: list[int] = is_same.flip(1).cumprod(dim=1).sum(dim=1).tolist()
    return shared


def _picture(images: LabelledImages, place: int, landmark: str, shared: int) -> Picture:
    finest, *coarser = (
        names[int(label)] for names, label in zip(images.names, images.labels[place], strict=True)
    )
    return Picture(
        image_id=str(images.image_ids[place]),
        landmark=landmark or f"{images.levels[0].title} {finest}",
        labels=tuple(label.strip() for label in coarser),
        shared_levels=shared,
    )


def _landmark_names(
    workspace: Workspace, images: LabelledImages, places: Sequence[int]
) -> dict[int, str]:
    """Returns what the Commons category of each picture's landmark is called, empty if none is."""
    ids = images.image_ids.take(pa.array(places, pa.int64()))
    rows = workspace.read(ANNOTATIONS[images.split], ["image_id", "category"])
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=ids))
    categories = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return {
        place: category_name(categories[image_id] or "")
        for place, image_id in zip(places, ids.to_pylist(), strict=True)
    }
