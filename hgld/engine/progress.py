"""Progress of long work: a bar on a terminal, a log line now and then elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

logger = logging.getLogger(__name__)

# A first line soon, so that one sees that it runs; then twice as late each time, up to the second.
_FIRST_LINE_S = 2.0
_LINE_EVERY_S = 30.0

_in_lines = ContextVar("_in_lines", default=False)
_shown: "ContextVar[Progress | None]" = ContextVar("_shown", default=None)
"""The bars on the terminal, where there are any: a terminal has room for one set of them."""


class Advance(Protocol):
    """What is called with the number of steps just done."""

    def __call__(self, steps: int, problems: int = 0, note: str = "") -> None:
        """Counts steps, and how many of them came to nothing.

        A note is shown instead of these counts, until another one is given.
        """


@contextlib.contextmanager
def progress_in_lines() -> Iterator[None]:
    """Shows progress as log lines on a terminal too: for who reads the log somewhere else."""
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
        done: how many of them were done before, and say nothing of how fast it goes.

    Yields:
        A function to call with the number of steps just done, and of those that failed.
    """
    if sys.stderr.isatty() and not _in_lines.get():
        with _bar(description, total, done) as advance:
            yield advance
    else:
        yield _lines(description, total, done)


@contextlib.contextmanager
def _bar(description: str, total: int, done: int) -> Iterator[Advance]:
    with _bars() as bars:
        task = bars.add_task(description, total=total, completed=done, counts="")
        count = _Count(total, time.monotonic(), done, before=done)

        def advance(steps: int, problems: int = 0, note: str = "") -> None:
            count.add(steps, problems, note)
            bars.update(task, advance=steps, counts=count.words())

        try:
            yield advance
        finally:
            bars.remove_task(task)


@contextlib.contextmanager
def _bars() -> Iterator["Progress"]:
    """Yields the bars on the terminal, or starts them: work within other work has its bar below."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    shown = _shown.get()
    if shown is not None:
        yield shown
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        # What is left of the width, so that a long note is read to its end.
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        token = _shown.set(bars)
        try:
            yield bars
        finally:
            _shown.reset(token)


def _lines(description: str, total: int, done: int) -> Advance:
    count = _Count(total, time.monotonic(), done, before=done)
    said, wait = count.started, min(_FIRST_LINE_S, _LINE_EVERY_S)

    def advance(steps: int, problems: int = 0, note: str = "") -> None:
        nonlocal said, wait
        count.add(steps, problems, note)
        now = time.monotonic()
        if now - said >= wait:
            said, wait = now, min(2 * wait, _LINE_EVERY_S)
            logger.info(
                "%s: %d of %d: %s, about %.0f s left",
                description,
                count.done,
                total,
                count.words(),
                count.left_s(),
            )

    return advance


@dataclass(slots=True)
class _Count:
    """How much is done, how much of that failed, and how fast it goes."""

    total: int
    started: float
    done: int = 0
    problems: int = 0
    note: str = ""
    before: int = 0

    def add(self, steps: int, problems: int, note: str) -> None:
        self.done += steps
        self.problems += problems
        self.note = note or self.note

    def rate(self) -> float:
        """Returns steps a second since the start."""
        return (self.done - self.before) / max(time.monotonic() - self.started, 1e-9)

    def left_s(self) -> float:
        """Returns the seconds left at that rate; NaN while nothing is done."""
        rate = self.rate()
        return (self.total - self.done) / rate if rate else float("nan")

    def words(self) -> str:
        return self.note or (
            f"{self.done - self.problems} ok, {self.problems} problems, {self.rate():.3g} a second"
        )
