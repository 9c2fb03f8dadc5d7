"""The folder of a site: written beside it, and put in its place when it is whole."""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from hgld.errors import InputError, WorkspaceBusyError
from hgld.pages.browse.state.source import BrowsedFolder

SITE_MARKER = "site.json"
"""In every site: what it was made of."""
_MADE_BY = "hgld browse"


def require_site_folder(out: Path, root: Path, folder: BrowsedFolder) -> None:
    """Refuses a folder in which a site would take the place of something else.

    Raises:
        InputError: it is a file, has other files, or holds the data set or lies in it.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--static must be a folder, got the file {out}; name another")
    there, data = out.resolve(), folder.folder.resolve()
    if there.is_relative_to(data) or root.resolve().is_relative_to(there):
        raise InputError(
            f"--static must be a folder apart from the data set, got {out}, where {folder.folder} "
            f"lies; name another"
        )
    if out.is_dir() and any(out.iterdir()) and not _is_site(out):
        raise InputError(
            f"--static must be a new or empty folder, or a site that this command has written, and "
            f"{out} has other files; name another"
        )


@contextlib.contextmanager
def placing_site(out: Path) -> Iterator[Path]:
    """Gives a folder to write a site in; where the block ends well, it is what `out` is.

    The site that was there stands until then. What a killed run has left is removed.

    Raises:
        InputError: the folder cannot be written to.
        WorkspaceBusyError: another process writes that site.
    """
    out = out.absolute()
    beside, before = (out.parent / f".{out.name}.{end}" for end in ("new", "old"))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (out.parent / f".{out.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceBusyError(
                    f"{out} is being written by another `hgld browse --static`; wait for it"
                ) from error
            _clean(out, beside, before)
            try:
                beside.mkdir()
                yield beside
                if out.exists():
                    out.rename(before)
                beside.rename(out)
            finally:
                _clean(out, beside, before)
    except OSError as error:
        raise InputError(
            f"cannot write {out}: {error.strerror or error}; make room, or name another folder "
            f"with --static; what was there before is as it was"
        ) from error


def _clean(out: Path, beside: Path, before: Path) -> None:
    """Removes what a run has left, and brings back the site that was about to be replaced."""
    if before.exists() and not out.exists():
        before.rename(out)
    for left in (beside, before):
        if left.exists():
            shutil.rmtree(left)


def marker_text(version: str, files: int) -> str:
    """Returns what a site says of itself."""
    return json.dumps({"made_by": _MADE_BY, "version": version, "files": files}, indent=2) + "\n"


def _is_site(folder: Path) -> bool:
    try:
        told = json.loads((folder / SITE_MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("made_by") == _MADE_BY
