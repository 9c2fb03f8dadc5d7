"""`hgld` as the soak tests run it: in a process of its own, which may crash or hang."""

import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tests.worlds.commands.typed import Typed, run_typed

LIMIT_S = 120.0
"""After which a command counts as hanging, and is killed."""

HUNG = -1000
"""The exit status of one that hung, which no process has."""


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    """Its exit status; -9 where SIGKILL ended it."""
    said: str
    """All that it wrote on stdout and stderr."""

    @property
    def is_traceback(self) -> bool:
        """Whether it ended in a traceback, or by a fault of the processor."""
        faults = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, HUNG}
        return "Traceback (most recent call last)" in self.said or self.status in faults


class RunCommand(Protocol):
    """What runs `hgld` with words."""

    def __call__(self, words: Sequence[str]) -> Ended:
        """Runs it to its end."""


def run_forked(words: Sequence[str], before: Callable[[], None] | None = None) -> Ended:
    """Runs `hgld` in a process of its own.

    Args:
        words: as typed after `hgld`.
        before: called in the process before the command; must be picklable.
    """
    try:
        done = Typed(words, before=before).ended(LIMIT_S)
    except TimeoutError as error:
        return Ended(HUNG, str(error))
    return Ended(done.returncode, done.stdout + done.stderr)


def run_here(words: Sequence[str]) -> Ended:
    """Runs `hgld` in this process, which takes no start."""
    done = run_typed(words)
    return Ended(done.returncode, done.stdout + done.stderr)
