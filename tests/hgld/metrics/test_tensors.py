"""What is no tensor, and labels of one level."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from hgld import metrics
from hgld.metrics.arguments import check_choice, check_tensors, label_matrix
from hgld.metrics.settings import Convention
from hgld.training.index.search import top_k
from tests.worlds.plain.metric_cases import assert_same, random_case

LEVEL, TABLE = torch.tensor([[1, 0, 2]]), torch.tensor([[0.0, 0.5, 1.0]])
LISTS: dict[str, Callable[..., object]] = {
    "average_precision": metrics.average_precision,
    "average_precision_at_k": partial(metrics.average_precision_at_k, k=2),
    "average_precision_at_r": metrics.average_precision_at_r,
    "average_set_intersection": metrics.average_set_intersection,
    "exclusive_average_precision": partial(metrics.exclusive_average_precision, level=1),
    "hierarchical_average_precision": metrics.hierarchical_average_precision,
    "mistake_severity": partial(metrics.mistake_severity, levels=2),
    "ndcg": metrics.ndcg,
    "precision_at_1": metrics.precision_at_1,
    "recall_at_k": partial(metrics.recall_at_k, k=2),
    "relevant of recall_at_k": lambda: metrics.recall_at_k(LEVEL > 0, 1, relevant=[2]),  # type: ignore[arg-type]
    "shared_levels": partial(metrics.shared_levels, ref_labels=LEVEL),
    "level_counts": partial(metrics.level_counts, levels=2),
    "decay_relevance": metrics.decay_relevance,
    "map_relevance": metrics.map_relevance,
    "item_relevance": partial(metrics.item_relevance, table=TABLE),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_are_no_tensors_are_refused_with_advice(name: str) -> None:
    for values in (np.array([[1, 0, 1]]), [[1, 0, 1]]):
        arguments = () if name.startswith("relevant of") else (values,)
        with pytest.raises(TypeError, match="as_tensor"):
            LISTS[name](*arguments)


@pytest.mark.parametrize("position", range(4))
def test_evaluate_refuses_what_is_no_tensor(position: int) -> None:
    name = ("query_embeddings", "query_labels", "index_embeddings", "index_labels")[position]
    for make in (np.asarray, torch.Tensor.tolist):
        arguments: list[Any] = list(random_case(2, 3))
        arguments[position] = make(arguments[position])
        with pytest.raises(TypeError, match=name):
            metrics.evaluate(*arguments)


def test_searching_refuses_what_is_no_tensor() -> None:
    query, _, index, _ = random_case(2, 3)
    with pytest.raises(TypeError, match="query_embeddings"):
        top_k(query.numpy(), index, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="index_embeddings"):
        metrics.evaluate_revisited(query, index.tolist(), [])  # type: ignore[arg-type]


def test_labels_of_shape_n_are_one_level() -> None:
    query, query_labels, index, index_labels = random_case(9, 40)
    expected = metrics.evaluate(query, query_labels[:, :1], index, index_labels[:, :1])
    found = metrics.evaluate(query, query_labels[:, 0], index, index_labels[:, 0])
    assert_same(found, expected, 0)
    mixed = metrics.evaluate(query, query_labels[:, :1], index, index_labels[:, 0])
    assert_same(mixed, expected, 0)


@pytest.mark.parametrize(("queries", "items"), [(0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("convention", ["standard", "published"])
def test_nothing_to_search_for_or_in_is_nan_and_counted(
    queries: int, items: int, dtype: torch.dtype, convention: Convention
) -> None:
    result = metrics.evaluate(
        torch.ones(queries, 2, dtype=dtype),
        torch.zeros(queries, 2, dtype=torch.int64),
        torch.ones(items, 2, dtype=dtype),
        torch.zeros(items, 2, dtype=torch.int64),
        query_ids=list(range(queries)),
        index_ids=list(range(items)),
        settings=metrics.EvaluationSettings(convention=convention),
    )
    assert torch.tensor(list(result.means().values())).isnan().all()
    assert set(result.undefined().values()) == {queries}


def test_labels_become_a_matrix_without_a_copy_and_are_integers() -> None:
    labels = torch.arange(3)
    assert label_matrix("labels", labels).shape == (3, 1)
    assert label_matrix("labels", labels).data_ptr() == labels.data_ptr()
    for wrong in (torch.ones(3), torch.tensor([True, False])):
        with pytest.raises(TypeError, match="labels"):
            label_matrix("labels", wrong)
    check_tensors(labels=labels)
    with pytest.raises(TypeError, match=r"labels.*tuple"):
        check_tensors(embeddings=torch.ones(1), labels=(1, 2))


@pytest.mark.parametrize("wrong", ["old", "", None, ["standard"]])
def test_a_word_that_is_no_choice_is_refused_with_all_choices(wrong: object) -> None:
    check_choice("convention", "published", Convention)
    with pytest.raises(ValueError, match=r"convention.*standard.*published"):
        check_choice("convention", wrong, Convention)
