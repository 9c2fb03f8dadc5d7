"""The pages that a build has of its runs and benchmarks: those there now, and no other file."""

import contextlib
from datetime import UTC, datetime
from typing import NamedTuple

from hgld.engine.workspace import Workspace

REPORT_LIST = "reports.html"
_PATTERNS = ("runs/*/run.html", "benchmarks/**/report.html")


class Report(NamedTuple):
    """A page that asks no server for anything."""

    path: str
    """In the build."""
    written: datetime
    size: int


def find_reports(build: Workspace) -> list[Report]:
    """Returns the pages, newest first; none that a link leads to, wherever that ends."""
    root, found = build.root.resolve(), []
    for file in (one for pattern in _PATTERNS for one in root.glob(pattern)):
        path = file.relative_to(root).as_posix()
        # A hidden folder has what is not finished, or set aside.
        if file.resolve() != file or "/." in path or not path.isprintable():
            continue
        with contextlib.suppress(OSError):  # removed meanwhile
            status = file.stat()
            written = datetime.fromtimestamp(status.st_mtime, UTC)
            found.append(Report(path, written, status.st_size))
    return sorted(found, key=lambda one: one.written, reverse=True)


def read_report(build: Workspace, path: str) -> bytes | None:
    """Returns one of the pages; None: there is none of that path."""
    if path in {one.path for one in find_reports(build)}:
        with contextlib.suppress(OSError):  # removed meanwhile, or a folder
            return build.path(path).read_bytes()
    return None
