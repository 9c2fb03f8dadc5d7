"""Abstention: scores of ranked lists beside loops, and heads that learn on other groups."""

import dataclasses
import math

import numpy as np
import pytest

from hgld.benchmarks.robustness import abstention
from hgld.benchmarks.robustness.failures import margin
from hgld.benchmarks.robustness.rows import RowTable, UnfitRowsError


def test_scores_equal_loops_over_images() -> None:
    random = np.random.default_rng(0)
    similarity = random.uniform(-1, 1, (5, 12))
    groups = random.permutation(np.repeat([4, 9, 2], 4))
    best = abstention.best_by_group(similarity, groups)
    for query, row in enumerate(similarity):
        each = [max(s for s, at in zip(row, groups, strict=True) if at == one) for one in (2, 4, 9)]
        assert best[query].tolist() == each
        assert margin(best)[query] == pytest.approx(sorted(each)[-1] - sorted(each)[-2])
        weights = [math.exp(value / 0.3) for value in each]
        wanted = sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)
        assert abstention.negative_group_entropy(best, 0.3)[query] == pytest.approx(wanted)


def test_the_query_itself_is_no_answer_and_a_small_temperature_no_overflow() -> None:
    best = abstention.best_by_group(np.array([[-np.inf, 0.5, 0.25]]), np.array([1, 2, 3]))
    assert margin(best).tolist() == [0.25]
    two = abstention.negative_group_entropy(np.array([[0.5, 0.25]]), 0.1)
    assert abstention.negative_group_entropy(best, 0.1) == pytest.approx(two)
    tied = np.array([[0.9, 0.9, -1.0]])
    assert abstention.negative_group_entropy(tied, 1e-4) == pytest.approx([-math.log(2)])
    with pytest.raises(UnfitRowsError, match="two groups"):
        abstention.best_by_group(np.array([[0.1, 0.2]]), np.array([3, 3]))


def test_a_search_ranks_and_measures(table: RowTable) -> None:
    query, index = table.splits["query"], table.splits["index"]
    found = abstention.search(query, index)
    assert found.nearest.shape == (len(found.h_ap), 20) == (len(query), 20)
    assert (np.diff(found.nearest[:, :10], axis=1) <= 0).all()
    assert found.nearest[:, 0] == pytest.approx(found.best.max(axis=1), abs=1e-6)
    # Twelve groups: the list of groups is whole; each half begins with the nearest image.
    assert found.nearest[:, 10] == pytest.approx(found.nearest[:, 0])
    assert (abstention.search(index).nearest[:, 0] < 1 - 1e-6).all()


def test_measures_equal_the_values_by_hand() -> None:
    h_ap, score = np.array([1.0, 0.5, 0.0, 0.5]), np.array([4.0, 3.0, 2.0, 1.0])
    assert abstention.answered_area(h_ap, score) == pytest.approx((1 + 0.75 + 0.5 + 0.5) / 4)
    chosen_on = np.array([1.0, 2.0, 3.0, 4.0])
    told = abstention.threshold_measures(h_ap, chosen_on, score)
    assert (told["answered_50"], told["h_ap_answered_50"]) == (0.5, 0.75)
    assert math.isnan(abstention.threshold_measures(h_ap, chosen_on + 9, score)["h_ap_answered_80"])


@pytest.mark.usefixtures("quick")
def test_a_model_trained_on_train_has_no_held_out_groups(table: RowTable) -> None:
    def tasks(one: RowTable) -> list[str]:
        return [found.group for found in abstention.measure_abstention(one, 0)]

    assert tasks(table) == [
        "queries, learned on train",
        "queries, learned on index",
        "held-out groups of train",
    ]
    assert tasks(dataclasses.replace(table, is_trained_on_train=True)) == tasks(table)[:2]
