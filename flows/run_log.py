"""The project's log in a Prefect run: its lines on the run's page, and a refusal in one line."""

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
"""What the world does, which one line tells; everything else is a bug, and shows its traceback."""

_PREFECT_LOGGERS = ("prefect.task_runs", "prefect.flow_runs", "prefect.engine")


@contextlib.contextmanager
def log_to_run() -> Iterator[None]:
    """Sends the project's log lines and progress to the task run that runs now, as it goes.

    Prefect's own way, the setting `PREFECT_LOGGING_EXTRA_LOGGERS`, is read once from the settings
    of whoever runs the flow, leaves the level at WARNING, and warns of every line of a thread.
    """
    about = cast(PrefectLogAdapter, get_run_logger()).extra or {}

    def is_of_this_run(record: logging.LogRecord) -> bool:
        """Marks a line with the run; one of another run in this process is not taken."""
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
    """Keeps Prefect from logging the traceback of a refusal beside the line that tells it.

    It stays so in this process: the engine logs the exception of a deployed flow after its end.
    """
    for name in _PREFECT_LOGGERS:
        logging.getLogger(name).addFilter(_is_news)  # once, however often it is called


def in_one_line(error: BaseException) -> str:
    """Returns the text of an error, which for a row of a table or a state must be one line."""
    return " ".join(str(error).split())


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], REFUSALS))
