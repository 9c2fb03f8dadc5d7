"""Runs of one build take turns, in the order they came; runs of other builds do not wait.

Each waits for a lock on the ticket of every run before it. The system frees the lock of a run that
is killed at once. Prefect's global concurrency limits do neither: a waiting run asks again
after a random time, a killed holder keeps its slot for a minute, and for ever if the server was
restarted meanwhile, which keeps leases in memory.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hgld.engine.files import writing
from hgld.engine.workspace import Workspace

RUNS_FOLDER = ".flows"
"""The folder of a build with the tickets of its runs."""


@contextlib.contextmanager
def own_turn(workspace: Workspace, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Waits until no earlier run and no command uses the build.

    Args:
        workspace: the build; its folder is created, and removed if it is still empty at the end.
        name: of the run, for those that wait for it.
        on_wait: called before each wait, with what it waits for.
    """
    folder, is_new = workspace.path(RUNS_FOLDER), not workspace.root.exists()
    ticket = folder / f"{time.time_ns()}-{os.getpid()}"
    try:
        with contextlib.ExitStack() as stack:
            with _door(folder):
                earlier = sorted(path for path in folder.iterdir() if path.is_file())
                own = stack.enter_context(ticket.open("w"))
                own.write(name)
                own.flush()
                fcntl.flock(own, fcntl.LOCK_EX)
            for path in earlier:
                _wait_for(path, on_wait)
                path.unlink(missing_ok=True)  # of a run that was killed
            _wait_for(workspace.path(".lock"), on_wait)  # of a command, or what a killed run left
            yield
    finally:
        ticket.unlink(missing_ok=True)
        if is_new:
            with contextlib.suppress(OSError), _door(folder):  # not empty
                folder.rmdir()
                workspace.root.rmdir()


@contextlib.contextmanager
def _door(folder: Path) -> Iterator[None]:
    """Lets in one run at a time, and only while the folder is there: who comes first may end it."""
    with contextlib.ExitStack() as stack:
        is_there = False
        while not is_there:
            with writing(folder), contextlib.suppress(FileNotFoundError):
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except FileExistsError:  # also where it was removed meanwhile
                    if folder.is_file():
                        raise
                number = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, number)
                fcntl.flock(number, fcntl.LOCK_EX)
                is_there = os.path.samestat(os.fstat(number), folder.stat())
        yield


def _wait_for(path: Path, on_wait: Callable[[str], None]) -> None:
    """Waits until no process holds the lock of a file."""
    with contextlib.suppress(FileNotFoundError), path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(file.read().strip() or "another process")
            fcntl.flock(file, fcntl.LOCK_SH)
