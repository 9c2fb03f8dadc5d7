"""`hgld` as it is typed: a process for each command, forked from one that has loaded its imports.

They take up to 15 seconds of the processor, and of those that tests type there are hundreds. What
tests the start itself, or the program as it is installed, starts Python anew.
"""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hgld.benchmarks.faults.command import fork_server


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
    """Runs `hgld` with words, as a shell in a folder does; none: the folder of the tests."""
    return Typed(words, folder).ended()


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
