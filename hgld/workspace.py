"""The folder that holds one build, and how files get into it: whole or not at all."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.dataset import Dataset, volatile_columns
from hgld.errors import InputError, MissingInputError, WorkspaceBusyError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a stage writes down when it ends, as `stages/<name>.json`."""

    stage: str
    version: int
    fingerprint: str
    settings: dict[str, object]
    inputs: dict[str, str]
    """Data set or file to digest."""
    outputs: dict[str, str]
    """Data set or file to digest."""
    files: list[str]
    """Every file written, relative to the workspace."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun can mend."""
    finished_at: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """One build's folder."""

    root: Path

    def path(self, relative: str) -> Path:
        """Returns where a file or folder of the build lies, existing or not."""
        return self.root / relative

    def manifest_path(self, stage: str) -> Path:
        """Returns where a finished stage says what it wrote."""
        return self.root / "stages" / f"{stage}.json"

    def manifest(self, stage: str) -> Manifest | None:
        """Returns what a stage wrote down when it ended, or None where it has not ended."""
        path = self.manifest_path(stage)
        return Manifest(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def finished(self, dataset: Dataset) -> Manifest:
        """Returns the manifest of the stage that wrote a data set.

        Raises:
            MissingInputError: the stage has not run, was stopped, or has failed rows.
        """
        manifest = self.manifest(dataset.stage)
        if manifest is None or manifest.failed:
            state = (
                "not there yet"
                if manifest is None
                else f"incomplete ({manifest.failed} rows failed)"
            )
            raise MissingInputError(
                f"{self.path(dataset.path)} is {state}; run `hgld {command_of(dataset.stage)}`"
            )
        return manifest

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a data set that its stage has finished.

        Args:
            dataset: which one.
            columns: the columns wanted, all by default.

        Returns:
            Its rows, in the order they were written.

        Raises:
            MissingInputError: the stage has not run, was stopped, or has failed rows.
        """
        self.finished(dataset)
        shards = [
            pq.read_table(path, columns=columns, partitioning=None).replace_schema_metadata()
            for path in self.shards(dataset)
        ]
        schema = dataset.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        return pa.concat_tables(shards).cast(schema) if shards else schema.empty_table()

    def shards(self, dataset: Dataset) -> list[Path]:
        """Returns the shards of a data set that exist, in order."""
        return sorted(self.path(dataset.path).glob("*.parquet"))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps every other process from writing to the workspace.

        Raises:
            InputError: the disk is full.
            WorkspaceBusyError: another process holds it; the text says which.
        """
        path = self.path(".lock")
        with room_for(path):
            self.root.mkdir(parents=True, exist_ok=True)
            # Not buffered: what a full disk does not take would be tried again on closing.
            file = path.open("ab+", buffering=0)
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().decode().strip() or "unknown"
                raise WorkspaceBusyError(
                    f"{self.root} is in use by process {holder}; "
                    f"wait for it or choose another --root"
                ) from error
            with room_for(path):
                file.truncate(0)
                file.write(f"{os.getpid()}\n".encode())
            yield


def command_of(stage: str) -> str:
    """Returns the command that runs a stage: `images-train` is `images --split train`."""
    if stage == "refresh":
        return "scrape --refresh"
    name, _, split = stage.partition("-")
    return f"{name} --split {split}" if split else name


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turns the failure to write `path` on a full disk into an error that says what to do.

    Raises:
        InputError: the disk, or one's share of it, is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        # Not the error's own text: Arrow's is a long one.
        raise InputError(
            f"cannot write {path}: {os.strerror(error.errno)}; make room and rerun, what was "
            f"finished before is kept"
        ) from error


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; on success flushes it and renames it to `path`.

    A process killed at any moment leaves the old file or the new one, never a part of one.

    Yields:
        The path to write to.

    Raises:
        InputError: the disk is full.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 text file, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def table_digest(path: Path, schema: pa.Schema) -> str:
    """Returns the SHA-256 of a shard's rows without their volatile columns, as hex.

    Equal rows give equal digests, whenever and under whatever fingerprint they were written.
    """
    names = [name for name in schema.names if name not in volatile_columns(schema)]
    return rows_digest(pq.read_table(path, columns=names, partitioning=None))


def rows_digest(table: pa.Table) -> str:
    """Returns the SHA-256 of a table's rows and columns, as hex, however they lie in memory."""
    table = table.replace_schema_metadata()
    hasher = hashlib.sha256()
    with pa.ipc.new_stream(_Hashing(hasher), table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hasher.hexdigest()


class _Hashing:
    """The part of a writable file that Arrow's stream writer uses, feeding a hash."""

    closed = False

    def __init__(self, hasher: "hashlib._Hash") -> None:
        self._hasher = hasher

    def write(self, data: bytes) -> int:
        self._hasher.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        self.closed = True
