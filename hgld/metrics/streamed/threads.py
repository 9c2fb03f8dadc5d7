"""Threads of our own in place of torch's: each takes whole blocks, and none waits for another.

A block is hundreds of operations of a tenth of a millisecond. Torch would share out each of them
and wait for the slowest thread after every one, so that a core that is busy with something else
holds up all (measured there: 170 s, not 35 s). A thread of ours that in turn ran torch's threads
would crowd the cores: 16 times 16 of them made a loss take 7.1 s, not 1.3 s.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import torch
from torch import Tensor


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Starts threads that run torch with one thread each.

    Args:
        count: how many.

    Yields:
        The pool. When it is left, torch has as many threads as before.
    """
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)  # what they set holds for threads started later too


def work_together(work: Callable[[], None], workers: int, blocks: Iterator[Tensor]) -> None:
    """Lets threads work side by side until the blocks are used up.

    Args:
        work: draws from `blocks` until there are none left.
        workers: how many threads; 1: the calling one.
        blocks: what is drawn from.
    """
    if workers == 1:
        work()
        return
    with torch_threads(workers) as pool:
        futures = [pool.submit(work) for _ in range(workers)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            deque(blocks, maxlen=0)  # after an error or Ctrl-C nothing more is begun
    for future in futures:
        future.result()
