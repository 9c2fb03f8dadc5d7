"""Rows from outside: what is held out, and the simple scores beside values by hand."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from hgld.benchmarks.robustness.out_of_distribution import (
    NEAR,
    Reduced,
    hold_out_classes,
    nearest_neighbour_score,
    simple_scorers,
    virtual_logit_score,
)
from hgld.benchmarks.robustness.rows import RowTable, UnfitRowsError, table_of_columns

Columns = dict[str, NDArray[Any]]


def test_no_class_is_on_two_sides(table: RowTable) -> None:
    problem = hold_out_classes(table, 0)
    assert len(np.unique(problem.labels)) == 4  # of six, one is near and one chooses
    of = {name: len(groups) for name, (_, groups) in problem.outside.items()}
    assert of == {NEAR: 14, "photos": 20}
    assert len(problem.inside[1]) == 4 * 14
    inside, outside = problem.choosing
    assert len(outside.unit) == 32
    assert len(inside.unit) + len(problem.train.unit) == 4 * 32
    assert problem.train.logits.shape[1] == 4


def test_a_table_without_queries_holds_groups_of_train_out(columns: Columns) -> None:
    train = {name: one[columns["split"] == "train"] for name, one in columns.items()}
    problem = hold_out_classes(table_of_columns(train, "made", "a test"), 0)
    assert set(problem.outside) == {NEAR}
    few = {"embedding": np.eye(24), "label": np.arange(24) % 3}
    with pytest.raises(UnfitRowsError, match="classes"):
        hold_out_classes(table_of_columns(few, "few", "a test"), 0)


def test_logits_of_the_model_are_taken_for_the_classes_trained_on(columns: Columns) -> None:
    unit = columns["embedding"] / np.linalg.norm(columns["embedding"], axis=1, keepdims=True)
    weight = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    own = {**columns, "embedding": unit, "logits": unit @ weight.T}
    table = table_of_columns(own, "made", "a test")
    problem = hold_out_classes(table, 0)
    assert problem.train.logits.shape[1] == 4
    wanted = (unit @ weight.T)[columns["split"] == "train"]
    furthest = [
        cdist(problem.train.logits, wanted[:, list(kept)]).min(axis=1).max()
        for kept in itertools.combinations(range(6), 4)
    ]
    assert min(furthest) < 1e-3


def test_settings_are_those_of_the_best_order_of_the_choosing_rows(table: RowTable) -> None:
    problem = hold_out_classes(table, 0)
    scorers, chosen = simple_scorers(problem)
    count = int(chosen["kNN"].split()[0])
    areas = {}
    for k in (1, 5, 10, 20, 50):
        inside, outside = (
            nearest_neighbour_score(problem.train.unit, rows.unit, k) for rows in problem.choosing
        )
        areas[k] = np.mean(inside[:, None] < outside)
    assert areas[count] == max(areas.values()) == pytest.approx(problem.better(scorers["kNN"]))


def test_the_virtual_logit_equals_the_hand_computed_value(table: RowTable) -> None:
    # W = I (2 of 3 dimensions), b = (-1, 0): o = (1, 0, 0). Rows less o: (+-4, 0, 0), (0, +-3, 0),
    # (0, 0, +-1): the residual of two components is the third axis, mean length (1 + 1) / 6 = 1/3.
    # Largest logits: 4, -4 + 0 -> 0, 3, 0, 0, 0: mean 7/6. alpha = 3.5.
    offsets = np.array([[4, 0, 0], [-4, 0, 0], [0, 3, 0], [0, -3, 0], [0, 0, 1], [0, 0, -1.0]])
    train, weight, bias = offsets + np.array([1, 0, 0]), np.eye(3)[:2], np.array([-1.0, 0.0])
    row = Reduced(np.array([[2.0, 5.0, 2.0]]), np.empty((1, 2)), None)  # residual 2; logits 1, 5
    expected = 3.5 * 2 - math.log(math.exp(1) + math.exp(5))
    problem = hold_out_classes(table, 0)._replace(weight=weight, bias=bias)
    of = [problem._replace(train=row._replace(unit=train * last)) for last in (1, [1, 1, 0])]
    assert virtual_logit_score(of[0], 2, row)[0] == pytest.approx(expected)
    with pytest.raises(UnfitRowsError, match="something"):
        virtual_logit_score(of[1], 2, row)
