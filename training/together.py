"""The processes that train one model together: each embeds a part of every batch.

What the others embedded is gathered, so that each process computes the loss of the whole batch, and
of its gradient takes its own part back through the model; the gradients of the weights are then
summed. So N processes take the step of one, whatever the loss: no part of it is averaged. Only the
first writes. `torchrun` starts them, on one machine or several, and ends all where one ends.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.model.devices import choose_device

TIMEOUT = timedelta(minutes=30)
"""After which a process that hangs ends all: the others wait as long while the first measures the
run on held-out landmarks, so that it is more than the ten minutes of NCCL."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this one is."""

    rank: int = 0
    count: int = 1

    def own(self, rows: Tensor) -> Tensor:
        """Returns the rows of a whole batch that are this process's.

        Args:
            rows: (B, ...), B a multiple of the number of processes.

        Returns:
            (B / count, ...), a view.
        """
        size = len(rows) // self.count
        return rows[self.rank * size : (self.rank + 1) * size]

    def gathered(self, rows: Tensor) -> Tensor:
        """Returns the rows of all processes, in their order, without gradient.

        Args:
            rows: (B / count, ...), of this process.

        Returns:
            (B, ...); where there is one process, the rows themselves.
        """
        if self.count == 1:
            return rows.detach()
        parts = [torch.empty_like(rows) for _ in range(self.count)]
        distributed.all_gather(parts, rows.detach().contiguous())
        return torch.cat(parts)

    def shared(self, content: dict[str, object]) -> dict[str, object]:
        """Returns what the first process passes, in each of them.

        Args:
            content: tensors, numbers, texts, and lists and dicts of them; those that the other
                processes pass count for nothing.
        """
        if self.count == 1:
            return content
        passed = [content]
        distributed.broadcast_object_list(passed, src=0)
        return passed[0]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces the gradients of weights by their sum over all processes.

        Args:
            parameters: the same in every process; those without gradient are left out, which must
                be the same too.
        """
        if self.count == 1:
            return
        gradients = [one.grad for one in parameters if one.grad is not None]
        total = torch.cat([one.flatten() for one in gradients])  # in one message, not in hundreds
        distributed.all_reduce(total)
        parts = torch.split(total, [one.numel() for one in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


@contextlib.contextmanager
def joined_by_torchrun(config: TrainConfig) -> Iterator[tuple[TrainConfig, Ranks]]:
    """Joins the processes that `torchrun` has started, and leaves them at the end of the block.

    Args:
        config: of the run.

    Yields:
        The settings of this process, with its device, and which of them it is.

    Raises:
        InputError: torchrun did not start this process.
    """
    told = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if None in told:
        raise InputError(
            "hgld.training is started by torchrun: `torchrun --nproc-per-node 2 -m hgld.training "
            "--root build`; one process is `hgld train`"
        )
    rank, count, local = (int(value) for value in told if value is not None)
    place = choose_device(config.device).type
    if place == "cuda":
        config = dataclasses.replace(config, device=f"cuda:{local}")
    distributed.init_process_group("nccl" if place == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield config, Ranks(rank, count)
    finally:
        distributed.destroy_process_group()
