"""`hgld` as it is typed: in this process, or in one of its own where it is to be stopped.

A start of Python with torch and scikit-learn takes 5 to 15 seconds of the processor. What tests the
start itself, or the program as it is installed, starts Python anew.
"""

import contextlib
import importlib
import io
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from typer.testing import CliRunner, Result

from tests.worlds.process import process_put_back

_PRELOADED = (
    *("hgld.flows.cli.commands", "hgld.training.run.loop", "hgld.benchmarks.retrieval.stage"),
    *("hgld.labels.clustering.stage", "hgld.labels.embedding.encoders", "sklearn.cluster"),
    *("sentence_transformers", "hgld.labels.proposing.propose"),
    # What these import with the first argument (0.2 s of the processor), text or proposal.
    *("typer._adapters", "transformers.models.bert.modeling_bert"),
    "transformers.models.bert.tokenization_bert",
)


def fork_server() -> ForkServerContext:
    """Returns the context whose processes have loaded what the commands take.

    A program has one such server, which loads what the first to start it names: so all name this.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context


class Typed:
    """A command that is under way."""

    def __init__(
        self,
        words: Sequence[str | Path],
        folder: Path | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Starts it.

        Args:
            words: as typed after `hgld`.
            folder: in which; none: that of the tests.
            before: called in the process before the command; must be picklable.
        """
        self.words = [str(word) for word in words]
        self._said = Path(tempfile.mkdtemp(prefix="hgld-typed-"))
        arguments = (self.words, folder or Path.cwd(), self._said, dict(os.environ), before)
        self.process = fork_server().Process(target=_main, args=arguments)
        self.process.start()

    def ended(self, limit_s: float = 300) -> "subprocess.CompletedProcess[str]":
        """Waits for its end; returns its exit status and what it said.

        Raises:
            TimeoutError: it did not end.
        """
        self.process.join(limit_s)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"hgld {' '.join(self.words)} hung for {limit_s:g} s")
        out, errors = (
            (self._said / name).read_text("utf-8", "replace") for name in ("out", "errors")
        )
        shutil.rmtree(self._said)
        return subprocess.CompletedProcess(self.words, self.process.exitcode, out, errors)


def run_typed(
    words: Sequence[str | Path], folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs `hgld` with words in this process, and leaves the process as it was.

    Args:
        words: as typed after `hgld`.
        folder: in which; none: that of the tests.

    Returns:
        The exit status, and what was said on stdout and stderr.
    """
    typed = [str(word) for word in words]
    out, errors = io.StringIO(), io.StringIO()
    handlers = logging.root.handlers[:]
    with process_put_back(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        os.chdir(folder or Path.cwd())
        sys.argv[:] = ["hgld", *typed]
        logging.root.handlers.clear()  # pytest's, beside which the command would log to nobody
        try:
            status = _run_main()
        finally:
            logging.root.handlers[:] = handlers
    return subprocess.CompletedProcess(typed, status, out.getvalue(), errors.getvalue())


def invoke(*words: str | Path) -> Result:
    """Runs `hgld` without its entry point: an error is the `exception`, and not yet a line."""
    commands = importlib.import_module("hgld.flows.cli.commands")
    with process_put_back():
        return CliRunner().invoke(commands.app, [str(word) for word in words], prog_name="hgld")


def _run_main() -> int:
    try:
        importlib.import_module("hgld.flows.cli.commands").main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except Exception:  # noqa: BLE001 - as Python itself does where nobody catches it
        traceback.print_exc()
        return 1
    return 0


def _main(
    words: list[str],
    folder: Path,
    said: Path,
    environment: Mapping[str, str],
    before: Callable[[], None] | None,
) -> None:
    for number, name in ((1, "out"), (2, "errors")):
        with (said / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    # The server ignores it, and has the environment of its own start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["hgld", *words]
    if before is not None:
        before()
    importlib.import_module("hgld.flows.cli.commands").main()
