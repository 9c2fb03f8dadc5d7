"""Cases to evaluate, small enough for loops and full of ties, and their expected metrics."""

import math
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from hgld.metrics import Evaluation, EvaluationSettings, evaluate
from tests.worlds.plain import metrics as plain

SETTINGS = EvaluationSettings(
    recall_at=(1, 4), average_precision_at=(3,), mistake_severity_at=(1, 4)
)


@dataclass(frozen=True)
class Case:
    """Small whole numbers: their products are exact, and many are equal."""

    queries: list[list[int]]
    query_labels: list[list[int]]
    index: list[list[int]]
    index_labels: list[list[int]]
    own: list[int]  # position of each query in the index, -1 where it is not there

    def evaluate(
        self, dtype: torch.dtype = torch.float32, chosen: EvaluationSettings = SETTINGS
    ) -> Evaluation:
        return evaluate(
            torch.tensor(self.queries, dtype=dtype),
            torch.tensor(self.query_labels),
            torch.tensor(self.index, dtype=dtype),
            torch.tensor(self.index_labels),
            query_ids=[place if place >= 0 else 1000 + q for q, place in enumerate(self.own)],
            index_ids=range(len(self.index)),
            settings=chosen,
        )

    def ranked_levels(self, query: int) -> list[int]:
        order = plain.plain_order(self.queries[query], self.index, self.own[query])
        return [
            plain.plain_shared(self.query_labels[query], self.index_labels[place])
            for place in order
        ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dimensions, depth = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    vectors = st.lists(st.integers(-2, 2), min_size=dimensions, max_size=dimensions)
    labels = st.lists(st.integers(0, 1), min_size=depth, max_size=depth)
    index = draw(st.lists(st.tuples(vectors, labels), min_size=1, max_size=9))
    outside = st.tuples(vectors, labels, st.just(-1))
    inside = st.integers(0, len(index) - 1).map(lambda place: (*index[place], place))
    queries = draw(st.lists(st.one_of(outside, inside), min_size=1, max_size=4))
    return Case(
        queries=[vector for vector, _, _ in queries],
        query_labels=[label for _, label, _ in queries],
        index=[vector for vector, _ in index],
        index_labels=[label for _, label in index],
        own=[place for _, _, place in queries],
    )


def expected_of(levels: list[int], depth: int) -> dict[str, float]:
    """Every metric of one list, with SETTINGS."""
    values = {
        "h_ap": plain.plain_h_ap(plain.plain_decay(levels, depth, levels, SETTINGS.alpha)),
        "ndcg": plain.plain_ndcg(levels),
        "asi": plain.plain_asi(levels),
        "hops": plain.plain_hops(levels),
        "mistake_severity_at_1": plain.plain_severity(levels, depth, 1),
        "mistake_severity_at_4": plain.plain_severity(levels, depth, 4),
    }
    for column in range(depth):
        positives = [level >= depth - column for level in levels]
        relevant = sum(positives)

        def hit(k: int, positives: list[bool] = positives) -> float:
            return float(any(positives[:k])) if any(positives) else math.nan

        values |= {
            f"map_at_3_level{column}": plain.plain_ap(positives, first=3, most=3),
            f"ap_level{column}": plain.plain_ap(positives),
            f"map_at_r_level{column}": plain.plain_ap(positives, first=relevant),
            f"p_at_1_level{column}": hit(1),
            f"r_at_1_level{column}": hit(1),
            f"r_at_4_level{column}": hit(4),
            f"level_recall_at_1_level{column}": plain.plain_level_recall(levels, 1, depth - column),
            f"level_recall_at_4_level{column}": plain.plain_level_recall(levels, 4, depth - column),
        }
    return values


def assert_same(one: Evaluation, other: Evaluation, tolerance: float = 1e-12) -> None:
    assert list(one.per_query) == list(other.per_query)
    for key, values in one.per_query.items():
        torch.testing.assert_close(
            values, other.per_query[key], rtol=0, atol=tolerance, equal_nan=True, msg=key
        )


def random_case(queries: int, items: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries apart from the index, whole numbers, three levels that are no tree."""
    generator = torch.Generator().manual_seed(0)

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    return (
        draw(9, queries, 4).float() - 4,
        draw(4, queries, 3),
        draw(9, items, 4).float() - 4,
        draw(4, items, 3),
    )
