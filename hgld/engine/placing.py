"""How a stage's output gets into its place: all of it, or nothing.

What a run writes lies beside its place, in a folder `.next`, under its name and its SHA-256. When
all of it is there, the manifest is written to `stages/.next`. From then on the output counts: its
files are renamed into their places, and the manifest last.

- A run killed before that leaves what stood as it was. The next run finds its shards, and takes
  those that still have their digest.
- A run killed after that is completed by the next run of any stage (`settle`).

What somebody else put where an output belongs is never deleted: it gets the suffix `.aside`, which
no reader takes.
"""

import contextlib
import itertools
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hgld.engine.dataset import Dataset, shard_pattern
from hgld.engine.files import FileRecord, flush_folder, writing
from hgld.engine.manifest import Manifest, load_manifest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError

logger = logging.getLogger(__name__)

NEXT = ".next"
_SHA256 = "." + 64 * "?"
"""Pattern of what a name ends in there."""


def place_beside(path: Path, record: FileRecord) -> Path:
    """Returns where a file lies, once it is whole, until its stage has ended."""
    return path.parent / NEXT / f"{path.name}.{record.sha256}"


def find_beside(workspace: Workspace, datasets: Iterable[Dataset]) -> dict[str, FileRecord]:
    """Finds the shards of runs that have not ended, whether or not they still have their digest.

    Returns:
        The record of each shard, by its place relative to the workspace.
    """
    found = {}
    for dataset in datasets:
        pattern = PurePosixPath(shard_pattern(dataset.path))
        for path in workspace.path(f"{pattern.parent}/{NEXT}").glob(f"{pattern.name}{_SHA256}"):
            shard, _, sha256 = path.name.rpartition(".")
            found[str(pattern.with_name(shard))] = FileRecord(path.stat().st_size, sha256)
    return found


def started_path(workspace: Workspace, stage: str) -> Path:
    """Returns where a run of a stage writes down, until it ends, who holds the lock."""
    return workspace.path(f"stages/{NEXT}/{stage}.started")


def is_being_placed(workspace: Workspace, stage: str) -> bool:
    """Says whether a run was killed after its output was whole, and before all was in its place."""
    return _next_manifest(workspace, stage).exists()


def place(workspace: Workspace, manifest: Manifest) -> None:
    """Puts the output of a run in the place of what its stage wrote before.

    Args:
        workspace: the build.
        manifest: of the run; each of its files lies beside its place, or in it.
    """
    for folder in {workspace.path(name).parent / NEXT for name in manifest.records}:
        if folder.exists():
            flush_folder(folder)
    manifest.write(_next_manifest(workspace, manifest.stage))
    with writing(workspace.manifest_path(manifest.stage), if_full=True):
        _place(workspace, manifest)


def settle(workspace: Workspace) -> None:
    """Completes what `place` began in runs that were killed."""
    for path in sorted(workspace.path(f"stages/{NEXT}").glob("*.json")):
        try:
            manifest = load_manifest(path)
        except DamagedError as error:  # what stood counts, and the stage runs again
            logger.warning("%s", error)
            _set_aside(path)
            continue
        logger.warning("%s: putting the output of a run that was killed in place", manifest.stage)
        with writing(path, if_full=True):
            _place(workspace, manifest)


def _place(workspace: Workspace, manifest: Manifest) -> None:
    started_path(workspace, manifest.stage).unlink(missing_ok=True)
    new = {workspace.path(name): record for name, record in manifest.records.items()}
    for path, record in new.items():
        if (beside := place_beside(path, record)).exists():
            _replace(beside, path)
    before = workspace.manifest(manifest.stage)
    old = before.records if before else {}
    patterns = [shard_pattern(path) for path in manifest.outputs.keys() - manifest.records]
    shards = {path for pattern in patterns for path in workspace.root.glob(pattern)}
    others = (shards | {workspace.path(name) for name in old}) - new.keys()
    for path in sorted(others):
        name = path.relative_to(workspace.root).as_posix()
        if name in old and not workspace.damages({name: old[name]}, ()):
            path.unlink()
            with contextlib.suppress(OSError):  # other files are in it
                path.parent.rmdir()
        elif path in shards:
            _set_aside(path)
    for folder in {path.parent for path in (*new, *others, *map(workspace.path, patterns))}:
        shutil.rmtree(folder / NEXT, ignore_errors=True)  # what is left does no harm
        if folder.exists():
            flush_folder(folder)
    path = workspace.manifest_path(manifest.stage)
    _replace(_next_manifest(workspace, manifest.stage), path)
    flush_folder(path.parent)


def _replace(file: Path, path: Path) -> None:
    """Renames a file to `path`; a folder that is there is set aside."""
    if path.is_dir():
        _set_aside(path)
    file.replace(path)


def _set_aside(path: Path) -> None:
    names = (f"{path.name}.aside{number or ''}" for number in itertools.count())
    aside = next(place for place in map(path.with_name, names) if not place.exists())
    path.replace(aside)
    logger.warning("%s is in the way of an output of this build; renamed to %s", path, aside.name)


def _next_manifest(workspace: Workspace, stage: str) -> Path:
    return workspace.path(f"stages/{NEXT}/{stage}.json")
