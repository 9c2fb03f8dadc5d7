"""Progress of long work: a bar on a terminal, a log line now and then elsewhere."""

import contextlib
import functools
import logging
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

# A first line soon, so that one sees that it runs; then twice as late each time, up to the second.
_FIRST_LINE_S = 2.0
_LINE_EVERY_S = 30.0

_in_lines = ContextVar("_in_lines", default=False)


class Advance(Protocol):
    """What is called with the number of steps just done."""

    def __call__(self, steps: int, problems: int = 0, note: str = "") -> None:
        """Counts steps, and how many of them failed.

        A note is shown instead of these counts, until another one is given.
        """


@contextlib.contextmanager
def progress_in_lines() -> Iterator[None]:
    """Shows progress as log lines on a terminal too, for those who read the log elsewhere."""
    token = _in_lines.set(True)
    try:
        yield
    finally:
        _in_lines.reset(token)


@contextlib.contextmanager
def progress(description: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Shows how far a piece of work is.

    Args:
        description: what is being done, such as `scrape: categories`.
        total: how many steps it has.
        done: how many of them were done before; they do not count for the rate.

    Yields:
        A function to call with the number of steps just done, and of those that failed.
    """
    count = _Count(description, total, done)
    if not sys.stderr.isatty() or _in_lines.get():
        yield count.log
        return
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        # What is left of the width, so that a long note is read to its end.
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[counts]}", markup=False),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=terminal(), transient=True) as bars:
        task = bars.add_task(description, total=total, completed=done, counts="")

        def advance(steps: int, problems: int = 0, note: str = "") -> None:
            count.add(steps, problems, note)
            bars.update(task, advance=steps, counts=count.words())

        yield advance


@functools.cache
def terminal() -> "Console":
    """Returns the terminal; on one of them, work within other work has its bar below."""
    from rich.console import Console

    return Console(stderr=True)


class _Count:
    """How much is done, how much of that failed, and how fast it goes."""

    def __init__(self, description: str, total: int, done: int) -> None:
        self.description, self.total, self.done, self.before = description, total, done, done
        self.problems, self.note = 0, ""
        self.started = self.logged = time.monotonic()
        self.wait_s = _FIRST_LINE_S

    def add(self, steps: int, problems: int, note: str) -> None:
        self.done += steps
        self.problems += problems
        self.note = note or self.note

    def rate(self) -> float:
        """Returns steps a second since the start."""
        return (self.done - self.before) / max(time.monotonic() - self.started, 1e-9)

    def words(self) -> str:
        counts = f"{self.done - self.problems} ok, {self.problems} problems"
        return self.note or f"{counts}, {self.rate():.3g} a second"

    def log(self, steps: int, problems: int = 0, note: str = "") -> None:
        """Counts, and logs a line if it is time for one."""
        self.add(steps, problems, note)
        now = time.monotonic()
        if now - self.logged < self.wait_s:
            return
        self.logged, self.wait_s = now, min(2 * self.wait_s, _LINE_EVERY_S)
        rate = self.rate()
        left_s = (self.total - self.done) / rate if rate else float("nan")
        done = f"{self.description}: {self.done} of {self.total}"
        logger.info("%s: %s, about %.0f s left", done, self.words(), left_s)
