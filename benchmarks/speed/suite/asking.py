"""Asks a question in a process of its own, and reads what it wrote."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.suite.ledger import Entry
from hgld.benchmarks.speed.suite.questions import Question

_PACKAGES = ("torch", "numpy", "pyarrow")
_SAID = 300  # characters of the last line of an error


def ask_question(
    question: Question, options: Sequence[str], *, most_s: float, note: str = ""
) -> Entry:
    """Runs a question's script; whatever becomes of it, an entry says so.

    Args:
        question: which.
        options: of its script.
        most_s: how long it may take, in seconds; then it is ended, with all that it started.
        note: what else runs on the machine.

    Returns:
        The answer, or why there is none.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hgld-speed-") as folder:
        out = Path(folder) / "report.json"
        failed = _run([question.module, "--out", str(out), *options], most_s)
        answer, over = None, tuple[str, ...]()
        # A script that misses a bar of its own says so, and has written what it measured.
        if out.exists():
            try:
                report = json.loads(out.read_text(encoding="utf-8"))
                answer = question.read(report)
                bars = report.get("bars", {})
                over = tuple(name for name, one in bars.items() if not one["got"] <= one["at_most"])
                failed = ""
            except (ValueError, TypeError, LookupError, StopIteration, ZeroDivisionError) as error:
                failed = f"its report has no answer ({type(error).__name__}: {error})"
        elif not failed:
            failed = "it wrote no report"
    return Entry(
        question=question.name,
        options=tuple(options),
        answer=answer,
        failed=failed,
        over_the_bar=over,
        seconds=round(time.monotonic() - start, 1),
        environment=describe_environment(_PACKAGES),
        note=note,
    )


def unasked_entry(question: Question, options: Sequence[str]) -> Entry:
    """Returns what an entry would be by now, to compare with those that are there."""
    return Entry(
        question=question.name,
        options=tuple(options),
        answer=None,
        failed="not asked",
        over_the_bar=(),
        seconds=0.0,
        environment=describe_environment(_PACKAGES),
        note="",
    )


def _run(arguments: Sequence[str], most_s: float) -> str:
    """Runs a module; returns why it failed, empty where it did not."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = process.wait(most_s)
        except subprocess.TimeoutExpired:
            return f"it took longer than {most_s:g} s"
        finally:
            # The group is that of the script and of all that it has started, also where it ended.
            _end_group(process)
        if not code:
            return ""
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        return f"it ended with {code}: {lines[-1][:_SAID] if lines else 'and said nothing'}"


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
