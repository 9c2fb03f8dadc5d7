"""What docs/metrics.md shows."""

from typing import Any

import torch
from torch import Tensor

from hgld import metrics
from hgld.metrics.streamed import Lists
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.plain.metric_cases import random_case


def test_the_examples_of_the_page_run() -> None:
    query, query_labels, index, index_labels = random_case(7, 40)
    names: dict[str, Any] = {"Lists": Lists, "Tensor": Tensor, "torch": torch}
    names |= {"query_embeddings": query, "query_labels": query_labels, "query_ids": range(7)}
    names |= {"index_embeddings": index, "index_labels": index_labels, "index_ids": range(7, 47)}
    names["order"] = (query @ index.T).argsort(dim=1, descending=True, stable=True)
    examples = fenced(ROOT / "docs/metrics.md", "python")
    assert len(examples) == 3
    for example in examples:
        exec(example, names)  # noqa: S102 - what a reader would type
    # The second example's steps give what the first one's evaluate gives.
    by_hand = metrics.hierarchical_average_precision(
        metrics.item_relevance(names["ranked_level"], names["table"])
    )
    torch.testing.assert_close(by_hand, names["evaluation"].per_query["h_ap"], equal_nan=True)
