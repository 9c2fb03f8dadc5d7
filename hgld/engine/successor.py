"""How a stage's new output takes the place of its old one: all of it, or nothing.

While a finished output stands, what the next run writes lies beside it, in folders `.next`. When it
is whole its manifest is written there too, and with that the successor stands: its files are moved
to their places, and the manifest last. A run that is killed before leaves the old output as it was;
one that is killed in between is gone on with by the next run of any stage (`settle`).

What lies in a data set's folder and was written by nobody here is never deleted: it is moved to
`.aside` beside it, where no reader looks.
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.dataset import shard_pattern
from hgld.engine.files import (
    FileRecord,
    append_bytes,
    flush_folder,
    record_file,
    room_for,
    write_text,
)
from hgld.engine.manifest import Manifest, load_manifest
from hgld.engine.workspace import FOREIGN, Workspace
from hgld.errors import DamagedError

logger = logging.getLogger(__name__)

SHARD = b"hgld.shard"
"""Key in a shard's metadata of its own name, by which a copy of it is told from it."""

_ASIDE = ".aside"


class Started(NamedTuple):
    """The head of the journal that a run keeps from its start until it has ended."""

    fingerprint: str
    pid: int
    started_at: str


def next_path(path: Path) -> Path:
    """Returns where the successor of a file lies until it takes its place."""
    return path.parent / ".next" / path.name


def start_journal(workspace: Workspace, stage: str, fingerprint: str) -> dict[str, FileRecord]:
    """Writes down that a run of a stage begins.

    Returns:
        What earlier runs that have not ended wrote, by its path relative to the workspace.
    """
    path = _journal_path(workspace, stage)
    started = Started(fingerprint, os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))
    kept = list(_records(path))
    lines = [started._asdict(), *([name, *record] for name, record in kept)]
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))
    return dict(kept)


def add_to_journal(workspace: Workspace, stage: str, name: str) -> FileRecord:
    """Writes down what a run has just written, and returns it."""
    path = workspace.path(name)
    record = record_file(next_path(path) if next_path(path).exists() else path)
    line = json.dumps([name, *record])
    append_bytes(_journal_path(workspace, stage), f"{line}\n".encode())
    return record


def forget_journal(workspace: Workspace, stage: str) -> None:
    """Removes the journal of a run that has ended, or has written nothing."""
    _journal_path(workspace, stage).unlink(missing_ok=True)


def read_started(workspace: Workspace, stage: str) -> Started | None:
    """Returns which run has begun and not ended; None where there is none to tell of."""
    for line in _lines(_journal_path(workspace, stage)):
        match line:
            case {"fingerprint": str(fingerprint), "pid": int(pid), "started_at": str(started_at)}:
                return Started(fingerprint, pid, started_at)
    return None


def is_being_placed(workspace: Workspace, stage: str) -> bool:
    """Says whether a successor was whole, and its run was killed while it took its place."""
    return next_path(workspace.manifest_path(stage)).exists()


def succeed(workspace: Workspace, manifest: Manifest) -> None:
    """Puts a whole successor in the place of what a stage had written before.

    Args:
        workspace: the build.
        manifest: of the successor; its files lie in their places or as `next_path` says.
    """
    path = workspace.manifest_path(manifest.stage)
    write_text(next_path(path), manifest.text())
    with room_for(path):
        _place(workspace, manifest)


def settle(workspace: Workspace) -> None:
    """Goes on with every succession in whose midst a run was killed."""
    for path in sorted(workspace.path("stages/.next").glob("*.json")):
        try:
            manifest = load_manifest(path)
        except DamagedError as error:  # the stage's old manifest counts, and its run is made again
            logger.warning("%s", error)
            path.unlink()
            continue
        logger.warning("%s: putting the output of a run that was killed in place", manifest.stage)
        with room_for(path):
            _place(workspace, manifest)


def _place(workspace: Workspace, manifest: Manifest) -> None:
    before = workspace.manifest(manifest.stage)
    old = before.records if before else {}
    folders = {workspace.path(name).parent for name in manifest.records}
    for name in manifest.records:
        path = workspace.path(name)
        if next_path(path).exists():
            next_path(path).replace(path)
    for dataset in manifest.outputs.keys() - manifest.records:
        pattern = shard_pattern(dataset)
        folders.add(workspace.path(pattern).parent)
        for path in sorted(workspace.root.glob(pattern)):
            name = path.relative_to(workspace.root).as_posix()
            if name not in manifest.records:
                _remove_shard(path, is_ours=name in old)
    folders.update(_removed(workspace, {n: old[n] for n in old.keys() - manifest.records}))
    for folder in folders:
        _remove_folder(folder / ".next")
        if folder.exists():
            flush_folder(folder)
    path = workspace.manifest_path(manifest.stage)
    next_path(path).replace(path)
    flush_folder(path.parent)
    forget_journal(workspace, manifest.stage)


def _removed(workspace: Workspace, files: Mapping[str, FileRecord | None]) -> Iterator[Path]:
    """Removes what a stage wrote once and writes no more, where it lies as it did; yields where."""
    for name, record in files.items():
        path = workspace.path(name)
        if path.is_file() and record in {None, record_file(path)}:
            path.unlink()
            with contextlib.suppress(OSError):  # other files are in it
                path.parent.rmdir()
            yield path.parent


def _remove_shard(path: Path, *, is_ours: bool) -> None:
    """Removes a shard that no manifest lists any more; a file of somebody else is moved aside."""
    with contextlib.suppress(pa.ArrowException, OSError):  # cannot be read, so that it is no shard
        is_ours = is_ours or name_in(path) == path.stem
    if is_ours:
        path.unlink()
        return
    aside = path.parent / _ASIDE / path.name
    aside.parent.mkdir(exist_ok=True)
    path.replace(aside)
    logger.warning("%s %s; moved to %s", path, FOREIGN, aside)


def name_in(path: Path) -> str | None:
    """Returns under which name a shard was written; None where it does not say."""
    name = (pq.read_schema(path).metadata or {}).get(SHARD)
    return None if name is None else name.decode()


def _remove_folder(folder: Path) -> None:
    """Removes what runs that came to nothing left; a folder `.next` holds files alone."""
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()


def _records(path: Path) -> Iterator[tuple[str, FileRecord]]:
    for line in _lines(path):
        match line:
            case [str(name), int(size), str(sha256)]:
                yield name, FileRecord(size, sha256)


def _lines(path: Path) -> Iterator[object]:
    """Yields the lines of a journal; one that cannot be read tells of nothing."""
    if path.exists():
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _journal_path(workspace: Workspace, stage: str) -> Path:
    return workspace.path(f"stages/.journal/{stage}.jsonl")
