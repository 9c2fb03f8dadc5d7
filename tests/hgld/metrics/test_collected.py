"""H-AP as a metric of torchmetrics: batches, processes and repeated items change no number."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from hgld import metrics
from hgld.metrics import EvaluationSettings, HierarchicalAveragePrecision, evaluate
from tests.worlds.forked import Forked
from tests.worlds.plain.metric_cases import random_case

ITEMS = 40


def items() -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of whole numbers, of which many tie, with labels and ids in another order."""
    embeddings, labels, _, _ = random_case(ITEMS, 1)
    generator = torch.Generator().manual_seed(0)
    return embeddings, labels, torch.randperm(ITEMS, generator=generator)


def expected(chosen: EvaluationSettings | None = None) -> float:
    embeddings, labels, ids = items()
    both, every = (embeddings[ids.argsort()], labels[ids.argsort()]), range(ITEMS)
    settings = chosen or EvaluationSettings()
    found = evaluate(*both, *both, query_ids=every, index_ids=every, settings=settings)
    return found.means()["h_ap"]


@pytest.mark.parametrize("size", [1, 7, ITEMS])
def test_batches_of_any_size_give_what_evaluate_gives(size: int) -> None:
    chosen = EvaluationSettings(relevance="map")
    metric = HierarchicalAveragePrecision(chosen)
    parts = [torch.split(part, size) for part in items()]
    for batch in zip(*parts, strict=True):
        metric.update(*batch)
    assert metric.compute().item() == expected(chosen) != expected()
    metric.reset()
    embeddings, labels, ids = items()
    # Without ids in the order in which they come.
    assert metric(embeddings[ids.argsort()], labels[ids.argsort()]).item() == expected(chosen)


def test_a_repeated_id_counts_once_and_without_ids_twice() -> None:
    embeddings, labels, ids = items()
    metric, plain = HierarchicalAveragePrecision(), HierarchicalAveragePrecision()
    for rows in (slice(None), slice(5)):
        metric.update(embeddings[rows], labels[rows], ids[rows])
        plain.update(embeddings[rows], labels[rows])
    assert metric.compute().item() == expected()
    assert plain.compute().item() != expected()


def test_one_level_may_be_a_vector_and_nothing_to_find_is_nan() -> None:
    metric = HierarchicalAveragePrecision()
    assert metric(torch.eye(3), torch.arange(3)).isnan()
    assert metric(torch.eye(3, requires_grad=True)[[0, 0]], torch.arange(2) // 2) == 1


def of_one_process(rank: int, store: Path) -> None:
    """Takes every second item, as a sampler does, which repeats one where they are odd."""
    torch.set_num_threads(1)  # those of the process that it was forked from are gone
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    metric = HierarchicalAveragePrecision()
    mine = torch.tensor([*range(rank, ITEMS, 2), 0])
    for rows in torch.split(mine, 6 + rank):  # not as many batches in each
        metric.update(*(part[rows] for part in items()))
    assert metric.compute().item() == expected()
    # What a process holds by itself is its own again.
    assert sum(map(len, metric.embeddings)) == len(mine)
    distributed.destroy_process_group()


@pytest.mark.skipif(sys.platform != "linux", reason="names the loopback device as Linux does")
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    processes = [Forked(partial(of_one_process, rank, tmp_path / "store")) for rank in (0, 1)]
    assert [one.ended() for one in processes] == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "error", "word"),
    [
        ((torch.ones(2, 3), torch.ones(3, 1).long()), ValueError, "shape"),
        ((torch.ones(2, 3), torch.ones(2).long(), torch.arange(3)), ValueError, "ids"),
        ((torch.ones(2, 3), torch.ones(2).long(), torch.arange(2)), ValueError, "all batches"),
        ((torch.ones(2, 3), torch.ones(2).long(), torch.ones(2)), TypeError, "^ids "),
        ((torch.ones(2, 3), torch.ones(2)), TypeError, "labels"),
        (([[1.0]], torch.ones(1).long()), TypeError, "embeddings"),
    ],
)
def test_batches_that_do_not_fit_are_refused(
    wrong: tuple[Tensor, ...], error: type[Exception], word: str
) -> None:
    metric = HierarchicalAveragePrecision()
    metric.update(torch.ones(1, 3), torch.zeros(1, 1).long())
    with pytest.raises(error, match=word):
        metric.update(*wrong)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = metrics.Nothing
