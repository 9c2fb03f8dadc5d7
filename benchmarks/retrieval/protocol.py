"""What every method is measured on: which images search which, and what there is to find.

A build's test images against its index images, or a data set by its own rule. Every query is
compared with the whole index by cosine similarity; where each searches all others, it is left out
of its own list.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.pictures import labelled_images
from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.retrieval.results import Metric, bounds_of, shown_level, shown_metrics
from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.fills.lexicon import name_of_category
from hgld.metrics import Evaluation, EvaluationSettings, evaluate, evaluate_revisited
from hgld.metrics.evaluation import DEFAULT_SETTINGS
from hgld.metrics.relevance import UNKNOWN, has_unknown, shared_levels
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, OWN_HIERARCHY, PARTIAL, of_split
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.index.search import top_k

RETRIEVED = 8
"""Pictures that an example shows of each method."""
_JUNK, _HARD, _EASY = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Ranking:
    """A way to rank the index for every query."""

    queries: Tensor
    """(Q, D)"""
    index: Tensor
    """(N, D)"""
    first: Tensor | None = None
    """(Q, m) positions that come first; those of distractors follow those of the index."""
    label: str = ""
    """Empty: by the embeddings as they are."""
    description: str = "by the embeddings as they are"


@dataclass(frozen=True, kw_only=True)  # without slots, since what follows from it is kept
class Protocol:
    """Queries, index, and what there is to find."""

    queries: LabelledImages
    """Q images."""
    index: LabelledImages
    """N images, in the label encoding of the queries."""
    build: Workspace | None = None
    """Whose images these are; None of a data set."""
    hierarchy: str = "kind"
    """Of a build's levels."""
    data: RetrievalData | None = None
    """The data set; None of a build."""
    distractors: int = 0
    """How many items stand beside the index that share nothing with any query."""

    @property
    def is_one_set(self) -> bool:
        """Says whether each query searches all others."""
        return self.data is not None and self.data.is_one_set

    @property
    def recall_at(self) -> tuple[int, ...]:
        """The k of R@k that are shown."""
        return self.data.recall_at if self.data else (1, 10)

    @cached_property
    def metrics(self) -> list[Metric]:
        """The metrics shown, the leading one first."""
        return shown_metrics(self.queries.levels, self.recall_at, is_data_set=self.data is not None)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(Q,), equal for queries of one landmark, which are not independent of each other.

        Revisited Oxford and Paris name no landmark: there, queries that have a picture in common to
        find are of one building.
        """
        if self.data is None or not self.data.truths:
            found: NDArray[np.int64] = self.queries.labels[:, 0].numpy()
            return found
        building = list(range(len(self.queries)))
        first_with: dict[int, int] = {}
        for query, truth in enumerate(self.data.truths):
            for place in (*truth.easy, *truth.hard):
                old, new = building[first_with.setdefault(place, query)], building[query]
                building = [old if one == new else one for one in building]
        return np.array(building, np.int64)

    def shown_labels(self) -> list[str]:
        """Returns each query's label of `shown_level`, (Q,); empty where there are no labels."""
        level = shown_level(self.queries.levels)
        if level is None:
            return []
        column = self.queries.levels.index(level)
        names = self.queries.names[column]
        return [names[label] for label in self.queries.labels[:, column].tolist()]

    def evaluate(self, ranking: Ranking, distractors: Iterable[Tensor] | None = None) -> Evaluation:
        """Measures every query; where labels are unknown, the leading metric by its bounds too.

        Args:
            ranking: what is measured.
            distractors: blocks of (n, D) that stand behind the index.

        Raises:
            InputError: a single query, which has nobody to search.
        """
        queries, index, first = ranking.queries, ranking.index, ranking.first
        if self.data is not None and self.data.truths:
            return evaluate_revisited(
                *(queries, index, self.data.truths), first=first, distractors=distractors or ()
            )
        if self.is_one_set and len(queries) == 1:
            raise InputError(
                f"{self.queries.split} must be two images or more, got 1; its list is cut short"
            )
        settings = EvaluationSettings(recall_at=self.recall_at) if self.data else DEFAULT_SETTINGS
        if distractors is not None:  # the more memory, the seldomer the file is read
            settings = replace(settings, memory_bytes=2 << 30)
        evaluated = partial(
            evaluate,
            *(queries, self.queries.labels, index, self.index.labels),
            query_ids=self.own_ids,
            index_ids=self.own_ids,
            level_names=[level.name for level in self.queries.levels],
            first=first,
            distractors=distractors,
        )
        found, leading = evaluated(settings=settings), self.metrics[0]
        if has_unknown(self.queries.labels, self.index.labels):
            for unknown, bound in bounds_of(leading).items():
                other = evaluated(settings=replace(settings, unknown=unknown))
                found.per_query[bound.key] = other.per_query[leading.key]
        return found

    def nearest(self, ranking: Ranking) -> Tensor:
        """Returns (Q, k), positions in the index of what comes first for each query.

        k is `RETRIEVED`, or what there is to search where that is less. Distractors are passed
        over: nobody has their pictures.
        """
        k, ids = min(RETRIEVED, len(ranking.index) - int(self.is_one_set)), self.own_ids
        return top_k(
            *(ranking.queries, ranking.index, k), query_ids=ids, index_ids=ids, first=ranking.first
        ).indices

    def grades(self, query: int) -> Tensor:
        """Returns (N,), the grade of each index image for a query (`Picture.grade`)."""
        if self.data is None or not self.data.truths:
            return shared_levels(self.queries.labels[query : query + 1], self.index.labels)[0]
        truth = self.data.truths[query]
        found = torch.zeros(len(self.index), dtype=torch.int64)
        for grade, places in ((_JUNK, truth.junk), (_HARD, truth.hard), (_EASY, truth.easy)):
            found[list(places)] = grade
        return found

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Returns how large it is, and what took no part (`Results`)."""
        labels, of_index = (
            [set(level.tolist()) - {UNKNOWN} for level in one.labels.T]
            for one in (self.queries, self.index)
        )
        shown = min(1, len(labels) - 1)
        counts = {
            "queries": len(self.queries),
            "query_groups": len(set(self.groups.tolist())),
            "index_images": len(self.index),
            "index_groups": len(of_index[0]) if of_index else 0,
            "shown_labels": len(labels[shown] | of_index[shown]) if labels else 0,
        }
        counts |= {"distractors": self.distractors} if self.distractors else {}
        if self.build is not None:
            return counts, self._left_out_of(self.build)
        return counts, dict(self.data.left_out) if self.data else {}

    @cached_property
    def own_ids(self) -> list[str] | None:
        """Ids of queries and index where these are one set."""
        return self.queries.image_ids.to_pylist() if self.is_one_set else None

    def _left_out_of(self, workspace: Workspace) -> dict[str, int]:
        left_out = {}
        excluded = workspace.read(EXCLUDED, ["split", "landmark_id"])
        for images in (self.queries, self.index):
            finest, above, *_ = images.levels
            without = of_split(excluded, images.split)["landmark_id"]
            rows, *more = (
                workspace.read(one[images.split], [finest.column])[finest.column]
                for one in tables_of(self.hierarchy)
            )
            usable = len(rows) - rows.null_count
            lacking = len(without) - without.null_count + len(rows) - usable
            name, why = f"{images.split} images", f"has no {above.title}"
            left_out[f"{name} without a {finest.title}"] = without.null_count
            if more:  # filled and partial, of which the latter are in `excluded` too
                usable, lacking = usable + sum(map(len, more)), lacking - len(more[-1])
                why = "is not listed"
            # It is measured only by what classes say.
            elif filled := len(workspace.read(FILLED[images.split], ["image_id"])):
                reason = f"{name} whose {above.title} no class of the {finest.title} gives"
                left_out[reason] = filled
            left_out[f"{name} whose {finest.title} {why}"] = lacking
            if images.bad:
                left_out[f"{name} that cannot be decoded"] = images.bad
            left_out[f"{name} without a file"] = usable - len(images) - images.bad
        return left_out


def tables_of(hierarchy: str) -> list[dict[str, Dataset]]:
    """Returns the tables of images that are measured by a hierarchy."""
    return [ANNOTATIONS, FILLED, PARTIAL] if hierarchy == OWN_HIERARCHY else [ANNOTATIONS]


def protocol_of_build(
    workspace: Workspace, *, hierarchy: str = "kind", with_pictures: bool
) -> Protocol:
    """Returns what a build is measured on: its test images against its index images.

    Landmarks are called by their Commons category where it has a name.

    Args:
        workspace: a build with annotations.
        hierarchy: of the levels (`hgld.tables.levels_of_hierarchy`).
        with_pictures: images without a file take no part; else labels are enough.

    Raises:
        MissingInputError: annotations or images are not there yet.
        InputError: no query or no index image is left.
    """
    both = query_and_index_images(workspace, hierarchy=hierarchy, with_pictures=with_pictures)
    column = both[0].levels[0].column
    tables = [
        workspace.read(kind[one.split], [column, "category"])
        for kind in tables_of(hierarchy)
        for one in both
    ]
    rows = pa.concat_tables(tables).drop_null().group_by(column).aggregate([("category", "min")])
    landmarks, categories = rows[column].to_pylist(), rows["category_min"].to_pylist()
    names = dict(zip(map(str, landmarks), map(name_of_category, categories), strict=True))
    finest, *coarser = both[0].names
    called = (tuple(names.get(one) or one for one in finest), *coarser)
    queries, index = (replace(images, names=called) for images in both)
    return Protocol(queries=queries, index=index, build=workspace, hierarchy=hierarchy)


def protocol_of_data_set(data: RetrievalData, *, with_pictures: bool) -> Protocol:
    """Returns what a data set is measured on.

    Args:
        data: the data set.
        with_pictures: reads every file once, so that whoever embeds it later embeds the same.

    Raises:
        InputError: files are missing or cannot be read.
    """
    queries, index = labelled_images(data, with_pictures=with_pictures)
    return Protocol(queries=queries, index=index, data=data)
