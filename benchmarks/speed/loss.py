"""What does Sup-H-AP cost, forward and backward, and what do the other losses?

Three baselines in the same run: the product of the batch with itself and a sort of its rows; the
published algorithm in tensors of B x B x B; and, with `--suprank FOLDER`, SupRank's own code. Each
is timed on one thread and on two. Memory and operations are counted in a process for each loss and
size, on one thread. An operation is a call that reaches torch's dispatcher below autograd, views
included, a gradient's too. `operations_on_a_gpu` are those of a batch in one part, without numba.

    python -m hgld.benchmarks.speed.loss --out loss.json
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from hgld import losses
from hgld.benchmarks.speed.evaluation import landmark_images
from hgld.benchmarks.speed.measuring import (
    extra_memory_mb,
    measure_in_turns,
    read_options,
    run_apart,
    write_report,
)
from hgld.benchmarks.speed.published import SupRankLoss, plain_loss

_IMAGES_PER_LANDMARK = 4
_SMALL = 16  # a batch that loads and compiles what is needed
OURS, SORTED, PLAIN, SUPRANK = "sup_hap", "product and sort", "plain", "suprank"

Loss = Callable[[Tensor, Tensor], Tensor]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        batches=[256, 512, 1024],
        plain_up_to=512,
        threads=[1, 2],
        losses=list(LOSSES),
        rounds=5,
        shortest_s=0.5,
        seed=0,
        device="cpu",
        suprank="",
    )
    results = [row for batch in options.batches for row in measure_batch(batch, options)]
    differences = gradient_differences(options)
    write_report(options, ["torch"], results, gradient_relative_difference=differences)


def measure_batch(batch: int, options: Namespace) -> list[dict[str, Any]]:
    """Measures every loss and every baseline at one size."""
    before = torch.get_num_threads()
    embeddings, labels = made_up_batch(batch, options)
    wanted = losses_at(batch, options)
    counted = {name: run_apart(count_apart, name, batch, options) for name in wanted}
    ways: dict[str, Callable[[], object]] = {
        name: partial(step, loss, embeddings, labels) for name, loss in wanted.items()
    }
    ways[SORTED] = partial(sort_product, embeddings)
    for loss in wanted.values():
        step(loss, *made_up_batch(_SMALL, options))
    # Baselines that hold gigabytes take turns with Sup-H-AP alone, last: what follows is slower.
    large = {name: ways.pop(name) for name in (PLAIN, SUPRANK) if name in ways}
    turns = [(threads, ways, list(ways)) for threads in options.threads]
    turns += [(threads, {OURS: ways[OURS], **large}, list(large)) for threads in options.threads]
    rows = []
    for threads, run, names in turns:
        if names:
            torch.set_num_threads(threads)
            costs = measure_in_turns(run, options.rounds, shortest_s=options.shortest_s)
            rows += [told(name, batch, threads, costs) | counted.get(name, {}) for name in names]
    torch.set_num_threads(before)
    return rows


def told(loss: str, batch: int, threads: int, costs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns what a loss took, and how many times that of those which took turns with it."""
    cost = costs[loss]
    row: dict[str, Any] = {"loss": loss, "batch": batch, "threads": threads}
    row |= {f"{of}_ms": round(1e3 * cost[f"{of}_s"], 3) for of in ("median", "spread")}
    return row | {
        f"over {other}": round(cost["median_s"] / costs[other]["median_s"], 3)
        for other in (OURS, SORTED)
        if other in costs
    }


def sort_product(embeddings: Tensor) -> float:
    """Multiplies the batch with itself, and sorts each row."""
    return torch.sort(embeddings @ embeddings.T).values[0, 0].item()  # waits for a GPU


def losses_at(batch: int, options: Namespace) -> dict[str, Loss]:
    """Returns the losses that are wanted, and those baselines whose tensors fit the memory."""
    found = {name: LOSSES[name] for name in dict.fromkeys([OURS, *options.losses])}
    if batch <= options.plain_up_to:
        found[PLAIN] = plain_loss
        if options.suprank:
            found[SUPRANK] = SupRankLoss(Path(options.suprank))
    return found


def count_apart(loss: str, batch: int, options: Namespace) -> dict[str, Any]:
    """Returns the memory that a loss and its gradient take, and how often they call torch."""
    torch.set_num_threads(1)  # calls are counted in this thread
    function = losses_at(batch, options)[loss]
    step(function, *made_up_batch(_SMALL, options))
    run = partial(step, function, *made_up_batch(batch, options))
    memory = extra_memory_mb(run) if options.device == "cpu" else None
    counts = {"extra_mb": memory, "operations": _Operations.of(run)}
    if batch <= options.plain_up_to:  # more would take gigabytes here
        in_torch = mock.patch("hgld.losses.ranking.sums._compiled", return_value=None)
        with in_torch, mock.patch("hgld.losses.ranking.rows._NUMBERS_AT_ONCE", 1 << 40):
            counts["operations_on_a_gpu"] = _Operations.of(run)
    return counts


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    calls = 0

    @classmethod
    def of(cls, run: Callable[[], object]) -> int:
        with cls() as counted:
            run()
        calls: int = counted.calls
        return calls

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - torch's own
        self.calls += 1
        return func(*args, **(kwargs or {}))


def made_up_batch(batch: int, options: Namespace) -> tuple[Tensor, Tensor]:
    """Draws (B, D) embeddings and (B, L) labels, four images a landmark."""
    embeddings, labels = landmark_images(batch, _IMAGES_PER_LANDMARK, options.seed)
    return embeddings.to(options.device), labels.to(options.device)


def step(loss: Loss, embeddings: Tensor, labels: Tensor) -> Tensor:
    """Computes a loss, and returns its gradient on the embeddings."""
    leaf = embeddings.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, labels), leaf)
    gradient[0, 0].item()  # waits for a GPU
    return gradient


def gradient_differences(options: Namespace) -> dict[str, float]:
    """Returns how far our gradient is from each baseline's in double precision, by its norm."""
    batch = min(options.batches)
    embeddings, labels = made_up_batch(batch, options)
    found = losses_at(batch, options)
    ours = step(found[OURS], embeddings, labels)
    published = {name: found[name] for name in (PLAIN, SUPRANK) if name in found}
    expected = {name: step(loss, embeddings.double(), labels) for name, loss in published.items()}
    return {name: ((ours - one).norm() / one.norm()).item() for name, one in expected.items()}


LOSSES: dict[str, Loss] = {
    OURS: losses.sup_hap_loss,
    "sup_hap, smooth H-rank": partial(losses.sup_hap_loss, smooth_h_ranks=True),
    "smooth_hap": losses.smooth_hap_loss,
    "sup_ap": losses.sup_ap_loss,
    "smooth_ap": losses.smooth_ap_loss,
    "soft_bin_ap": losses.soft_bin_ap_loss,
    "roadmap": losses.roadmap_loss,
    "sup_ndcg": losses.sup_ndcg_loss,
    "smooth_ndcg": losses.smooth_ndcg_loss,
    "recall_at_k": losses.recall_at_k_loss,
    "decomposability": losses.decomposability_loss,
    "triplet": losses.triplet_loss,
}


if __name__ == "__main__":
    main()
