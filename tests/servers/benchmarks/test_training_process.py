"""A trial trains in a process of its own, which ends with the command however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def test_the_process_that_trains_ends_with_a_command_that_is_killed() -> None:
    """Else the run would go on beside the next one of the same."""
    code = (
        "import multiprocessing, os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from hgld.benchmarks.training.trials import _begin\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(1, spawn, initializer=_begin) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        pool.submit(time.sleep, 600).result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        trains = int(process.stdout.readline())
        assert Path(f"/proc/{trains}").exists()
        process.kill()
        process.wait(30)
    for _ in range(300):
        if not Path(f"/proc/{trains}").exists():
            return
        time.sleep(0.1)
    os.kill(trains, signal.SIGKILL)
    pytest.fail("the process that trains was left behind")
