"""The folder that holds one build: where everything lies, what is finished, who writes."""

import contextlib
import fcntl
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset
from hgld.engine.files import room_for
from hgld.errors import MissingInputError, WorkspaceBusyError

DEFAULT_ROOT = Path("build")
"""The folder of a build for which no other is named."""


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

    def command(self, words: str) -> str:
        """Returns how to type a command on this build, for a text that says what to do.

        Example:
            >>> Workspace(Path("build")).command("embed")
            '`hgld embed`'
            >>> Workspace(Path("other")).command("embed")
            '`hgld embed` with --root other'
        """
        root = "" if self.root == DEFAULT_ROOT else f" with --root {shlex.quote(str(self.root))}"
        return f"`hgld {words}`{root}"

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
                f"{self.path(dataset.path)} is {state}; run "
                f"{self.command(command_of(dataset.stage))}"
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
