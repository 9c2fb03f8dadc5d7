"""Progress of long work: a bar on a terminal, a log line now and then elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

_LINE_EVERY_S = 30.0


@contextlib.contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows how far a piece of work is.

    Args:
        description: what is being done, such as `scrape: categories`.
        total: how many steps it has.

    Yields:
        A function to call with the number of steps just done.
    """
    if sys.stderr.isatty():
        with _bar(description, total) as advance:
            yield advance
    else:
        yield _lines(description, total)


@contextlib.contextmanager
def _bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)


def _lines(description: str, total: int) -> Callable[[int], None]:
    done, started = 0, time.monotonic()
    said = started

    def advance(steps: int) -> None:
        nonlocal done, said
        done += steps
        now = time.monotonic()
        if now - said >= _LINE_EVERY_S:
            said = now
            left_s = (now - started) / done * (total - done) if done else float("nan")
            logger.info("%s: %d of %d, about %.0f s left", description, done, total, left_s)

    return advance
