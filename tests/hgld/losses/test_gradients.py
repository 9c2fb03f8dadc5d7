import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hgld.losses import sup_hap_loss
from hgld.losses.ranking import rows, sums
from hgld.losses.ranking.rows import RowValues, by_row
from hgld.losses.ranking.steps import sigmoid_step
from hgld.losses.ranking.sums import rank_rows, smooth_rank
from tests.worlds.plain.losses import tree_batch


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Counts the operations, and notes the size of the largest tensor that any returns."""

    calls, elements = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - as torch has it
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def seen_in_a_loss(embeddings: Tensor, labels: Tensor) -> Seen:
    leaf, seen = embeddings.requires_grad_(), Seen()  # type: ignore[no-untyped-call]  # torch's own
    with seen:
        torch.autograd.grad(sup_hap_loss(leaf, labels), leaf)
    return seen


def test_threads_share_the_rows_out_and_change_no_bit(set_threads: Callable[[int], None]) -> None:
    embeddings, labels = tree_batch(400, 3, dim=16, seed=2)
    scores = (embeddings @ embeddings.T).requires_grad_()
    names: set[str] = set()

    def row(scores: Tensor, level: Tensor) -> RowValues:
        names.add(threading.current_thread().name)
        rank = smooth_rank(rank_rows(scores, level, 3), sigmoid_step(0.01))
        return RowValues(rank.sum(1), scores[:, 0] > -2)

    results = []
    for threads in (1, 3):
        set_threads(threads)
        names.clear()
        values, _ = by_row(scores, labels, labels, row)
        results.append((values, torch.autograd.grad(values.sum(), scores)[0]))
        assert (threading.current_thread().name in names) == (threads == 1)
    assert all(map(torch.equal, *results))


def test_the_loss_can_be_had_in_inference_mode() -> None:
    embeddings, labels = tree_batch(300, 3, dim=16)
    with torch.inference_mode():
        loss = sup_hap_loss(embeddings.clone(), labels)
    assert loss.item() == sup_hap_loss(embeddings, labels).item()


def test_no_tensor_of_the_size_of_all_triples_is_made(set_threads: Callable[[int], None]) -> None:
    set_threads(1)  # the count below sees what its own thread does
    seen = seen_in_a_loss(*tree_batch(300, 3, dim=16))
    assert 300**2 <= seen.elements <= 1.1 * 300**2


def test_a_batch_in_one_part_takes_torch_few_operations(
    set_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threads(1)
    monkeypatch.setattr(sums, "_compiled", lambda: None)
    monkeypatch.setattr(rows, "_NUMBERS_AT_ONCE", 1 << 40)  # one part, as on a GPU
    assert 200 < seen_in_a_loss(*tree_batch(128, 3, dim=256)).calls <= 800


def test_a_failing_row_leaves_the_others_alone() -> None:
    scores = torch.tensor([[0.1, math.nan], [0.1, 0.2]], requires_grad=True)
    labels = torch.zeros(2, 1, dtype=torch.int64)
    values, defined = by_row(scores, labels, labels, lambda s, _: RowValues(s.sum(1), s[:, 0] > 0))
    assert values.isnan().tolist() == [True, False]
    assert defined.tolist() == [True, True]
