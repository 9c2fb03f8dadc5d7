"""The folder that holds one build: where everything lies, what is finished, who writes."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset
from hgld.engine.files import FileRecord, file_digest, room_for
from hgld.errors import DamagedError, InputError, MissingInputError, WorkspaceBusyError

logger = logging.getLogger(__name__)

MANIFEST_FORMAT = 2
"""Of a manifest. 1 did not say what its files were."""

GONE = "is gone"

DEFAULT_ROOT = Path("build")
"""The folder of a build for which no other is named."""


class Damage(NamedTuple):
    """A file that is not what was written."""

    path: str
    """Relative to the workspace."""
    what: str
    """As in "labels/classes/classes.parquet *is gone*"."""


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
    records: dict[str, FileRecord | None]
    """Every file written, relative to the workspace, as it was then; None where an earlier version
    of this program did not write that down."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun can mend."""
    finished_at: str

    @property
    def files(self) -> list[str]:
        """Every file written, relative to the workspace."""
        return list(self.records)

    def text(self) -> str:
        """Returns the manifest as JSON, with a digest of itself."""
        values = dataclasses.asdict(self)
        head = {"format": MANIFEST_FORMAT, "sha256": _digest(values)}
        return json.dumps({**head, **values}, indent=2) + "\n"


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
        """Returns what a stage wrote down when it ended, or None where it has not ended.

        A manifest that is damaged counts as none, and is named in the log: the stage then runs
        again, and finds its shards.

        Raises:
            InputError: it was written by a later version of this program.
        """
        path = self.manifest_path(stage)
        if not path.exists():
            return None
        try:
            return _parsed(path)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("%s is damaged (%r): the stage counts as not finished", path, error)
            return None

    def finished(self, dataset: Dataset) -> Manifest:
        """Returns the manifest of the stage that wrote a data set.

        Raises:
            MissingInputError: the stage has not run, was stopped, or has failed rows.
            DamagedError: a file of the data set is not what the stage wrote.
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
        folder = dataset.path
        records = {n: one for n, one in manifest.records.items() if n.rpartition("/")[0] == folder}
        for damage in self.damages(records, [folder]):
            raise DamagedError(
                f"{self.path(damage.path)} {damage.what}; run "
                f"{self.command(command_of(dataset.stage))} to make it again"
            )
        return manifest

    def damages(
        self, records: Mapping[str, FileRecord | None], folders: Collection[str]
    ) -> list[Damage]:
        """Compares files of the build with what was written.

        Args:
            records: what was written, by its path relative to the workspace.
            folders: of data sets. A shard there that is not among the records is a damage too,
                since readers take all shards.

        Returns:
            What is gone, altered or added, by name; empty where all is as it was.
        """
        found = []
        for name, record in sorted(records.items()):
            if what := _damage(self.path(name), record):
                found.append(Damage(name, what))
        for folder in folders:
            for path in sorted(self.path(folder).glob("*.parquet")):
                name = f"{folder}/{path.name}"
                if name not in records:
                    found.append(Damage(name, "was not written by this build"))
        return found

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a data set that its stage has finished.

        Args:
            dataset: which one.
            columns: the columns wanted, all by default.

        Returns:
            Its rows, in the order they were written.

        Raises:
            MissingInputError: the stage has not run, was stopped, or has failed rows.
            DamagedError: a shard is not what the stage wrote, or has other columns.
        """
        self.finished(dataset)
        schema = dataset.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        shards = [self._read_shard(path, dataset, columns) for path in self.shards(dataset)]
        return pa.concat_tables(shards).cast(schema) if shards else schema.empty_table()

    def _read_shard(self, path: Path, dataset: Dataset, columns: list[str] | None) -> pa.Table:
        there = pq.read_schema(path)
        differing = [
            field.name
            for field in dataset.schema
            if field.name not in there.names or there.field(field.name).type != field.type
        ]
        differing += [name for name in there.names if name not in dataset.schema.names]
        if differing:
            raise DamagedError(
                f"{path} has other columns than this version writes ({', '.join(differing)}); run "
                f"{self.command(command_of(dataset.stage))} again"
            )
        return pq.read_table(path, columns=columns, partitioning=None).replace_schema_metadata()

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


def _parsed(path: Path) -> Manifest:
    values = json.loads(path.read_text(encoding="utf-8"))
    found = values.pop("format", 1)
    if found > MANIFEST_FORMAT:
        raise InputError(
            f"{path} was written by a later version of hgld (format {found}, this one knows "
            f"{MANIFEST_FORMAT}); use that version, or another --root"
        )
    if found == 1:
        values["records"] = dict.fromkeys(values.pop("files"))
    else:
        if values.pop("sha256") != _digest(values):
            raise ValueError("its digest is another one")
        records = values["records"].items()
        values["records"] = {name: one and FileRecord(*one) for name, one in records}
    return Manifest(**values)


def _digest(values: Mapping[str, object]) -> str:
    """Returns the SHA-256 of JSON values, as hex, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _damage(path: Path, record: FileRecord | None) -> str:
    """Returns what is wrong with a file, or an empty string."""
    if not path.is_file():
        return GONE
    if record is None:
        return ""
    if (size := path.stat().st_size) != record.size:
        return f"has {size:,} bytes, not the {record.size:,} that were written"
    return "" if file_digest(path) == record.sha256 else "has other bytes than were written"


def command_of(stage: str) -> str:
    """Returns the command that runs a stage: `images-train` is `images --split train`."""
    if stage == "refresh":
        return "scrape --refresh"
    name, _, split = stage.partition("-")
    return f"{name} --split {split}" if split else name
