"""The stage engine: run what is not done, skip what is, and resume what was killed.

A stage reads data sets and files, and writes data sets (parquet shards with a schema) and files.
Its fingerprint is the SHA-256 of its name, version, the settings that decide its rows, and the
digests of its inputs. Every shard carries the fingerprint it was made under, so a killed run
finds again what it had finished; the manifest `stages/<name>.json` is written last. Digests are
of rows, not of file bytes, so a fetch repeated with the same result disturbs nothing after it.

Output gets into its place as a whole or not at all. What a run writes lies beside its place, in a
folder `.next`, under its name and its SHA-256. When all of it is there, the manifest is written to
`stages/.next`. From then on the output counts: its files are renamed into their places, and the
manifest last.

- A run killed before that leaves what stood as it was. The next run finds its shards, and takes
  those that still have their digest.
- A run killed after that is completed by the next run of any stage (`settle`).

What somebody else put where an output belongs is set aside and never deleted.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine import files
from hgld.engine.dataset import Dataset, conform, read_stable, rows_digest, write_shard
from hgld.engine.files import FileRecord
from hgld.engine.workspace import Manifest, Workspace, load_manifest
from hgld.errors import DamagedError

logger = logging.getLogger(__name__)

NEXT = ".next"
_SHA256 = "." + 64 * "?"
"""Pattern of what a name ends in there."""

_FINGERPRINT = b"hgld.fingerprint"
_SHARD = b"hgld.shard"
"""Key of the shard's own name in its metadata; a copy under another name still has the old one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a stage is, apart from its settings and code."""

    name: str
    version: int
    """Raised when the code changes so that the same inputs give other rows."""
    inputs: tuple[Dataset, ...] = ()
    input_files: tuple[str, ...] = ()
    """Files relative to the workspace; one that is not there counts as absent, not as an error."""
    outputs: tuple[Dataset, ...] = ()
    output_files: tuple[str, ...] = ()
    result: str = ""
    """What a person opens when the stage has ended; empty: the folder that all outputs share."""

    @property
    def places(self) -> list[str]:
        """Where its output lies: paths of data sets and files, relative to the workspace."""
        return [*(dataset.path for dataset in self.outputs), *self.output_files]

    def result_path(self, workspace: Workspace) -> Path:
        """Returns where the result of the stage lies in a build."""
        return workspace.path(self.result or os.path.commonpath(self.places))


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a run of a stage did: its manifest, and whether it was skipped as up to date."""

    manifest: Manifest
    result: Path
    """Where what the stage wrote lies."""
    skipped: bool

    def words(self) -> str:
        """Returns what was done, how much was written, and where that lies, in one line."""
        done = self.manifest
        verb = "up to date" if self.skipped else "done"
        # A stage that writes no table has a model or a report, and no rows to count.
        writes_rows = any(name.endswith(".parquet") for name in done.records)
        count = f"{done.rows:,} rows, {done.problems:,} problems: " if writes_rows else ""
        return f"{done.stage}: {verb}, {count}{self.result}"


@dataclass(slots=True)
class StageWriter:
    """How a stage's function writes: shards of its data sets, and whole files.

    What it writes lies beside its place until the stage ends.
    """

    workspace: Workspace
    stage: Stage
    fingerprint: str
    before: Manifest | None
    """What the stage wrote when it last ended."""
    standing: dict[str, FileRecord]
    """What of that is still as it was written, by its place in the build."""
    beside: dict[str, FileRecord]
    """What this run wrote, and runs that have not ended, by its place in the build."""
    force: bool
    """Whether shards of earlier runs are made again."""
    written: set[str] = field(default_factory=set)
    """The shards and files that this run has written or found, by their places in the build."""

    def path(self, relative: str) -> Path:
        """Returns where a shard or file of the stage lies now, written by this run or earlier."""
        path, record = self.workspace.path(relative), self.beside.get(relative)
        return path if record is None else place_beside(path, record)

    def has(self, dataset: Dataset, shard: str) -> bool:
        """Says whether a shard is there from an earlier run with the same fingerprint.

        A shard that is there counts as written: it stays when the stage ends.
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
            The rows as they lie in the file, with its metadata; None where there are none, they
            are not what was written, or shards of earlier runs do not count.
        """
        name = self._shard_name(dataset, shard)
        return pq.read_table(self.path(name), partitioning=None) if self._is_whole(name) else None

    def write(self, dataset: Dataset, shard: str, table: pa.Table) -> None:
        """Writes a shard, atomically.

        Args:
            dataset: one of the stage's outputs.
            shard: its name; shards are read in the order of their names.
            table: rows that conform to the schema.

        Raises:
            ValueError: the rows do not conform.
        """
        name = self._shard_name(dataset, shard)
        table = conform(table, dataset.schema)
        own = {b"hgld.stage": self.stage.name, b"hgld.version": str(self.stage.version)}
        own |= {_SHARD: Path(name).stem, _FINGERPRINT: self.fingerprint}
        with self._output(name) as path:
            write_shard(table.replace_schema_metadata(own), path, dataset.layout)

    @contextlib.contextmanager
    def file(self, relative: str) -> Iterator[Path]:
        """Gives a temporary path for one of the stage's output files."""
        if relative not in self.stage.output_files:
            raise ValueError(f"stage {self.stage.name!r} does not declare the file {relative!r}")
        with self._output(relative) as path:
            yield path

    def record(self, name: str) -> FileRecord:
        """Returns what a shard or file was when it was written, by its path in the build."""
        record = self.beside.get(name) or self.standing.get(name)
        return record or files.record_file(self.workspace.path(name))

    def _is_whole(self, name: str) -> bool:
        """Says whether a shard of an earlier run is there, counts, and is what was written."""
        path, record = self.path(name), self.beside.get(name)
        if self.force or not path.is_file():
            return False
        try:
            if record:
                is_whole = files.file_digest(path) == record.sha256
            elif self.before:
                is_whole = name in self.standing
            else:  # The manifest is lost: the shard can be read, and is no copy of another.
                metadata = pq.read_table(path, partitioning=None).schema.metadata or {}
                is_whole = metadata.get(_SHARD) == path.stem.encode()
        except (pa.ArrowException, OSError):
            is_whole = False
        if not is_whole:
            logger.warning("%s is not what was written; it is made again", path)
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
) -> StageReport:
    """Runs a stage unless it is done, and writes its manifest.

    What an earlier run wrote stays as it is until this one replaces it. A file that is not what was
    written is named and made again.

    Args:
        workspace: the build.
        stage: what it reads and writes.
        settings: the settings that decide its rows (`config.row_settings`).
        produce: does the work; asks `writer.has` before it makes a shard again.
        force: runs it although it is done, and makes every shard again; so does a workspace that
            `remakes`.

    Returns:
        The report. A stage with failed rows writes all the others, says so in its manifest, and
        runs again next time.

    Raises:
        MissingInputError: an input has not been written, or only in part.
        DamagedError: an input is not what its stage wrote.
        InputError: a later version of this program wrote a manifest.
    """
    settle(workspace)
    done = workspace.manifest(stage.name)
    before = done.records if done else {}
    damages = workspace.damages(before, done.patterns) if done else []
    holder = workspace.lock_holder()
    inputs = workspace.input_digests(stage.inputs, stage.input_files)
    parts = [stage.name, stage.version, dict(settings), inputs]
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    for name, what in damages:
        logger.warning("%s %s; it is being mended", workspace.path(name), what)
    force = force or workspace.remakes
    result = stage.result_path(workspace)
    if done and done.fingerprint == fingerprint and not (done.failed or damages or force):
        report = StageReport(done, result, skipped=True)
    else:
        started = started_path(workspace, stage.name)
        files.write_text(started, holder)
        standing = {name: before[name] for name in before.keys() - dict(damages)}
        beside = find_beside(workspace, stage.outputs)
        writer = StageWriter(workspace, stage, fingerprint, done, standing, beside, force)
        try:
            produce(writer)
        except BaseException:
            if not writer.beside:
                started.unlink()
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
        place(workspace, manifest, before)
        report = StageReport(manifest, result, skipped=False)
    logger.info("%s", report.words())
    return report


def _summed_up(writer: StageWriter) -> tuple[dict[str, str], Counter[str]]:
    """Returns the digest of each output, and how many rows have which status.

    The digest of a data set is that of the digests of its shards' rows. A row without a status is
    ok, be it of a data set or of a file.
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
    """Returns where a file lies, once it is whole, until its stage has ended."""
    return path.parent / NEXT / f"{path.name}.{record.sha256}"


def manifest_beside(workspace: Workspace, stage: str) -> Path:
    """Returns where a manifest lies while the output of its run is put in place."""
    return workspace.path(f"stages/{NEXT}/{stage}.json")


def started_path(workspace: Workspace, stage: str) -> Path:
    """Returns where a run of a stage writes down, until it ends, who holds the lock."""
    return workspace.path(f"stages/{NEXT}/{stage}.started")


def find_beside(workspace: Workspace, datasets: Iterable[Dataset]) -> dict[str, FileRecord]:
    """Finds the shards of runs that have not ended, whether or not they still have their digest.

    Returns:
        The record of each shard, by its place relative to the workspace.
    """
    found = {}
    for dataset in datasets:
        pattern = PurePosixPath(dataset.shard_path("*"))
        for path in workspace.path(f"{pattern.parent}/{NEXT}").glob(f"{pattern.name}{_SHA256}"):
            shard, _, sha256 = path.name.rpartition(".")
            found[str(pattern.with_name(shard))] = FileRecord(path.stat().st_size, sha256)
    return found


def settle(workspace: Workspace) -> None:
    """Completes what `place` began in runs that were killed."""
    for path in sorted(workspace.path(f"stages/{NEXT}").glob("*.json")):
        try:
            manifest = load_manifest(path)
        except DamagedError as error:  # what stood counts, and the stage runs again
            logger.warning("%s", error)
            files.set_aside(path)
            continue
        logger.warning("%s: putting the output of a run that was killed in place", manifest.stage)
        before = workspace.manifest(manifest.stage)
        place(workspace, manifest, before.records if before else {})


def place(workspace: Workspace, manifest: Manifest, before: Mapping[str, FileRecord]) -> None:
    """Puts the output of a run in the place of what its stage wrote before, or goes on with that.

    Args:
        workspace: the build.
        manifest: of the run; each of its files lies beside its place, or in it.
        before: the files that the stage had written when it last ended.
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
            shutil.rmtree(folder / NEXT, ignore_errors=True)  # what is left does no harm
            files.flush_folder(folder)
        files.put_in_place(beside, final)
        files.flush_folder(final.parent)
