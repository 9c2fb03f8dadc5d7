"""Show the project's log on the page of a Prefect run, and expected errors as one line."""

import contextlib
import logging
from collections.abc import Iterator
from typing import cast

from prefect.context import TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.logging.loggers import PrefectLogAdapter, get_run_logger

from hgld.engine.progress import progress_in_lines
from hgld.errors import HgldError

REFUSALS = (HgldError, OSError)
"""Expected errors, shown as one line; everything else is a bug and shows its traceback."""

_PREFECT_LOGGERS = ("prefect.task_runs", "prefect.flow_runs", "prefect.engine")


@contextlib.contextmanager
def log_to_run() -> Iterator[None]:
    """Sends the project's log lines and progress to the current task run.

    Prefect's own setting, `PREFECT_LOGGING_EXTRA_LOGGERS`, is read once from the user's profile,
    leaves the level at WARNING, and warns about every line from a thread.
    """
    about = cast(PrefectLogAdapter, get_run_logger()).extra or {}

    def is_of_this_run(record: logging.LogRecord) -> bool:
        """Tags a line with the run; rejects lines of other runs in this process."""
        context = TaskRunContext.get()
        if context is not None and str(context.task_run.id) != about["task_run_id"]:
            return False
        record.__dict__.update(about)
        return True

    handler = APILogHandler()
    handler.addFilter(is_of_this_run)
    logger = logging.getLogger("hgld")
    level = logger.level
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        with progress_in_lines():
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def quiet_refusals() -> None:
    """Keeps Prefect from logging the traceback of an expected error beside its one line.

    This stays in effect, because the engine logs the exception of a deployed flow after its end.
    """
    for name in _PREFECT_LOGGERS:
        logging.getLogger(name).addFilter(_is_news)  # repeated calls add it only once


def in_one_line(error: BaseException) -> str:
    """Returns the text of an error as one line, for a table cell or a state."""
    return " ".join(str(error).split())


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], REFUSALS))
