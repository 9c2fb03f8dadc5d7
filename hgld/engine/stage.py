"""The stage engine: runs what is not done, skips what is done, and resumes what was killed.

A stage reads data sets and files, and writes data sets (parquet shards with a schema) and files.
Its fingerprint is the SHA-256 of its name, version, the settings that decide its rows, and the
digests of its inputs. Every shard carries the fingerprint of its run, so the next run after a kill
finds the finished shards; the manifest `stages/<name>.json` is written last. Digests are of rows,
not of file bytes, so a repeated fetch with the same result makes no later stage stale.

Output is replaced as a whole or not at all. A run writes its files beside their places, in a folder
`.next`, named by their name and SHA-256. When all are complete, the manifest is written to
`stages/.next`. From then on the new output counts: its files are renamed into their places, the
manifest last.

- A run killed before that moment leaves the old output unchanged. The next run reuses the shards
  that still match their digest.
- A run killed after it is completed by the next run of any stage (`settle`).

A foreign file in the place of an output is set aside and never deleted.
"""

import contextlib
import hashlib
import itertools
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine import files
from hgld.engine.dataset import Dataset, conform, read_stable, rows_digest, write_shard
from hgld.engine.files import FileRecord
from hgld.engine.workspace import Manifest, Workspace, load_manifest
from hgld.errors import DamagedError, InputError

logger = logging.getLogger(__name__)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

NEXT = ".next"
_SHA256 = "." + 64 * "?"
"""Pattern of the end of a name there."""

_FINGERPRINT = b"hgld.fingerprint"
_SHARD = b"hgld.shard"
"""Metadata key of the shard's own name, which a copy under another name does not match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage, without its settings and code."""

    name: str
    version: int
    """To be raised when a change of the code changes the rows of the same inputs."""
    inputs: tuple[Dataset, ...] = ()
    input_files: tuple[str, ...] = ()
    """Files relative to the workspace; a missing one counts as absent and is not an error."""
    outputs: tuple[Dataset, ...] = ()
    output_files: tuple[str, ...] = ()
    result: str = ""
    """The path for a person to open afterwards; empty: the common folder of all outputs."""

    @property
    def places(self) -> list[str]:
        """Paths of its output data sets and files, relative to the workspace."""
        return [*(dataset.path for dataset in self.outputs), *self.output_files]

    def result_path(self, workspace: Workspace) -> Path:
        """Returns the path of the stage's result in a build."""
        return workspace.path(self.result or os.path.commonpath(self.places))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one of several processes makes of a stage: every `world`-th shard."""

    rank: int
    """Of the process, 0 to `world` - 1."""
    world: int
    """The number of processes."""

    def __post_init__(self) -> None:
        """Refuses a rank that no process has.

        Raises:
            InputError: it is not in 0 to `world` - 1.
        """
        if not 0 <= self.rank < self.world:
            what = f"--rank must be 0 to --world less 1, got {self.rank} of {self.world}"
            raise InputError(f"{what}; number the processes from 0")

    def __str__(self) -> str:
        """Returns such as `3-of-16`."""
        return f"{self.rank}-of-{self.world}"

    def of(self, shards: Mapping[_Key, _Value]) -> dict[_Key, _Value]:
        """Returns the shards of the process, of all in their order."""
        return dict(itertools.islice(shards.items(), self.rank, None, self.world))


@dataclass(frozen=True, slots=True)
class StageReport:
    """The outcome of a run: the manifest, and whether the stage was skipped as up to date."""

    manifest: Manifest
    result: Path
    """Path of the output."""
    skipped: bool

    def words(self) -> str:
        """Returns the outcome, the counts and the path, in one line."""
        done = self.manifest
        verb = "up to date" if self.skipped else "done"
        # A stage without a table writes a model or a report, and has no rows to count.
        writes_rows = any(name.endswith(".parquet") for name in done.records)
        count = f"{done.rows:,} rows, {done.problems:,} problems: " if writes_rows else ""
        return f"{done.stage}: {verb}, {count}{self.result}"


@dataclass(slots=True)
class StageWriter:
    """Writes shards of a stage's data sets, and whole files.

    The files lie beside their places until the stage ends.
    """

    workspace: Workspace
    stage: Stage
    fingerprint: str
    before: Manifest | None
    """The manifest of the last finished run."""
    standing: dict[str, FileRecord]
    """Its files that are unchanged since, by their final path."""
    beside: dict[str, FileRecord]
    """Files of this run, and of runs that did not end, by their final path."""
    force: bool
    """Whether to make shards of earlier runs again."""
    written: set[str] = field(default_factory=set)
    """The shards and files that this run has written or reused, by their final path."""

    def path(self, relative: str) -> Path:
        """Returns the current path of a shard or file, from this run or an earlier one."""
        path, record = self.workspace.path(relative), self.beside.get(relative)
        return path if record is None else place_beside(path, record)

    def has(self, dataset: Dataset, shard: str) -> bool:
        """Says whether an earlier run with the same fingerprint left this shard.

        Such a shard then counts as written: it stays when the stage ends.
        """
        name = self._shard_name(dataset, shard)
        if name not in self.written and self._is_whole(name):
            metadata = pq.read_schema(self.path(name)).metadata or {}
            if metadata.get(_FINGERPRINT) == self.fingerprint.encode():
                self.written.add(name)
        return name in self.written

    def earlier(self, dataset: Dataset, shard: str) -> pa.Table | None:
        """Returns the rows of a shard from an earlier run, whatever its fingerprint and schema.

        Returns:
            The rows of the file, with its metadata; None if the shard is missing or damaged, or if
            the run is forced.
        """
        name = self._shard_name(dataset, shard)
        return pq.read_table(self.path(name), partitioning=None) if self._is_whole(name) else None

    def write(self, dataset: Dataset, shard: str, table: pa.Table) -> None:
        """Writes a shard atomically.

        Args:
            dataset: one of the stage's outputs.
            shard: name of the shard; shards are read in the order of their names.
            table: rows that conform to the schema.

        Raises:
            ValueError: the rows do not conform.
        """
        name = self._shard_name(dataset, shard)
        table = conform(table, dataset.schema)
        own = {b"hgld.stage": self.stage.name, b"hgld.version": str(self.stage.version)}
        own |= {
            **(dataset.schema.metadata or {}),
            _SHARD: Path(name).stem,
            _FINGERPRINT: self.fingerprint,
        }
        with self._output(name) as path:
            write_shard(table.replace_schema_metadata(own), path, dataset.layout)

    @contextlib.contextmanager
    def file(self, relative: str) -> Iterator[Path]:
        """Gives a temporary path for one of the stage's output files."""
        if relative not in self.stage.output_files:
            raise ValueError(f"stage {self.stage.name!r} does not declare the file {relative!r}")
        with self._output(relative) as path:
            yield path

    def write_text(self, relative: str, text: str) -> None:
        """Writes one of the stage's output files, with the line ends of the text."""
        with self.file(relative) as path:
            path.write_text(text, encoding="utf-8", newline="")

    def record(self, name: str) -> FileRecord:
        """Returns the record of a shard or file, by its final path."""
        record = self.beside.get(name) or self.standing.get(name)
        return record or files.record_file(self.workspace.path(name))

    def _is_whole(self, name: str) -> bool:
        """Says whether an earlier run left this shard undamaged, and the run is not forced."""
        path, record = self.path(name), self.beside.get(name)
        if self.force or not path.is_file():
            return False
        try:
            if record:
                is_whole = files.file_digest(path) == record.sha256
            elif self.before:
                is_whole = name in self.standing
            else:  # The manifest is lost: the shard must be readable and not a copy of another.
                metadata = pq.read_table(path, partitioning=None).schema.metadata or {}
                is_whole = metadata.get(_SHARD) == path.stem.encode()
        except (pa.ArrowException, OSError):
            is_whole = False
        if not is_whole:
            logger.warning("%s is damaged; making it again", path)
        return is_whole

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[Path]:
        target = self.workspace.path(name)
        new = target.parent / NEXT / target.name
        with files.atomic_file(new) as temporary:
            yield temporary
        if name in self.beside:
            self.path(name).unlink(missing_ok=True)
        self.beside[name] = files.record_file(new)
        new.replace(self.path(name))
        self.written.add(name)

    def _shard_name(self, dataset: Dataset, shard: str) -> str:
        if dataset not in self.stage.outputs:
            raise ValueError(f"stage {self.stage.name!r} does not declare {dataset.path!r}")
        return dataset.shard_path(shard)


def run_stage(
    workspace: Workspace,
    stage: Stage,
    settings: Mapping[str, object],
    produce: Callable[[StageWriter], None],
    *,
    force: bool = False,
    share: Share | None = None,
) -> StageReport:
    """Runs a stage unless it is done, and writes its manifest.

    The output of an earlier run stays until this one replaces it. A damaged file is logged and made
    again.

    Args:
        workspace: the build.
        stage: its inputs and outputs.
        settings: the settings that decide its rows (`config.row_settings`).
        produce: does the work; asks `writer.has` before it makes a shard again.
        force: run even if it is done, and make every shard again; a workspace that `remakes` does
            the same.
        share: what of the shards `produce` makes, under the lock of a share, while other processes
            may make others. No manifest is written: like those of a run that was stopped, the
            shards lie beside their places, until a run without a share takes them over.

    Returns:
        The report. A stage with failed rows still writes all others; its manifest counts the
        failures, and it runs again next time.

    Raises:
        MissingInputError: an input is missing or incomplete.
        DamagedError: an input changed since its stage wrote it.
        InputError: a later version of this program wrote a manifest.
    """
    if share is None:
        settle(workspace)
    done = workspace.manifest(stage.name)
    before = done.records if done else {}
    damages = workspace.damages(before, done.patterns) if done else []
    holder = workspace.lock_holder()
    inputs = workspace.input_digests(stage.inputs, stage.input_files)
    parts = [stage.name, stage.version, dict(settings), inputs]
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    for name, what in damages:
        logger.warning("%s %s; making it again", workspace.path(name), what)
    force = force or workspace.remakes
    result = stage.result_path(workspace)
    if done and done.fingerprint == fingerprint and not (done.failed or damages or force):
        report = StageReport(done, result, skipped=True)
    else:
        started = started_path(workspace, stage.name)
        if share is None:
            files.write_text(started, holder)
        standing = {name: before[name] for name in before.keys() - dict(damages)}
        beside = find_beside(workspace, stage.outputs)
        writer = StageWriter(workspace, stage, fingerprint, done, standing, beside, force)
        try:
            produce(writer)
        except BaseException:
            if not writer.beside:
                started.unlink(missing_ok=True)
            raise
        outputs, statuses = _summed_up(writer)
        names = sorted({*writer.written, *stage.output_files})
        manifest = Manifest(
            stage=stage.name,
            version=stage.version,
            fingerprint=fingerprint,
            settings=dict(settings),
            inputs=inputs,
            outputs=outputs,
            records={name: writer.record(name) for name in names},
            rows=statuses.total(),
            problems=statuses.total() - statuses["ok"],
            failed=statuses["failed"],
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if share is None:
            place(workspace, manifest, before)
        report = StageReport(manifest, result, skipped=False)
    logger.info("%s", report.words())
    return report


def _summed_up(writer: StageWriter) -> tuple[dict[str, str], Counter[str]]:
    """Returns the digest of each output, and the number of rows by status.

    The digest of a data set is taken over the digests of its shards' rows. Rows without a status,
    in a data set or a file, count as ok.
    """
    outputs: dict[str, str] = {}
    statuses = Counter[str]()
    for dataset in writer.stage.outputs:
        digests = []
        for name in sorted(dataset.own(writer.written)):
            table = read_stable(writer.path(name), dataset.schema)
            digests.append(f"{Path(name).name} {rows_digest(table)}")
            has_status = "status" in table.schema.names
            statuses.update(table["status"].to_pylist() if has_status else {"ok": len(table)})
        outputs[dataset.path] = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    for name in writer.stage.output_files:
        outputs[name] = writer.record(name).sha256
        if name.endswith(".parquet"):
            statuses["ok"] += pq.read_metadata(writer.path(name)).num_rows
    return outputs, statuses


def place_beside(path: Path, record: FileRecord) -> Path:
    """Returns the path of a complete file until its stage ends."""
    return path.parent / NEXT / f"{path.name}.{record.sha256}"


def manifest_beside(workspace: Workspace, stage: str) -> Path:
    """Returns the path of a manifest while the output of its run is put in place."""
    return workspace.path(f"stages/{NEXT}/{stage}.json")


def started_path(workspace: Workspace, stage: str) -> Path:
    """Returns the path of the file that names the process of a run until it ends."""
    return workspace.path(f"stages/{NEXT}/{stage}.started")


def find_beside(workspace: Workspace, datasets: Iterable[Dataset]) -> dict[str, FileRecord]:
    """Finds the shards of runs that did not end, damaged or not.

    Returns:
        The record of each shard, by its final path relative to the workspace.
    """
    found = {}
    for dataset in datasets:
        pattern = PurePosixPath(dataset.shard_path("*"))
        for path in workspace.path(f"{pattern.parent}/{NEXT}").glob(f"{pattern.name}{_SHA256}"):
            shard, _, sha256 = path.name.rpartition(".")
            found[str(pattern.with_name(shard))] = FileRecord(path.stat().st_size, sha256)
    return found


def settle(workspace: Workspace) -> None:
    """Completes `place` for runs that were killed in it."""
    for path in sorted(workspace.path(f"stages/{NEXT}").glob("*.json")):
        try:
            manifest = load_manifest(path)
        except DamagedError as error:  # the old output counts, and the stage runs again
            logger.warning("%s", error)
            files.set_aside(path)
            continue
        logger.warning("%s: putting the output of a killed run in place", manifest.stage)
        before = workspace.manifest(manifest.stage)
        place(workspace, manifest, before.records if before else {})


def place(workspace: Workspace, manifest: Manifest, before: Mapping[str, FileRecord]) -> None:
    """Replaces a stage's old output by that of a run, or resumes doing so.

    Args:
        workspace: the build.
        manifest: of the run; each of its files is beside its place or already in it.
        before: the files of the last finished run.
    """
    beside = manifest_beside(workspace, manifest.stage)
    final = workspace.manifest_path(manifest.stage)
    new = {workspace.path(name): record for name, record in manifest.records.items()}
    old = {workspace.path(name): record for name, record in before.items()}
    with files.writing(final, if_full=True):
        if not beside.exists():
            for folder in {path.parent / NEXT for path in new}:
                files.flush_folder(folder)
            manifest.write(beside)
        started_path(workspace, manifest.stage).unlink(missing_ok=True)
        for path, record in new.items():
            if (file := place_beside(path, record)).exists():
                files.put_in_place(file, path)
        for path in sorted(old.keys() - new.keys()):
            files.remove_unless_changed(path, old[path])
        patterns = [*map(workspace.path, manifest.patterns)]
        shards = {path for pattern in patterns for path in pattern.parent.glob(pattern.name)}
        for path in sorted(shards - new.keys()):
            files.set_aside(path)
        for folder in {path.parent for path in (*new, *old, *patterns)}:
            shutil.rmtree(folder / NEXT, ignore_errors=True)  # leftovers do no harm
            files.flush_folder(folder)
        files.put_in_place(beside, final)
        files.flush_folder(final.parent)
