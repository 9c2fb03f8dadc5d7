"""Shards of an index made by several processes of this machine, each on a GPU where there are any.

    python -m hgld.training.index.making.processes FOLDER RANK

is one of them. It ends when whoever started it does.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import torch

from hgld.errors import HgldError, InputError
from hgld.training.index.making.plan import IndexPlan, load_plan
from hgld.training.index.making.work import ShardTold, shard_maker, told_on_stdout

logger = logging.getLogger(__name__)

_THREADS = "OMP_NUM_THREADS"
_END_S = 10.0


def make_by_processes(plan: IndexPlan, told: ShardTold) -> None:
    """Makes the shards of a saved plan by `nproc` processes.

    Where one is killed, the others make what it was at.

    Args:
        plan: what there is to make.
        told: is told how far each shard is.

    Raises:
        InputError: no process is left, and shards are.
    """
    count = min(plan.config.nproc, len(plan.tasks))
    started = [_Process(plan.folder, rank, count, told) for rank in range(count)]
    try:
        for one in started:
            one.wait()
    finally:
        for one in started:
            one.end()
    for one in started:
        if one.why:
            logger.warning("process %d of %d %s", one.rank + 1, count, one.why)
    missing = sum(not task.path(plan.folder).exists() for task in plan.tasks)
    if missing:
        why = next((one.why for one in started if one.why), "ended early")
        raise InputError(
            f"{missing} of {len(plan.tasks)} shards of {plan.folder} are not made: a process "
            f"{why}; what is done is kept, and the same command goes on"
        )


class _Process:
    """A process that makes shards, and a thread that listens to it."""

    def __init__(self, folder: Path, rank: int, count: int, told: ShardTold) -> None:
        self.rank, self.why = rank, ""
        self._told = told
        cores = max(1, (os.cpu_count() or 1) // count)
        environment = {_THREADS: str(cores), **os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", __name__, str(folder), str(rank)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait(self) -> None:
        """Waits until it has ended, and keeps why where it did not end well."""
        status = self._process.wait()
        self._listener.join()
        if status and not self.why:
            self.why = f"was ended by signal {-status}" if status < 0 else f"ended with {status}"

    def end(self) -> None:
        """Ends it, however far it is."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._listener.join()
            self._process.stdout.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            match json.loads(line):
                case [int(shard), int(done), int(problems)]:
                    with _telling:
                        self._told(shard, done, problems)
                case str(why):
                    self.why = f"failed: {why}"


_telling = threading.Lock()


def main(folder: Path, rank: int) -> int:
    """Makes shards until none is left; returns the exit status."""
    # What stops a terminal reaches each of its processes; the one that started this answers it.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()

    def tell(shard: int, done: int, problems: int) -> None:
        if os.getppid() != parent:
            os._exit(1)  # whoever started it is gone
        told_on_stdout(shard, done, problems)

    try:
        plan = load_plan(folder)
        shard_maker(plan, None, _device(plan.config.device, rank)).make_all(tell)
    except (HgldError, OSError) as error:
        sys.stdout.write(json.dumps(str(error)) + "\n")
        return 1
    return 0


def _device(device: str, rank: int) -> str:
    """Returns where a process runs: the GPUs are dealt out in turn."""
    gpus = torch.cuda.device_count()
    return f"cuda:{rank % gpus}" if device == "auto" and gpus else device


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
