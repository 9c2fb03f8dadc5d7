"""Runs the `hgld` command as a user does, in a process of its own, thousands of times.

A start of Python with torch, scikit-learn and a text encoder takes five seconds. A server process
loads them once, and each command is a fork of it: the same `main`, with a real exit status, real
signals, and nothing left over from the command before.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

LIMIT_S = 120.0
"""After which a command counts as hanging, and is killed."""

HUNG = -1000
"""The exit status of one that hung, which no process has."""

_PRELOADED = (
    *("hgld.flows.cli.commands", "hgld.training.run.loop", "hgld.benchmarks.retrieval.stage"),
    *(
        "hgld.labels.clustering.stage",
        "hgld.labels.embedding.encoders",
        "sklearn.cluster",
        "sentence_transformers",
    ),
    # What these import with the first argument (0.2 s of the processor), text or proposal.
    *(
        "typer._adapters",
        "transformers.models.bert.modeling_bert",
        "transformers.models.bert.tokenization_bert",
    ),
    "hgld.labels.proposing.propose",
)


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    """Its exit status; -9 where SIGKILL ended it."""
    said: str
    """All that it wrote on stdout and stderr."""

    @property
    def is_traceback(self) -> bool:
        """Whether it ended in a traceback, or by a fault of the processor."""
        faults = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, HUNG}
        return "Traceback (most recent call last)" in self.said or self.status in faults


def run_hgld(arguments: Sequence[str], before: Callable[[], None] | None = None) -> Ended:
    """Runs `hgld` with arguments.

    Args:
        arguments: as typed after `hgld`.
        before: called in the process before the command; must be picklable.
    """
    with tempfile.TemporaryDirectory(prefix="hgld-said-") as folder:
        out = Path(folder) / "said"
        process = fork_server().Process(target=_main, args=(list(arguments), out, before))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            return Ended(HUNG, f"hung for {LIMIT_S:g} s")
        return Ended(process.exitcode, out.read_text(encoding="utf-8", errors="replace"))


def fork_server() -> ForkServerContext:
    """Returns the context whose processes have loaded what the commands take.

    A program has one such server, which loads what the first to start it names: so all name this.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    return context


def _main(arguments: list[str], out: Path, before: Callable[[], None] | None) -> None:
    with out.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # The server's own handlers are no shell's: it ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.import_module("torch").set_num_threads(1)  # two commands at a time on two cores
    sys.argv = ["hgld", *arguments]
    if before is not None:
        before()
    importlib.import_module("hgld.flows.cli.commands").main()
