"""The stage engine: run what is not done, skip what is, and resume what was killed.

A stage reads data sets and files, and writes data sets (parquet shards with a schema) and files.
Its fingerprint is the SHA-256 of its name, version, the settings that decide its rows, and the
digests of its inputs. Every shard carries the fingerprint it was made under, so a killed run
finds again what it had finished; the manifest `stages/<name>.json` is written last. Digests are
of rows, not of file bytes, so a fetch repeated with the same result disturbs nothing after it.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.dataset import Dataset, conform, read_stable, rows_digest, write_shard
from hgld.engine.files import FileRecord, atomic_file, file_digest, record_file, write_text
from hgld.engine.manifest import Manifest
from hgld.engine.placing import NEXT, find_beside, place, place_beside, settle, started_path
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What a run of a stage did: its manifest, and whether it was skipped as up to date."""

    manifest: Manifest
    skipped: bool
    result: Path
    """Where what the stage wrote lies."""

    def words(self) -> str:
        """Returns what was done, how much was written, and where that lies, in one line."""
        done = self.manifest
        verb = "up to date" if self.skipped else "done"
        # A stage that writes no table has a model or a report, and no rows to count.
        writes_rows = any(name.endswith(".parquet") for name in done.records)
        count = f"{done.rows:,} rows, {done.problems:,} problems: " if writes_rows else ""
        return f"{done.stage}: {verb}, {count}{self.result}"


@dataclass(slots=True, kw_only=True)
class StageWriter:
    """How a stage's function writes: shards of its data sets, and whole files.

    What it writes lies beside its place until the stage ends (`hgld.engine.placing`).
    """

    workspace: Workspace
    stage: Stage
    fingerprint: str
    before: Manifest | None = None
    """What the stage wrote when it last ended."""
    standing: dict[str, FileRecord] = field(default_factory=dict)
    """What of that is still as it was written, by its place in the build."""
    beside: dict[str, FileRecord] = field(default_factory=dict)
    """What this run wrote, and runs that have not ended, by its place in the build."""
    force: bool = False
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
        if name in self.written:
            return True
        table = self._earlier(name, columns=[])
        if table is None or table.schema.metadata.get(_FINGERPRINT) != self.fingerprint.encode():
            return False
        self.written.add(name)
        return True

    def earlier(self, dataset: Dataset, shard: str) -> pa.Table | None:
        """Returns the rows of a shard from an earlier run, whatever its fingerprint and schema.

        Returns:
            The rows as they lie in the file, with its metadata; None where there are none, they
            are not what was written, or shards of earlier runs do not count.
        """
        return self._earlier(self._shard_name(dataset, shard), columns=None)

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
        return record or record_file(self.workspace.path(name))

    def _earlier(self, name: str, columns: list[str] | None) -> pa.Table | None:
        path = self.path(name)
        if self.force or not path.is_file():
            return None
        try:
            if self._is_whole(name, path):
                return pq.read_table(path, columns=columns, partitioning=None)
            why = "it is not what was written"
        except (pa.ArrowException, OSError) as error:
            why = str(error).splitlines()[0]
        logger.warning("%s is damaged and made again: %s", path, why)
        return None

    def _is_whole(self, name: str, path: Path) -> bool:
        """Says whether a shard is what was written."""
        if record := self.beside.get(name):
            return file_digest(path) == record.sha256
        if self.before:
            return name in self.standing
        # The manifest is lost: the shard can be read, and is no copy of another.
        metadata = pq.read_table(path, partitioning=None).schema.metadata or {}
        return metadata.get(_SHARD) == path.stem.encode()

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[Path]:
        target = self.workspace.path(name)
        new = target.parent / NEXT / target.name
        with atomic_file(new) as temporary:
            yield temporary
        if name in self.beside:
            self.path(name).unlink(missing_ok=True)
        self.beside[name] = record_file(new)
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
    inputs = input_digests(workspace, stage)
    parts = [stage.name, stage.version, dict(settings), inputs]
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    done, result = workspace.manifest(stage.name), stage.result_path(workspace)
    damages = output_damages(workspace, stage, done) if done else []
    standing = dict(done.records) if done else {}
    for name, what in damages:
        logger.warning("%s %s; it is being mended", workspace.path(name), what)
        standing.pop(name, None)
    force = force or workspace.remakes
    if done and done.fingerprint == fingerprint and not (done.failed or damages or force):
        return _report(done, result, skipped=True)

    writer = StageWriter(workspace=workspace, stage=stage, fingerprint=fingerprint, force=force)
    writer.before, writer.standing = done, standing
    writer.beside = find_beside(workspace, stage.outputs)
    started = started_path(workspace, stage.name)
    write_text(started, workspace.lock_holder())
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
    place(workspace, manifest)
    return _report(manifest, result, skipped=False)


def _report(manifest: Manifest, result: Path, *, skipped: bool) -> StageReport:
    report = StageReport(manifest=manifest, skipped=skipped, result=result)
    logger.info("%s", report.words())
    return report


def input_digests(workspace: Workspace, stage: Stage) -> dict[str, str]:
    """Returns the digest of each input of a stage, all of them as their stages wrote them.

    Raises:
        MissingInputError: an input has not been written, or only in part.
        DamagedError: an input is not what its stage wrote.
    """
    digests = {one.path: workspace.finished(one).outputs[one.path] for one in stage.inputs}
    writers = workspace.manifests() if stage.input_files else []
    for name in stage.input_files:
        for writer in writers:
            if name in writer.records:
                workspace.require_whole(writer, {name: writer.records[name]})
        path = workspace.path(name)
        try:
            digests[name] = file_digest(path) if path.exists() else "absent"
        except OSError as error:
            what = f"{path} cannot be read: {error.strerror}"
            raise DamagedError(f"{what}; mend that or move it away, then rerun") from error
    return digests


def output_damages(workspace: Workspace, stage: Stage, done: Manifest) -> list[Damage]:
    """Returns what a stage wrote and is no longer there as it was."""
    return workspace.damages(done.records, [dataset.path for dataset in stage.outputs])


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
