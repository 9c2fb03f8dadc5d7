"""The folder of one build: its paths, its finished stages, and its lock.

A finished stage leaves a manifest, `stages/<name>.json`, with its inputs and every file that it
wrote. Files of a build are checked against it when they are read.
"""

import contextlib
import dataclasses
import fcntl
import logging
import os
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine import files
from hgld.engine.dataset import Dataset, shard_pattern
from hgld.engine.files import FileRecord
from hgld.engine.store import refuse_address
from hgld.errors import DamagedError, InputError, MissingInputError, WorkspaceBusyError

logger = logging.getLogger(__name__)

DEFAULT_ROOT = Path("build")
"""The default folder of a build."""

_NAMED_BUILDS = 5
_MANIFEST_FORMAT = 3


class Damage(NamedTuple):
    """A file that changed since it was written."""

    path: str
    """Relative to the workspace."""
    what: str
    """A predicate, such as "is gone"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The record of a finished stage, in `stages/<name>.json`."""

    stage: str
    version: int
    fingerprint: str
    settings: dict[str, object]
    inputs: dict[str, str]
    """Data set or file to digest."""
    outputs: dict[str, str]
    """Data set or file to digest."""
    records: dict[str, FileRecord]
    """Every file written, by its path relative to the workspace."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun may fix."""
    finished_at: str

    @property
    def patterns(self) -> list[str]:
        """Patterns of the shards of its data sets, relative to the workspace."""
        return sorted(map(shard_pattern, self.outputs.keys() - self.records))

    def write(self, path: Path) -> None:
        """Writes it as JSON with a digest of itself."""
        files.write_sealed(path, {"format": _MANIFEST_FORMAT, **dataclasses.asdict(self)})


def load_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        DamagedError: it is damaged, or that of another stage.
        InputError: a later version of this program wrote it.
    """
    values = files.read_sealed(path)
    if (found := values.pop("format", 0)) > _MANIFEST_FORMAT:
        theirs = f"format {found}, this version knows {_MANIFEST_FORMAT}"
        raise InputError(
            f"{path} was written by a later version of hgld ({theirs}); use that version, or "
            f"another --root"
        )
    # With the manifest of another stage, a stage would remove that stage's files.
    if found != _MANIFEST_FORMAT or values["stage"] != path.stem:
        raise DamagedError(f"{path} is not what the stage {path.stem} wrote")
    records = {name: FileRecord(*record) for name, record in values["records"].items()}
    return Manifest(**{**values, "records": records})


@dataclass(frozen=True, slots=True)
class Workspace:
    """One build's folder."""

    root: Path
    remakes: bool = False
    """Whether finished stages run again, from the start."""

    def __post_init__(self) -> None:
        """Refuses a folder that Arrow cannot open, or that cannot be locked.

        Raises:
            InputError: its name is not UTF-8, or it is the address of an object store.
        """
        refuse_address(self.root)
        try:
            str(self.root).encode()
        except UnicodeEncodeError as error:
            what = f"the name of a build's folder must be UTF-8, got {str(self.root)!a}"
            raise InputError(f"{what}; rename it, or choose another --root") from error

    def path(self, relative: str) -> Path:
        """Returns the path of a file or folder of the build, existing or not."""
        return self.root / relative

    def command(self, words: str) -> str:
        """Returns how to type a command for this build, for use in a message.

        Example:
            >>> Workspace(Path("build")).command("embed")
            '`hgld embed`'
            >>> Workspace(Path("other")).command("embed")
            '`hgld embed` with --root other'
        """
        root = "" if self.root == DEFAULT_ROOT else f" with --root {shlex.quote(str(self.root))}"
        return f"`hgld {words}`{root}"

    def manifest_path(self, stage: str) -> Path:
        """Returns the path of a stage's manifest."""
        return self.root / "stages" / f"{stage}.json"

    def manifest(self, stage: str) -> Manifest | None:
        """Returns the manifest of a stage, or None if it has not finished.

        A damaged manifest is logged and counts as missing: the stage then runs again, and finds
        its shards.

        Raises:
            InputError: it was written by a later version of this program.
        """
        path = self.manifest_path(stage)
        if not path.exists():
            return None
        try:
            return load_manifest(path)
        except DamagedError as error:
            logger.warning("%s: the stage counts as unfinished", error)
            return None

    def finished(self, dataset: Dataset) -> Manifest:
        """Returns the manifest of the stage that wrote a data set.

        Raises:
            MissingInputError: the stage has not run, was stopped, has failed rows, or ran before
                it wrote that data set.
            DamagedError: a file of the data set changed since the stage wrote it.
        """
        manifest = self.manifest(dataset.stage)
        if manifest is None or manifest.failed or dataset.path not in manifest.outputs:
            state = "missing"
            if manifest and manifest.failed:
                state = f"incomplete ({manifest.failed} rows failed)"
            make = self.command(command_of(dataset.stage))
            raise MissingInputError(f"{self.path(dataset.path)} is {state}; run {make}")
        self._require_whole(manifest, dataset.own(manifest.records), [dataset.shard_path("*")])
        return manifest

    def input_digests(self, datasets: Iterable[Dataset], names: Collection[str]) -> dict[str, str]:
        """Returns the digest of each input of a stage, after checking that none changed.

        Args:
            datasets: the data sets that it reads.
            names: the files that it reads, relative to the workspace; a missing one is "absent".

        Raises:
            MissingInputError: a data set is missing or incomplete.
            DamagedError: an input changed since its stage wrote it.
        """
        digests = {one.path: self.finished(one).outputs[one.path] for one in datasets}
        writers = self.manifests() if names else []
        for name in names:
            for writer in (one for one in writers if name in one.records):
                self._require_whole(writer, [name])
            path = self.path(name)
            try:
                digests[name] = files.file_digest(path) if path.exists() else "absent"
            except OSError as error:
                what = f"{path} cannot be read: {error.strerror}"
                raise DamagedError(f"{what}; fix that or move it away, then rerun") from error
        return digests

    def _require_whole(
        self, manifest: Manifest, names: Iterable[str], patterns: Iterable[str] = ()
    ) -> None:
        """Refuses files that changed since their stage wrote them.

        Raises:
            DamagedError: one changed; the message names the command that makes it again.
        """
        for name, what in self.damages({name: manifest.records[name] for name in names}, patterns):
            mend = self.command(command_of(manifest.stage))
            raise DamagedError(f"{self.path(name)} {what}; run {mend} to mend it")

    def manifests(self) -> list[Manifest]:
        """Returns the manifests of all finished stages, by name; damaged ones are left out.

        Raises:
            InputError: one was written by a later version of this program.
        """
        names = sorted(path.stem for path in self.path("stages").glob("*.json"))
        return [manifest for name in names if (manifest := self.manifest(name))]

    def damages(self, records: Mapping[str, FileRecord], patterns: Iterable[str]) -> list[Damage]:
        """Compares files of the build with their records.

        Args:
            records: by path relative to the workspace.
            patterns: of shards. A file that matches but has no record is a damage too, because
                readers take all shards.

        Returns:
            What is missing, altered or added, by name; empty if nothing changed.
        """
        names = sorted(records)
        whats = [files.file_damage(self.path(name), *records[name]) for name in names]
        found = [Damage(name, what) for name, what in zip(names, whats, strict=True) if what]
        for path in (path for pattern in patterns for path in self.root.glob(pattern)):
            name = path.relative_to(self.root).as_posix()
            if name not in records:
                found.append(Damage(name, "was not written by this build"))
        return found

    def read(self, dataset: Dataset, columns: list[str] | None = None) -> pa.Table:
        """Reads a data set whose stage has finished.

        Args:
            dataset: the data set.
            columns: the columns wanted, all by default.

        Returns:
            Its rows, in the order they were written.

        Raises:
            MissingInputError: the stage has not run, was stopped, or has failed rows.
            DamagedError: a shard changed since the stage wrote it, or has other columns.
        """
        self.finished(dataset)
        schema = dataset.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        shards = [self._read_shard(path, dataset, columns) for path in self.shards(dataset)]
        return pa.concat_tables(shards).cast(schema) if shards else schema.empty_table()

    def _read_shard(self, path: Path, dataset: Dataset, columns: list[str] | None) -> pa.Table:
        # Not sets: equal list types may have different hashes.
        there, here = (
            {field.name: field.type for field in schema}
            for schema in (pq.read_schema(path), dataset.schema)
        )
        drifted = [name for name in there | here if there.get(name) != here.get(name)]
        if drifted:
            what = f"{path} has other columns than this version ({', '.join(drifted)})"
            raise DamagedError(f"{what}; run {self.command(command_of(dataset.stage))} again")
        return pq.read_table(path, columns=columns, partitioning=None).replace_schema_metadata()

    def shards(self, dataset: Dataset) -> list[Path]:
        """Returns the shards of a data set that exist, in order."""
        return sorted(self.root.glob(dataset.shard_path("*")))

    @contextlib.contextmanager
    def lock(self, share: str = "") -> Iterator[None]:
        """Keeps every other process from writing to the workspace.

        A folder that was made for the lock and is still empty at the end is removed, so a mistyped
        name leaves nothing behind.

        Args:
            share: the name of what this process writes; others may write shares of other names.

        Raises:
            InputError: the root is a file, or cannot be written to.
            WorkspaceBusyError: another process holds the lock; the message names it.
        """
        path = self.path(".lock")
        if self.root.is_file():
            raise InputError(f"{self.root} must be a folder, got a file; choose another --root")
        is_new = not self.root.exists()
        with files.writing(path):
            self.root.mkdir(parents=True, exist_ok=True)
            # Unbuffered: otherwise closing would retry a write that failed on a full disk.
            try:
                file = path.open("ab+", buffering=0)
            except FileNotFoundError:  # a process that made the folder removed it meanwhile
                self.root.mkdir(parents=True, exist_ok=True)
                file = path.open("ab+", buffering=0)
        with file:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if share else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                # A child of that process, such as a data loader of training, also holds the lock
                # until it ends.
                who = self.lock_holder() or "processes that each make a share"
                raise WorkspaceBusyError(
                    f"{self.root} is in use by {who} or its child; wait, or choose another --root"
                ) from error
            except OSError as error:  # as of Lustre that is mounted without `flock`
                raise InputError(
                    f"{self.root} must be on a file system with locks, got {error.strerror}; "
                    f"choose a --root on a local disk"
                ) from error
            if not os.fstat(file.fileno()).st_nlink:  # the lock of a removed file keeps out nobody
                raise WorkspaceBusyError(f"{self.root} was just removed by its process; rerun")
            with files.writing(path):
                file.truncate(0)
                file.write(_this_process().encode())
            self._refuse_fifos()
            own = Workspace(self.path(f"stages/.next/{share}")).lock() if share else None
            try:
                with own or contextlib.nullcontext():
                    yield
            finally:
                with contextlib.suppress(OSError):  # removed meanwhile, or not empty any more
                    if is_new and [*self.root.iterdir()] == [path]:
                        path.unlink()
                        self.root.rmdir()

    def lock_holder(self) -> str:
        """Returns in words which process holds the lock of all; empty if none does."""
        path = self.path(".lock")
        if not path.is_file():
            return ""
        # A process that made the folder removes it and the file at its end.
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().decode(errors="replace").strip() or "another process"
        return ""

    def _refuse_fifos(self) -> None:
        """Refuses what is neither a file nor a folder: reading a FIFO would hang.

        Pictures are skipped: there are millions, and their sizes are compared before reading.
        """
        pictures = {str(self.path(f"images/{split}")) for split in ("train", "index", "test")}
        for folder, names, found in os.walk(self.root):
            names[:] = [name for name in names if f"{folder}/{name}" not in pictures]
            for path in (Path(folder, name) for name in found):
                if path.exists() and not path.is_file():
                    raise DamagedError(f"{path} is not a file or folder; remove it, then rerun")

    def require(self) -> None:
        """Refuses a folder that holds no build.

        Raises:
            InputError: it does not exist, or no stage has begun; the message names builds nearby.
        """
        if self.path("stages").is_dir() or self.path("hgld.toml").is_file():
            self._refuse_fifos()
            return
        what = "holds no build" if self.root.is_dir() else "does not exist"
        folders = (*self.root.parent.glob("*"), *Path().glob("*"))
        builds = {str(path) for path in folders if (path / "stages").is_dir()}
        near = f"; builds nearby: {', '.join(sorted(builds)[:_NAMED_BUILDS])}" if builds else ""
        raise InputError(f"{self.root} {what}; name the folder of a build with --root{near}")


def _this_process() -> str:
    # Not the whole command line, which may have a contact or a password.
    program, *words = [Path(sys.argv[0]).name, *sys.argv[1:2]]
    command = " ".join([program, *words]) if program == "hgld" else program
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} ({command}, since {now})\n"


# Stages without a command of their own.
_COMMANDS = {"review": "review --settle", "refresh": "scrape --refresh"} | dict.fromkeys(
    ("evidence", "facts"), "scrape"
)
_COMMANDS |= {"decided": "propose", "hierarchy": "annotate", "release": "annotate"}
# Stages that exist once per name: the command, with the option for the name.
_NAMED = {"train": "train --name", "export": "export --run", "card": "export --to card --run"}
_NAMED |= {"shards": "images --shards --split"}


def command_of(stage: str) -> str:
    """Returns the command that runs a stage: `images-train` is `images --split train`."""
    if stage in _COMMANDS:
        return _COMMANDS[stage]
    name, _, rest = stage.partition("-")
    return f"{_NAMED.get(name, f'{name} --split')} {rest}" if rest else name
