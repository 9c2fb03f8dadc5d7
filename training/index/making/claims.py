"""Who makes what: a lock that ends with the process that holds it, however that ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from hgld.engine.files import writing
from hgld.errors import WorkspaceBusyError


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Claims a file for the block, where no other process has; tells whether it could.

    Args:
        path: made where it is missing; it holds the number of the process.

    Yields:
        Whether it is claimed.

    Raises:
        InputError: the file system refuses.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        with writing(path):
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
        yield True


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Keeps every other command from making the index of a folder.

    Raises:
        InputError: the file system refuses.
        WorkspaceBusyError: one does.
    """
    path = folder / ".lock"
    with claimed(path) as is_mine:
        if not is_mine:
            holder = path.read_text(encoding="ascii").strip()
            raise WorkspaceBusyError(
                f"{folder} is being made by process {holder}; wait for it, or choose another --out"
            )
        yield
