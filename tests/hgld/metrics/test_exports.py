"""What a user imports from `hgld.metrics`."""

import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from hgld import metrics
from tests.worlds.plain.metric_cases import random_case

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_exported_member_has_an_example_that_runs(name: str) -> None:
    member = getattr(metrics, name)
    assert "\n\nExample:\n" in str(inspect.getdoc(member))
    names = {"torch": torch, **{each: getattr(metrics, each) for each in metrics.__all__}}
    found = doctest.DocTestFinder(recurse=False).find(member, name, globs=names)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in found:
        runner.run(example)
    assert runner.summarize(verbose=False).attempted > 0
    assert runner.summarize(verbose=False).failed == 0


def test_exported_members_are_sorted_and_there() -> None:
    assert metrics.__all__ == sorted(metrics.__all__)
    assert {"GroundTruth", "evaluate_revisited", "shared_levels"} <= set(metrics.__all__)


def test_the_examples_of_the_page_run() -> None:
    query, query_labels, index, index_labels = random_case(7, 40)
    names: dict[str, Any] = {
        "query_embeddings": query,
        "query_labels": query_labels,
        "index_embeddings": index,
        "index_labels": index_labels,
        "query_ids": list(range(7)),
        "index_ids": list(range(7, 47)),
        "order": (query @ index.T).argsort(dim=1, descending=True, stable=True),
    }
    examples = re.findall(
        r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert len(examples) == 2
    for example in examples:
        exec(example, names)  # noqa: S102 - what a reader would type
    # The second example's steps give what the first one's evaluate gives.
    by_hand = metrics.hierarchical_average_precision(
        metrics.item_relevance(names["ranked_level"], names["table"])
    )
    torch.testing.assert_close(by_hand, names["evaluation"].per_query["h_ap"], equal_nan=True)
