"""The folder that holds one build: where everything lies, what is finished, who writes.

A stage that has ended leaves a manifest, `stages/<name>.json`: what it was made from, and every
file it wrote. What is read of a build is compared with it.
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
from hgld.errors import DamagedError, InputError, MissingInputError, WorkspaceBusyError

logger = logging.getLogger(__name__)

DEFAULT_ROOT = Path("build")
"""The folder of a build for which no other is named."""

_NAMED_BUILDS = 5
_MANIFEST_FORMAT = 3


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
    records: dict[str, FileRecord]
    """Every file written, by its path relative to the workspace, as it was then."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun can mend."""
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
        DamagedError: it is not what was written, or is that of another stage.
        InputError: a later version of this program wrote it.
    """
    values = files.read_sealed(path)
    if (found := values.pop("format", 0)) > _MANIFEST_FORMAT:
        theirs = f"format {found}, this one knows {_MANIFEST_FORMAT}"
        raise InputError(
            f"{path} is of a later version of hgld ({theirs}); use that, or another --root"
        )
    # A stage that took the manifest of another for its own would remove the files of that.
    if found != _MANIFEST_FORMAT or values["stage"] != path.stem:
        raise DamagedError(f"{path} is not what the stage {path.stem} wrote")
    records = {name: FileRecord(*record) for name, record in values["records"].items()}
    return Manifest(**{**values, "records": records})


@dataclass(frozen=True, slots=True)
class Workspace:
    """One build's folder."""

    root: Path
    remakes: bool = False
    """Whether stages that are done run again, from the start."""

    def __post_init__(self) -> None:
        """Refuses a folder that Arrow cannot open.

        Raises:
            InputError: its name is not UTF-8.
        """
        try:
            str(self.root).encode()
        except UnicodeEncodeError as error:
            what = f"the name of a build's folder must be UTF-8, got {str(self.root)!a}"
            raise InputError(f"{what}; rename it, or choose another --root") from error

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
            return load_manifest(path)
        except DamagedError as error:
            logger.warning("%s: the stage counts as not finished", error)
            return None

    def finished(self, dataset: Dataset) -> Manifest:
        """Returns the manifest of the stage that wrote a data set.

        Raises:
            MissingInputError: the stage has not run, was stopped, has failed rows, or ran before
                it wrote that data set.
            DamagedError: a file of the data set is not what the stage wrote.
        """
        manifest = self.manifest(dataset.stage)
        if manifest is None or manifest.failed or dataset.path not in manifest.outputs:
            state = "not there yet"
            if manifest and manifest.failed:
                state = f"incomplete ({manifest.failed} rows failed)"
            make = self.command(command_of(dataset.stage))
            raise MissingInputError(f"{self.path(dataset.path)} is {state}; run {make}")
        self._require_whole(manifest, dataset.own(manifest.records), [dataset.shard_path("*")])
        return manifest

    def input_digests(self, datasets: Iterable[Dataset], names: Collection[str]) -> dict[str, str]:
        """Returns the digest of each input of a stage, all of them as their stages wrote them.

        Args:
            datasets: what it reads, and files beside, by their paths relative to the workspace.
            names: of these files; one that is not there counts as absent.

        Raises:
            MissingInputError: a data set has not been written, or only in part.
            DamagedError: an input is not what its stage wrote.
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
                raise DamagedError(f"{what}; mend that or move it away, then rerun") from error
        return digests

    def _require_whole(
        self, manifest: Manifest, names: Iterable[str], patterns: Iterable[str] = ()
    ) -> None:
        """Refuses files of a stage that are not what it wrote; the others see `damages`.

        Raises:
            DamagedError: one is not; the text names the command that makes it again.
        """
        for name, what in self.damages({name: manifest.records[name] for name in names}, patterns):
            mend = self.command(command_of(manifest.stage))
            raise DamagedError(f"{self.path(name)} {what}; run {mend} to mend it")

    def manifests(self) -> list[Manifest]:
        """Returns what every stage that has ended wrote down, by name; damaged ones are left out.

        Raises:
            InputError: one was written by a later version of this program.
        """
        names = sorted(path.stem for path in self.path("stages").glob("*.json"))
        return [manifest for name in names if (manifest := self.manifest(name))]

    def damages(self, records: Mapping[str, FileRecord], patterns: Iterable[str]) -> list[Damage]:
        """Compares files of the build with what was written.

        Args:
            records: what was written, by its path relative to the workspace.
            patterns: those of shards. One that is there and not among the records is a damage too,
                since readers take all shards.

        Returns:
            What is gone, altered or added, by name; empty where all is as it was.
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
        # Not sets: two types of lists may be equal and have different hashes.
        there, here = (
            {field.name: field.type for field in schema}
            for schema in (pq.read_schema(path), dataset.schema)
        )
        drifted = [name for name in there | here if there.get(name) != here.get(name)]
        if drifted:
            what = f"{path} has other columns than this version writes ({', '.join(drifted)})"
            raise DamagedError(f"{what}; run {self.command(command_of(dataset.stage))} again")
        return pq.read_table(path, columns=columns, partitioning=None).replace_schema_metadata()

    def shards(self, dataset: Dataset) -> list[Path]:
        """Returns the shards of a data set that exist, in order."""
        return sorted(self.root.glob(dataset.shard_path("*")))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps every other process from writing to the workspace.

        A folder that it had to make, and in which nothing was made, is taken away again: a name
        that was typed wrong leaves none behind.

        Raises:
            InputError: the root is a file, or cannot be written to.
            WorkspaceBusyError: another process holds it; the text says which.
        """
        path = self.path(".lock")
        if self.root.is_file():
            raise InputError(f"{self.root} must be a folder, got a file; choose another --root")
        is_new = not self.root.exists()
        with files.writing(path):
            self.root.mkdir(parents=True, exist_ok=True)
            # Not buffered: what a full disk does not take would be tried again on closing.
            file = path.open("ab+", buffering=0)
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                # A child of that process, as one that reads images for training, holds the lock
                # too, and keeps it until it ends.
                who = f"{self.lock_holder()}, or by a process that it started"
                raise WorkspaceBusyError(
                    f"{self.root} is in use by {who}; wait for it, or choose another --root"
                ) from error
            with files.writing(path):
                file.truncate(0)
                file.write(_this_process().encode())
            self._refuse_fifos()
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # gone meanwhile, or somebody wrote into it
                    if is_new and [*self.root.iterdir()] == [path]:
                        path.unlink()
                        self.root.rmdir()

    def lock_holder(self) -> str:
        """Returns in words which process writes to the workspace; empty: none does."""
        path = self.path(".lock")
        if not path.is_file():
            return ""
        # A process that made the folder takes the file away with it at its end.
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().decode(errors="replace").strip() or "another process"
        return ""

    def _refuse_fifos(self) -> None:
        """Refuses what is neither a file nor a folder: a reader of a FIFO waits for its writer.

        Pictures are not looked at: there are millions, and their sizes are compared before they
        are read.
        """
        pictures = {str(self.path(f"images/{split}")) for split in ("train", "index", "test")}
        for folder, names, found in os.walk(self.root):
            names[:] = [name for name in names if f"{folder}/{name}" not in pictures]
            for path in (Path(folder, name) for name in found):
                if path.exists() and not path.is_file():
                    raise DamagedError(f"{path} is no file and no folder; remove it, then rerun")

    def require(self) -> None:
        """Refuses a folder that holds no build, where one is to be looked at.

        Raises:
            InputError: it is not there, or no stage has begun in it; the text names builds nearby.
        """
        if self.path("stages").is_dir() or self.path("hgld.toml").is_file():
            self._refuse_fifos()
            return
        what = "holds no build" if self.root.is_dir() else "is not there"
        folders = (*self.root.parent.glob("*"), *Path().glob("*"))
        builds = {str(path) for path in folders if (path / "stages").is_dir()}
        near = f"; builds nearby: {', '.join(sorted(builds)[:_NAMED_BUILDS])}" if builds else ""
        raise InputError(f"{self.root} {what}; name the folder of a build with --root{near}")


def _this_process() -> str:
    # Not the whole command line, which may hold a contact or a password.
    program, *words = [Path(sys.argv[0]).name, *sys.argv[1:2]]
    command = " ".join([program, *words]) if program == "hgld" else program
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} ({command}, since {now})\n"


# Of the stages that have no command of their own.
_COMMANDS = {"review": "review --settle", "evidence": "scrape", "refresh": "scrape --refresh"}
_COMMANDS |= {"decided": "propose", "map": "review", "release": "annotate"}
# Stages of which there is one for each name: the command, and its option that takes the name.
_NAMED = {"train": "train --name", "export": "export --run", "card": "export --to card --run"}
_NAMED |= {"shards": "images --shards --split"}


def command_of(stage: str) -> str:
    """Returns the command that runs a stage: `images-train` is `images --split train`."""
    if stage in _COMMANDS:
        return _COMMANDS[stage]
    name, _, rest = stage.partition("-")
    return f"{_NAMED.get(name, f'{name} --split')} {rest}" if rest else name
