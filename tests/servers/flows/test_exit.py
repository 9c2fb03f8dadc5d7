"""A command that was stopped and whose process cannot end by itself: seconds of waiting."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STOPPED = "stopped; run the same command to go on\n"


def ended_soon(app: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command line with another application, and 1 s for its exit."""
    text = (
        "import os, queue, signal, threading, time; from hgld.flows.cli import commands, signals\n"
        f"{app}commands.app, signals._EXIT_S = app, 1\n"
        "commands.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_a_thread_that_nobody_wakes_does_not_keep_a_command_that_was_stopped() -> None:
    done = ended_soon(
        "def app():\n"
        "    print('half of it')\n"
        "    threading.Thread(target=queue.Queue().get).start()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "half of it\n", STOPPED)


def test_what_ends_slowly_after_the_threads_is_let_end() -> None:
    done = ended_soon(
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep, write=os.write):\n"
        "        sleep(2)\n"
        "        write(1, b'taken down')\n"
        "slow = Slow()\n"  # as a module's, which goes when the handlers are gone
        "def app():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "taken down", STOPPED)
