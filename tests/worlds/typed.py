"""`hgld` as it is typed: a process for each command, forked from one that has loaded its imports.

They take up to 15 seconds of the processor, and of those that tests type there are hundreds. What
tests the start itself, or a signal, starts Python anew.
"""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.benchmarks.faults.command import fork_server


def run_typed(
    words: Sequence[str | Path], folder: Path | None = None, limit_s: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Runs `hgld` with words, as a shell in a folder does; none: the folder of the tests."""
    arguments = [str(word) for word in words]
    with tempfile.TemporaryDirectory(prefix="hgld-typed-") as name:
        said = Path(name)
        place = folder or Path.cwd()
        process = fork_server().Process(
            target=_main, args=(arguments, place, said, dict(os.environ))
        )
        process.start()
        process.join(limit_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"hgld {' '.join(arguments)} hung for {limit_s:g} s")
        out, errors = ((said / name).read_text("utf-8", "replace") for name in ("out", "errors"))
        return subprocess.CompletedProcess(arguments, process.exitcode, out, errors)


def _main(arguments: list[str], folder: Path, said: Path, environment: Mapping[str, str]) -> None:
    for number, name in ((1, "out"), (2, "errors")):
        with (said / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    # The server ignores it, and has the environment of its own start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["hgld", *arguments]
    importlib.import_module("hgld.flows.cli.commands").main()
