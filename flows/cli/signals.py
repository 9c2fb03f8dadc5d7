"""How the command line ends when it is told to stop: one line, whole files, its exit status.

The entry point alone asks for this. Whoever imports the library keeps the handlers they have.
"""

import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

STOPPED = "stopped; run the same command to go on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that is closed sends SIGHUP itself, and so does its shell: they ask once.
_SAME_WITHIN_S = 1.0
# For what libraries still do at the exit: Prefect sends the last events of its run.
_EXIT_S = 10


class _Stop(SystemExit):
    """A signal asked for the end.

    A SystemExit, which libraries let through: asyncio and typer as they do Ctrl-C, and a process
    that was forked ends with it in silence.
    """


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ends the block when a signal asks for it, as Ctrl-C does, whichever of three it is.

    A signal that is ignored stays ignored: `nohup` and a shell's background jobs ask for that.

    Raises:
        SystemExit: with the status 128 + number of the signal, the line on stderr having been
            written.
    """
    received: list[int] = []
    first_at = 0.0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first_at
        if received and time.monotonic() - first_at < _SAME_WITHIN_S:
            return
        received.append(number)
        first_at = time.monotonic()
        raise _Stop(128 + number)

    held = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in held}
    try:
        yield
    finally:
        # From here on a signal ends the process at once, also one that is not the first.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if received else handler)
        # Whatever came of it: a library may have made an error of its own of it.
        if received:
            with contextlib.suppress(OSError):  # the terminal may be gone
                sys.stderr.write(f"{STOPPED}\n")
            _exit_for_certain(128 + received[0])
            raise SystemExit(128 + received[0]) from None


def _exit_for_certain(status: int) -> None:
    """Ends this process in a while, should its exit wait for a thread that nobody wakes any more.

    A stop may come while the main thread puts something into a `queue.Queue`, just after a waiting
    thread was woken and before that is noted: what is put in next wakes nobody. Of some 400 stops
    of a demo one met Prefect's queue of events so, and Prefect's exit waited for it to be empty.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(status)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(_EXIT_S)
    # What comes after the threads have ended may take as long as it does: modules are taken down,
    # and first of all the handlers, so that an alarm would kill it with a status of its own.
    atexit.register(signal.alarm, 0)
