"""Labels of which some are unknown, against loops over all ways to complete them."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hgld.metrics import evaluate
from hgld.metrics.arguments import EvaluationSettings, Unknown
from hgld.metrics.relevance import bounds_of_shared_levels, shared_levels
from tests.worlds.plain import metrics as plain
from tests.worlds.plain.metric_cases import SETTINGS, Case, cases, expected_of

# A tree: each label is of one parent, as where places lie in countries. Of three levels.
TREE = [[leaf, leaf // 2, leaf // 4] for leaf in range(8)]


def completions(labels: Sequence[int]) -> Iterator[list[int]]:
    """Yields the ways in the tree that agree with what is known of one."""
    for way in [*TREE, [8, 4, 2]]:  # and one more, which no other item is on
        if all(known in {-1, label} for known, label in zip(labels, way, strict=True)):
            yield way


def bounds(one: Sequence[int], other: Sequence[int]) -> tuple[int, int]:
    shared = [plain.plain_shared(a, b) for a in completions(one) for b in completions(other)]
    return min(shared), max(shared)


MASKS = [*itertools.product((0, -1), repeat=3)]


def masked(mask: Sequence[int]) -> list[list[int]]:
    return [[-1 if gone else label for label, gone in zip(way, mask, strict=True)] for way in TREE]


@pytest.mark.parametrize("one", MASKS)
def test_so_many_levels_are_shared_at_least_and_at_most(one: tuple[int, ...]) -> None:
    """Every pair of a tree of three levels, with every part of both taken away."""
    ways = masked(one)
    others = [way for mask in MASKS for way in masked(mask)]
    least, most = bounds_of_shared_levels(torch.tensor(ways), torch.tensor(others))
    for row, way in enumerate(ways):
        for column, other in enumerate(others):
            # What is known of the coarse levels follows from the finer ones, where these are known.
            fewest, greatest = bounds(way, other)
            assert int(least[row, column]) <= fewest
            assert int(most[row, column]) >= greatest


@given(cases(), st.randoms(use_true_random=False), st.sampled_from(["float32", "float64"]))
@hypothesis_settings(deadline=None, max_examples=200)
@pytest.mark.parametrize("unknown", ["leave_out", "differs", "agrees"])
def test_equals_the_loops_for_each_query(
    unknown: Unknown, case: Case, chance: random.Random, dtype: str
) -> None:
    hidden = [
        [[-1 if chance.random() < 0.3 else label for label in row] for row in rows]
        for rows in (case.query_labels, case.index_labels)
    ]
    queries = [
        hidden[1][place] if place >= 0 else row
        for row, place in zip(hidden[0], case.own, strict=True)
    ]
    partial = Case(case.queries, queries, case.index, hidden[1], case.own)
    evaluation = partial.evaluate(getattr(torch, dtype), replace(SETTINGS, unknown=unknown))
    for query, place in enumerate(case.own):
        levels = []
        for item in plain.plain_order(case.queries[query], case.index, place):
            least, most = plain.plain_bounds(queries[query], hidden[1][item])
            if unknown == "agrees" or least == most:
                levels.append(most)
            elif unknown == "differs":
                levels.append(least)
        expected = expected_of(levels, len(hidden[1][0]))
        actual = {key: float(values[query]) for key, values in evaluation.per_query.items()}
        assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_equals_the_hand_computed_case() -> None:
    # In ranked order: another landmark of the same kind; one that may be of this kind; the landmark
    # itself, of which nothing else is known; and one of another side.
    labels = torch.tensor([[2, 1, 0], [3, -1, 0], [1, -1, -1], [-1, -1, 1]])
    query, falling = torch.ones(1, 1), torch.arange(4, 0, -1.0)[:, None]
    values = {
        unknown: evaluate(
            *(query, torch.tensor([[1, 1, 0]]), falling, labels),
            settings=EvaluationSettings(unknown=unknown),
        ).means()
        for unknown in ("leave_out", "differs", "agrees")
    }
    # Relevance of 2/3 and 1 where the second is left out: (2/3 + (2/3 + 1) / 2) / (5/3).
    assert values["leave_out"]["h_ap"] == pytest.approx((2 / 3 + 5 / 6) / (5 / 3), abs=1e-12)
    assert values["leave_out"]["ap_level0"] == pytest.approx(1 / 2, abs=1e-12)
    # It shares one level at least: relevance 1/3, behind the 2/3.
    differs = (2 / 3 + 2 / 3 / 2 + (2 / 3 + 1 / 3 + 1) / 3) / 2
    assert values["differs"]["h_ap"] == pytest.approx(differs, abs=1e-12)
    # And two at most: two items share 2/3.
    agrees = (1 / 3 + 2 / 3 / 2 + (1 / 3 + 1 / 3 + 1) / 3) / (5 / 3)
    assert values["agrees"]["h_ap"] == pytest.approx(agrees, abs=1e-12)


def test_what_is_unknown_on_both_sides_is_not_shared() -> None:
    labels = torch.tensor([[1, -1, 0], [2, -1, 0], [3, -1, -1]])
    assert shared_levels(labels, labels).tolist() == [[3, 1, 0], [1, 3, 0], [0, 0, 3]]


def test_the_published_convention_knows_no_unknown_label() -> None:
    labels = torch.tensor([[0, -1]])
    with pytest.raises(ValueError, match="convention"):
        evaluate(
            *(torch.ones(1, 1), labels, torch.ones(1, 1), labels),
            settings=EvaluationSettings(convention="published"),
        )
