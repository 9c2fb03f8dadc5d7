"""Progress of long work: a bar on a terminal, otherwise an occasional log line."""

import contextlib
import functools
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

# The first line comes soon, to show that it runs; the wait then doubles up to the second value.
_FIRST_LINE_S = 2.0
_LINE_EVERY_S = 30.0
# The first step warms up and may be off by seven times.
_STEPS_OF_ESTIMATE = 3

_in_lines = ContextVar("_in_lines", default=False)


class Advance(Protocol):
    """The function that reports steps just done."""

    def __call__(self, steps: int, problems: int = 0, note: str = "") -> None:
        """Counts steps, and how many failed; a note is shown instead of the counts."""


@contextlib.contextmanager
def progress_in_lines() -> Iterator[None]:
    """Shows progress as log lines even on a terminal, for a log that is read elsewhere."""
    token = _in_lines.set(True)
    try:
        yield
    finally:
        _in_lines.reset(token)


@contextlib.contextmanager
def progress(description: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Shows the progress of a piece of work.

    Args:
        description: of the work, such as `scrape: categories`.
        total: number of steps.
        done: number of steps done before, which do not count for the rate.

    Yields:
        A function to call with the number of steps just done, and of those that failed.
    """
    is_bar = sys.stderr.isatty() and not _in_lines.get()
    with _bar(description, total, done) if is_bar else contextlib.nullcontext() as show:
        yield _Count(description, total, done, show)


@contextlib.contextmanager
def _bar(description: str, total: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """Yields a function that moves a bar by some steps and sets the words behind it."""
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        # The rest of the width, so that a long note is not cut off.
        rich_progress.BarColumn(bar_width=None),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[words]}", markup=False),
    )
    with rich_progress.Progress(*columns, console=terminal(), transient=True) as bars:
        task = bars.add_task(description, total=total, completed=done, words="")
        yield lambda steps, words: bars.update(task, advance=steps, words=words)


@functools.cache
def terminal() -> "Console":
    """Returns the one shared terminal, on which bars of nested work stack."""
    from rich.console import Console

    return Console(stderr=True)


class _Count:
    """Counts steps, failures and the rate, and shows them in a bar or a log line."""

    def __init__(
        self, description: str, total: int, done: int, show: Callable[[int, str], None] | None
    ) -> None:
        self.description, self.total, self.show = description, total, show
        self.done, self.before, self.problems, self.note = done, done, 0, ""
        self.started = self.logged = time.monotonic()
        self.wait_s, self.calls = _FIRST_LINE_S, 0

    def __call__(self, steps: int, problems: int = 0, note: str = "") -> None:
        self.done, self.problems = self.done + steps, self.problems + problems
        self.calls += bool(steps)
        self.note = note or self.note
        now = time.monotonic()
        rate = (self.done - self.before) / max(now - self.started, 1e-9)
        counts = (
            f"{self.done - self.problems:,} ok, {self.problems:,} problems, {rate:.3g} a second"
        )
        words = self.note or counts
        if self.calls >= _STEPS_OF_ESTIMATE:
            words += f", about {(self.total - self.done) / rate:,.0f} s left"
        if self.show:
            self.show(steps, words)
        elif now - self.logged >= self.wait_s:
            self.logged, self.wait_s = now, min(2 * self.wait_s, _LINE_EVERY_S)
            done = f"{self.description}: {self.done:,} of {self.total:,}"
            logger.info("%s, %s", done, words)
