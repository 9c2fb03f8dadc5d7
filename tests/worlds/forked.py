"""A part of a test in a process of its own, forked from this one: it starts in milliseconds."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable


class Forked:
    """Something that is done in a fork of this process; it shares no thread with it."""

    def __init__(self, act: Callable[[], object]) -> None:
        """Starts it.

        Args:
            act: what is done; an exception is its exit status 1, and is shown on stderr.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # From Python 3.12 on it warns of threads; the fork uses nothing that they may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                act()
                status = 0
            except BaseException:  # noqa: BLE001 - nothing may go on in the fork
                traceback.print_exc()
            finally:
                os._exit(status)

        self._status: int | None = None

    def is_alive(self) -> bool:
        """Says whether it has not ended yet."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is None

    def kill(self) -> None:
        """Kills it, unless it has ended."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> int:
        """Waits for its end; returns its exit status, or the number of what killed it, negative."""
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(self._status)


def run_forked(act: Callable[[], object]) -> int:
    """Does something in a fork of this process; returns how it ended, as `Forked.ended`."""
    return Forked(act).ended()


def killed_after(survived: int, write: Callable[[], object]) -> int:
    """Runs in a fork, which is killed before one of the calls that change what lies on the disk.

    Args:
        survived: how many of those calls are made.
        write: the run.

    Returns:
        The fork's exit status.
    """

    def run() -> None:
        made = 0

        def counted(act: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                nonlocal made
                made += 1
                if made > survived:
                    os.kill(os.getpid(), signal.SIGKILL)
                return act(*arguments, **options)

            return call

        for name in ("replace", "rename", "unlink", "rmdir", "fsync"):
            setattr(os, name, counted(getattr(os, name)))
        write()

    return Forked(run).ended()
