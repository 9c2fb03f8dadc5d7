"""Builds in a process of their own, watched and killed at a file operation of one stage.

An operation is a flush, a rename or a removal; the stage is the first one whose manifest is not
there yet. The signal is sent before the operation is done: SIGKILL ends the process there and then,
SIGTERM and SIGHUP as whatever the program does with them.
"""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hgld.flows.build import STEPS, load_step
from tests.soak.commands import Ended, run_forked

BUILD_ORDER = tuple(stage.name for step in STEPS for stage in load_step(step, {}).stages)
"""The stages of a build, one after the other."""


def build_watched(
    root: Path, stage: str = "", number: int = 0, sent: int = 0
) -> tuple[Ended, list[str]]:
    """Runs `hgld build`, and sends it a signal before the operation of that number in a stage.

    Args:
        root: of the build.
        stage: empty: it is sent nothing.
        number: from 1.
        sent: the signal.

    Returns:
        How it ended, and its operations, as "stage operation path".
    """
    log = root.parent / "operations"
    log.unlink(missing_ok=True)
    watch = partial(_watch, root, log, (stage, number), sent)
    ended = run_forked(["build", "--root", str(root)], before=watch)
    return ended, log.read_text(encoding="utf-8").splitlines()


def _watch(root: Path, log: Path, moment: tuple[str, int], sent: int) -> None:
    counts, counting = Counter[str](), threading.Lock()

    def watched(call: Callable[..., Any], first: Any, *others: Any, **named: Any) -> Any:  # noqa: ANN401 - as `call`
        stages = (one for one in BUILD_ORDER if not (root / f"stages/{one}.json").exists())
        stage = next(stages, "")
        with counting:  # pictures come in several threads
            counts[stage] += 1
            count = counts[stage]
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{stage} {call.__name__} {others[0] if others else first}\n")
        if (stage, count) == moment:
            os.kill(os.getpid(), sent)
        return call(first, *others, **named)

    for name in ("replace", "rename", "fsync", "unlink"):
        setattr(os, name, partial(watched, getattr(os, name)))


def bare_copy(finished: Path, target: Path) -> Path:
    """Copies of a finished build what a user had at its beginning, and his decisions."""
    target.mkdir(parents=True)
    shutil.copy2(finished / "hgld.toml", target)
    shutil.copytree(finished / "raw", target / "raw")
    (target / "review").mkdir()
    for path in filter(Path.is_file, (finished / "review").iterdir()):
        shutil.copy2(path, target / "review")
    return target
