"""`hgld` as it is typed, in this process.

A start of Python with torch and scikit-learn takes 5 to 15 seconds of the processor. What tests the
start itself, or the program as it is installed, starts Python anew.
"""

import contextlib
import importlib
import io
import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from click.testing import CliRunner, Result

from tests.worlds.process import process_put_back


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


def run(command: Sequence[str | Path], folder: Path, more: Mapping[str, str] | None = None) -> str:
    """Runs a program in a process of its own, which has to succeed; returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **(more or {})},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def said(*words: str | Path, status: int = 0, folder: Path | None = None) -> str:
    """Runs `hgld`, which has to end with a status; returns what is on stderr, or on stdout if 0."""
    done = run_typed(words, folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def only_line(*words: str | Path, status: int = 1, folder: Path | None = None) -> str:
    """Runs `hgld`, which has to fail; returns its only line, beside the log's with their time."""
    lines = said(*words, status=status, folder=folder).splitlines()
    (line,) = [line for line in lines if not re.match(r"\d\d:\d\d:\d\d ", line)]
    return line


def invoke(*words: str | Path) -> Result:
    """Runs `hgld` without its entry point: an error is the `exception`, and not yet a line."""
    commands = importlib.import_module("hgld.flows.cli.commands")
    with process_put_back():
        return CliRunner().invoke(commands.app, [str(word) for word in words], prog_name="hgld")


def parsed(name: str, words: Sequence[str]) -> click.Context:
    """Returns what a command makes of the words after it, without running it."""
    app = importlib.import_module("hgld.flows.cli.commands").app
    # click keeps the help option of the first use: without a parent, `--help` and no `-h`.
    parent = click.Context(app, **app.context_settings)
    with process_put_back():
        context: click.Context = app.commands[name].make_context(name, [*words], parent=parent)
    return context


def _run_main() -> int:
    try:
        importlib.import_module("hgld.flows.cli.commands").main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except Exception:  # noqa: BLE001 - as Python itself does where nobody catches it
        traceback.print_exc()
        return 1
    return 0
