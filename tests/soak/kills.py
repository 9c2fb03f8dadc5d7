"""Kills a build at chosen moments, once in every stage, and goes on with it each time.

A moment is a file operation (a flush, a rename, a removal) of one stage, told by the folder that it
touches: the n-th of them ends the process, before it is done. SIGKILL ends it there and then;
SIGTERM and SIGHUP as whatever the program does with them.
"""

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hgld.flows.build import STEPS, load_step
from tests.soak.commands import run_forked

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)

_RELEASED = (
    *("label_changes.", "releases.", "README.", "DATASHEET.", "CITATION.", "RELEASE_NOTE."),
    *("croissant", "SHA256SUMS"),
)

_PLACES = {
    "metadata": ("stages/metadata.", "metadata/"),
    "evidence": ("stages/evidence.", "scrape/class_evidence/"),
    "scrape": ("stages/scrape.", "scrape/"),
    "cluster": (
        *("stages/cluster.", "labels/clusters/", "labels/centres/", "labels/cluster_changes/"),
    ),
    "propose": ("stages/propose.", "labels/proposals/", "labels/cluster_proposals/"),
    "embed": ("stages/embed.", "labels/"),
    "decided": ("stages/decided.", "review/decided/", "review/fill_decisions/"),
    "review": ("stages/review.", "review/"),
    "release": (
        "stages/release.",
        # In its place and beside it, with its own name and while it is written.
        *(
            f"annotations/{how}{name}"
            for name in _RELEASED
            for how in ("", ".", ".next/", ".next/.")
        ),
    ),
    "annotate": ("stages/annotate.", "annotations/"),
    **{
        f"images-{split}": (
            *(f"stages/images-{split}.", f"images/records/{split}/"),
            *(f"images/bad_images/{split}/", f"images/{split}/", f"images/tars/{split}."),
            f"images/.parts/{split}-",
        )
        for split in ("train", "index", "test")
    },
    "train": ("stages/train.", "runs/"),
    "benchmark": ("stages/benchmark.", "benchmarks/"),
}
"""Stage to what it alone touches; of two that fit, the first."""

BUILD_ORDER = tuple(stage.name for step in STEPS for stage in load_step(step, {}).stages)
"""The stages of a build, one after the other."""

STATUSES = {"SIGKILL": {-9}, "SIGTERM": {-15, 143, 130}, "SIGHUP": {-1, 129, 130}}
"""Signal to the statuses that a shell may see: killed, or ended by itself after the signal."""

_OPERATIONS = ("replace", "rename", "fsync", "unlink")


def stage_at(relative: str) -> str:
    """Returns the stage that touches a file, or an empty string."""
    # With a slash, since a folder is flushed as well.
    path = f"{relative}/"
    fitting = (stage for stage, places in _PLACES.items() if path.startswith(places))
    return next(fitting, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedOperations:
    """Called in a process before its command: writes down its file operations, and may end it."""

    root: Path
    log: Path
    """Gets a line for each operation: stage, operation, path."""
    stage: str = ""
    """In which the process is sent a signal; empty: in none."""
    number: int = 0
    """Of the operation within the stage, from 1, before which it is sent."""
    sent: int = 0

    def __call__(self) -> None:
        """Puts itself before the operating system's calls."""
        counts = Counter[str]()
        for name in _OPERATIONS:
            setattr(os, name, self._watched(getattr(os, name), name, counts))

    def _watched(
        self, call: Callable[..., Any], name: str, counts: Counter[str]
    ) -> Callable[..., Any]:
        def watched(first: Any, *others: Any, **named: Any) -> Any:  # noqa: ANN401 - as `call`
            # Of a rename the new name, which `stage_at` knows.
            is_open = isinstance(first, int)
            touched = Path(f"/proc/self/fd/{first}").readlink() if is_open else first
            touched = others[0] if others else touched
            relative = os.path.relpath(os.fspath(touched), self.root.resolve())
            if stage := stage_at(relative):
                counts[stage] += 1
                is_moment = stage == self.stage and counts[stage] == self.number
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(f"{stage} {name} {relative}{' killed' if is_moment else ''}\n")
                if is_moment:
                    os.kill(os.getpid(), self.sent)
            return call(first, *others, **named)

        return watched


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRecord:
    """One kill: proof that it happened, and where."""

    stage: str
    number: int
    """Of the operation within the stage."""
    operation: str
    """What it was about to do, and to what."""
    signal: str
    status: int
    """Of the process: -9 where SIGKILL ended it."""
    said_last: str
    """The last line that a user saw."""


def kill_in_every_stage(
    inputs: Path, operations: Iterable[str], moments: random.Random, first_signal: int = 0
) -> Iterator[KillRecord]:
    """Builds from its inputs, killed once in every stage, until nothing is left to do.

    Args:
        inputs: a build with settings, raw answers and decisions only.
        operations: those of an undisturbed build, a line each.
        moments: which of them it is.
        first_signal: which of `SIGNALS` comes first; they take turns.

    Yields:
        The kills, in order.

    Raises:
        RuntimeError: a run ended before its kill, or the last one did not end well.
    """
    log = inputs.parent / "operations"
    counts = Counter(line.split()[0] for line in operations)
    for turn, stage in enumerate(BUILD_ORDER):
        sent = SIGNALS[(first_signal + turn) % len(SIGNALS)]
        number = moments.randint(1, counts[stage])
        log.unlink(missing_ok=True)
        watch = WatchedOperations(root=inputs, log=log, stage=stage, number=number, sent=sent)
        ended = run_forked(["build", "--root", str(inputs)], before=watch)
        lines = log.read_text(encoding="utf-8").splitlines()
        killed = [line for line in lines if line.endswith(" killed")]
        if len(killed) != 1 or ended.status == 0:
            raise RuntimeError(
                f"the build must end at operation {number} of {stage}, got {killed} and status "
                f"{ended.status}: {ended.said}"
            )
        yield KillRecord(
            stage=stage,
            number=number,
            operation=" ".join(killed[0].split()[1:-1]),
            signal=signal.Signals(sent).name,
            status=ended.status,
            # Without the place of the build, which is of this machine and gone in a moment.
            said_last=next(iter(ended.said.splitlines()[::-1]), "").replace(str(inputs), "build"),
        )
    ended = run_forked(["build", "--root", str(inputs)])
    if ended.status:
        raise RuntimeError(f"the build that goes on ended with {ended.status}: {ended.said}")


def bare_copy(finished: Path, target: Path) -> None:
    """Copies of a finished build what a user had at its beginning, and his decisions."""
    target.mkdir(parents=True)
    shutil.copy2(finished / "hgld.toml", target)
    shutil.copytree(finished / "raw", target / "raw")
    (target / "review").mkdir()
    for path in (finished / "review").iterdir():
        if path.is_file():
            shutil.copy2(path, target / "review")
