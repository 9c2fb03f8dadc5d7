"""`hgld` as the soak tests run it: in a process of its own, which may crash or hang."""

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.worlds.commands.typed import run_typed

_PRELOADED = (
    *("hgld.flows.cli.commands", "hgld.training.run.loop", "hgld.benchmarks.retrieval.figures"),
    *("hgld.labels.clustering.stage", "hgld.labels.embedding.encoders", "sklearn.cluster"),
    *("sentence_transformers", "hgld.labels.proposing.learning"),
    # What these import with the first argument (0.2 s of the processor), text or proposal.
    *("typer._adapters", "transformers.models.bert.modeling_bert"),
    "transformers.models.bert.tokenization_bert",
)

LIMIT_S = 120.0
"""After which a command counts as hanging, and is killed."""

HUNG = -1000
"""The exit status of one that hung, which no process has."""


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


def run_forked(words: Sequence[str], before: Callable[[], None] | None = None) -> Ended:
    """Runs `hgld` in a process of its own, forked from a server that has loaded what it takes.

    Args:
        words: as typed after `hgld`.
        before: called in the process before the command; must be picklable.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    with tempfile.TemporaryDirectory(prefix="hgld-said-") as folder:
        said = Path(folder) / "said"
        process = context.Process(target=_main, args=(list(words), said, before))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            return Ended(HUNG, f"hung for {LIMIT_S:g} s")
        return Ended(process.exitcode, said.read_text(encoding="utf-8", errors="replace"))


def _main(words: list[str], said: Path, before: Callable[[], None] | None) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which the server ignores
    sys.argv[:] = ["hgld", *words]
    if before is not None:
        before()
    importlib.import_module("hgld.flows.cli.commands").main()


def run_here(words: Sequence[str]) -> Ended:
    """Runs `hgld` in this process, which takes no start."""
    done = run_typed(words)
    return Ended(done.returncode, done.stdout + done.stderr)
