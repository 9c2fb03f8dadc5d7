"""Other processes that train one model with this one: started, told apart, and ended together.

They hold nothing that is not here too: whatever happens, this process alone writes, and the others
end with it.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from hgld.errors import DamagedError, HgldError, InputError
from hgld.training.config import TrainConfig
from hgld.training.data.loading import live_with_parent
from hgld.training.model.devices import choose_device
from hgld.training.together.ranks import Ranks

_HOST = "127.0.0.1"
# Until they are killed, which leaves semaphores behind that Python warns of.
_ENDS_WITHIN_S = 10.0

Follow = Callable[[Path, TrainConfig, Ranks], None]
"""What the other processes do: the build's folder, the settings, and which of them it is."""


@contextlib.contextmanager
def others_beside(
    root: Path, config: TrainConfig, follow: Follow, joined: Ranks | None = None
) -> Iterator[Ranks]:
    """Starts the other processes of a run, and ends them when the block is left.

    Args:
        root: folder of the build.
        config: of the run; `nproc` says how many there are with this one.
        follow: what each of the others does, a function of a module.
        joined: which process this is, where somebody else has started them all.

    Yields:
        This process as the first of them.

    Raises:
        InputError: one of them ended before its time; the text says of what, where it is known.
        DamagedError: of a picture that is not what was recorded.
    """
    if joined is not None or config.nproc == 1:
        yield joined or Ranks()
        return
    _require_devices(config)
    store = TCPStore(_HOST, 0, config.nproc, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    others = [
        context.Process(
            target=_follow,
            args=(follow, root, config, Ranks(rank, config.nproc), store.port, sender),
            daemon=False,  # they may have processes of their own, which read images
        )
        for rank in range(1, config.nproc)
    ]
    for other in others:
        other.start()
    sender.close()
    try:
        _join(store, config, Ranks(0, config.nproc))
        yield Ranks(0, config.nproc)
        _part_from(others)
    except RuntimeError as error:
        if not _is_of_another(error):
            raise
        raise _why(receiver, others, config) from error
    finally:
        for other in others:
            other.kill()
            other.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _part_from(others: Sequence[BaseProcess]) -> None:
    """Leaves the group, and lets the others put away what they have: nothing more comes."""
    distributed.destroy_process_group()
    deadline = time.monotonic() + _ENDS_WITHIN_S
    for other in others:
        other.join(max(0.0, deadline - time.monotonic()))


@contextlib.contextmanager
def joined_by_torchrun(config: TrainConfig) -> Iterator[tuple[TrainConfig, Ranks]]:
    """Joins the processes that `torchrun` has started, and leaves them at the end of the block.

    Args:
        config: of the run; its `nproc` is replaced by how many there are.

    Yields:
        The settings of this process, and which of them it is.

    Raises:
        InputError: torchrun did not start this process.
    """
    told = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if None in told:
        raise InputError(
            "hgld.training is started by torchrun: `torchrun --nproc-per-node 2 -m hgld.training "
            "--root build`; on one machine `hgld train --nproc 2` does the same"
        )
    rank, count, local = (int(value) for value in told if value is not None)
    place = choose_device(config.device).type
    device = f"cuda:{local}" if place == "cuda" else config.device
    config = dataclasses.replace(config, nproc=count, device=device)
    # Without, a hang is noticed after ten minutes under nccl and thirty under gloo.
    timeout = timedelta(seconds=config.timeout_s)
    distributed.init_process_group("nccl" if place == "cuda" else "gloo", timeout=timeout)
    try:
        yield config, Ranks(rank, count)
    finally:
        distributed.destroy_process_group()


def device_of(config: TrainConfig, ranks: Ranks) -> str:
    """Returns the device of a process, as a setting: where each has a GPU, that of its number."""
    place = choose_device(config.device)
    return f"cuda:{ranks.rank}" if ranks.count > 1 and place.type == "cuda" else config.device


def _require_devices(config: TrainConfig) -> None:
    there = torch.cuda.device_count()
    if choose_device(config.device).type == "cuda" and config.nproc > there:
        raise InputError(
            f"nproc must be at most the number of GPUs, {there}, got {config.nproc}; lower it"
        )


def _join(store: Store, config: TrainConfig, ranks: Ranks) -> None:
    is_gpu = choose_device(device_of(config, ranks)).type == "cuda"
    distributed.init_process_group(
        "nccl" if is_gpu else "gloo",
        store=PrefixStore(config.name, store),
        rank=ranks.rank,
        world_size=ranks.count,
        timeout=timedelta(seconds=config.timeout_s),
    )


def _follow(
    follow: Follow, root: Path, config: TrainConfig, ranks: Ranks, port: int, sender: Connection
) -> None:
    live_with_parent(ranks.rank)
    threads = max(1, torch.get_num_threads() // ranks.count)
    torch.set_num_threads(threads)
    try:
        store = TCPStore(_HOST, port, ranks.count, is_master=False)
        _join(store, config, ranks)
        follow(root, dataclasses.replace(config, device=device_of(config, ranks)), ranks)
    except HgldError as error:
        sender.send((ranks.rank, isinstance(error, DamagedError), str(error)))
    except RuntimeError as error:
        if not _is_of_another(error):  # else it is told of the one that ended first
            sender.send((ranks.rank, False, f"{type(error).__name__}: {error}"))


def _why(receiver: Any, others: Sequence[BaseProcess], config: TrainConfig) -> HgldError:  # noqa: ANN401
    """Returns the error of the process that ended first."""
    if receiver.poll(1.0):
        with contextlib.suppress(EOFError):
            rank, is_damage, text = receiver.recv()
            kind = DamagedError if is_damage else InputError
            return kind(f"process {rank} of {config.nproc} that train together: {text}")
    for other in others:
        other.join(timeout=1.0)
    ended = [number for number, one in enumerate(others, start=1) if one.exitcode is not None]
    if not ended:
        return InputError(
            f"one of {config.nproc} processes that train together did not answer for timeout_s "
            f"({config.timeout_s:g} s); rerun to go on from the last checkpoint, with a larger "
            f"timeout_s where the first takes longer to measure the run"
        )
    return InputError(
        f"process {ended[0]} of {config.nproc} that train together was killed, as the system does "
        f"where memory runs out; lower nproc, batch_size (now {config.batch_size}) or workers, "
        f"then rerun to go on from the last step"
    )


def _is_of_another(error: RuntimeError) -> bool:
    """Says whether an error tells that another process is gone."""
    is_of_group = isinstance(error, distributed.DistError)
    return is_of_group or any(word in str(error) for word in ("gloo", "NCCL", "Connection"))
