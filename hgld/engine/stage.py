"""The stage engine: run what is not done, skip what is, and resume what was killed.

A stage reads data sets and files, and writes data sets (parquet shards with a schema) and files.
Its fingerprint is the SHA-256 of its name, version, the settings that decide its rows, and the
digests of its inputs. Every shard carries the fingerprint it was made under, so a killed run
finds again what it had finished; the manifest `stages/<name>.json` is written last. Digests are
of rows, not of file bytes, so a fetch repeated with the same result disturbs nothing after it.
"""

import contextlib
import dataclasses
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

from hgld.engine.dataset import Dataset, conform, table_digest, write_shard
from hgld.engine.files import FileRecord, atomic_file, file_digest, record_file, write_text
from hgld.engine.manifest import Manifest
from hgld.engine.successor import (
    SHARD,
    add_to_journal,
    forget_journal,
    name_in,
    next_path,
    settle,
    start_journal,
    succeed,
)
from hgld.engine.workspace import FOREIGN, Damage, Workspace

logger = logging.getLogger(__name__)

_FINGERPRINT = b"hgld.fingerprint"


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

    def result_path(self, workspace: Workspace) -> Path:
        """Returns where the result of the stage lies in a build."""
        places = [*(dataset.path for dataset in self.outputs), *self.output_files]
        return workspace.path(self.result or os.path.commonpath(places))


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
        writes_rows = any(name.endswith(".parquet") for name in done.files)
        count = f"{done.rows:,} rows, {done.problems:,} problems: " if writes_rows else ""
        return f"{done.stage}: {verb}, {count}{self.result}"


@dataclass(slots=True, kw_only=True)
class StageWriter:
    """How a stage's function writes: shards of its data sets, and whole files.

    What it writes takes the place of a finished output when the stage ends, and not before
    (`hgld.engine.successor`); where none stands, it is written in its place.
    """

    workspace: Workspace
    stage: Stage
    fingerprint: str
    before: Manifest | None = None
    """What the stage wrote when it last ended."""
    damaged: frozenset[str] = frozenset()
    """Which of that is not as it was written any more."""
    journal: dict[str, FileRecord] = field(default_factory=dict)
    """What runs that have not ended wrote."""
    force: bool = False
    """Whether shards of earlier runs are made again."""
    _written: set[str] = field(default_factory=set)

    def path(self, relative: str) -> Path:
        """Returns where a shard or file of the stage lies now, written by this run or earlier."""
        path = self.workspace.path(relative)
        return next_path(path) if next_path(path).exists() else path

    def has(self, dataset: Dataset, shard: str) -> bool:
        """Says whether a shard is there from an earlier run with the same fingerprint.

        A shard that is there counts as written: it stays when the stage ends.
        """
        name = self._shard_name(dataset, shard)
        if name in self._written:
            return True
        table = self._earlier(name, columns=[])
        if table is None or table.schema.metadata.get(_FINGERPRINT) != self.fingerprint.encode():
            return False
        self._written.add(name)
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
        metadata = {
            b"hgld.stage": self.stage.name.encode(),
            b"hgld.version": str(self.stage.version).encode(),
            SHARD: Path(name).stem.encode(),
            _FINGERPRINT: self.fingerprint.encode(),
        }
        with self._output(name) as path:
            write_shard(table.replace_schema_metadata(metadata), path, dataset.layout)

    @contextlib.contextmanager
    def file(self, relative: str) -> Iterator[Path]:
        """Gives a temporary path for one of the stage's output files, renamed when done."""
        if relative not in self.stage.output_files:
            raise ValueError(f"stage {self.stage.name!r} does not declare the file {relative!r}")
        with self._output(relative) as path:
            yield path

    def shards(self, dataset: Dataset) -> list[str]:
        """Returns the names of the shards that this run has written or found, in order."""
        return sorted(dataset.own(self._written))

    @property
    def written(self) -> list[str]:
        """The shards and files that this run has written or found, by their paths in the build.

        Where there are any, a later run can go on with them.
        """
        return sorted(self._written)

    def _earlier(self, name: str, columns: list[str] | None) -> pa.Table | None:
        path = self.path(name)
        if self.force or not path.exists():
            return None
        try:
            if self._is_whole(name, path):
                return pq.read_table(path, columns=columns, partitioning=None)
        except (pa.ArrowException, OSError) as error:
            logger.warning("%s is damaged and made again: %s", path, str(error).splitlines()[0])
            return None
        if name not in self.damaged:  # else it was named
            logger.warning("%s is not what was written, and made again", path)
        return None

    def _is_whole(self, name: str, path: Path) -> bool:
        """Says whether a shard is what was written, by the best account there is of it."""
        if self.before and name in self.before.records and path == self.workspace.path(name):
            return name not in self.damaged
        if record := self.journal.get(name):
            return record_file(path) == record
        # The account is lost, or of an earlier version: it can be read, and is no copy of another.
        pq.read_table(path, partitioning=None)
        return name_in(path) in {None, path.stem}

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[Path]:
        path = self.workspace.path(name)
        with atomic_file(path if self.before is None else next_path(path)) as temporary:
            yield temporary
        if self.before is None:  # what a run left there when an output stood is older
            next_path(path).unlink(missing_ok=True)
        self.journal[name] = add_to_journal(self.workspace, self.stage.name, name)
        self._written.add(name)

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
    fingerprint = _fingerprint(stage, settings, inputs)
    done, result = workspace.manifest(stage.name), stage.result_path(workspace)
    damages = output_damages(workspace, stage, done) if done else []
    for damage in damages:
        ends = "moved aside" if damage.what == FOREIGN else "made again"
        logger.warning("%s %s; it is %s", workspace.path(damage.path), damage.what, ends)
    force = force or workspace.remakes
    if done and done.fingerprint == fingerprint and not (done.failed or damages or force):
        if None in done.records.values():  # of an earlier version, which did not write them down
            now = {name: record_file(workspace.path(name)) for name in done.records}
            done = dataclasses.replace(done, records=dict[str, FileRecord | None](now))
            write_text(workspace.manifest_path(stage.name), done.text())
        report = StageReport(manifest=done, skipped=True, result=result)
        logger.info("%s", report.words())
        return report

    writer = StageWriter(
        workspace=workspace,
        stage=stage,
        fingerprint=fingerprint,
        before=done,
        damaged=frozenset(damage.path for damage in damages),
        journal=start_journal(workspace, stage.name, fingerprint),
        force=force,
    )
    try:
        produce(writer)
    except BaseException:
        if not writer.written:
            forget_journal(workspace, stage.name)
        raise
    outputs, records = _written(writer)
    rows, statuses = _count_rows(writer)
    manifest = Manifest(
        stage=stage.name,
        version=stage.version,
        fingerprint=fingerprint,
        settings=dict(settings),
        inputs=inputs,
        outputs=outputs,
        records=records,
        rows=rows,
        problems=sum(count for status, count in statuses.items() if status != "ok"),
        failed=statuses.get("failed", 0),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    succeed(workspace, manifest)
    report = StageReport(manifest=manifest, skipped=False, result=result)
    logger.info("%s", report.words())
    return report


def _fingerprint(stage: Stage, settings: Mapping[str, object], inputs: Mapping[str, str]) -> str:
    parts = [stage.name, stage.version, dict(settings), dict(inputs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def input_digests(workspace: Workspace, stage: Stage) -> dict[str, str]:
    """Returns the digest of each input of a stage, all of them as their stages wrote them.

    Raises:
        MissingInputError: an input has not been written, or only in part.
        DamagedError: an input is not what its stage wrote.
    """
    digests = {
        dataset.path: workspace.finished(dataset).outputs[dataset.path] for dataset in stage.inputs
    }
    writers = workspace.manifests() if stage.input_files else []
    for name in stage.input_files:
        for writer in writers:
            if name in writer.records:
                workspace.require_whole(writer, {name: writer.records[name]})
        path = workspace.path(name)
        digests[name] = file_digest(path) if path.exists() else "absent"
    return digests


def output_damages(workspace: Workspace, stage: Stage, done: Manifest) -> list[Damage]:
    """Returns what a stage wrote and is not there as it was any more."""
    return workspace.damages(done.records, [dataset.path for dataset in stage.outputs])


def _written(writer: StageWriter) -> tuple[dict[str, str], dict[str, FileRecord | None]]:
    """Returns the digest of each output, and the files they consist of."""
    outputs: dict[str, str] = {}
    records: dict[str, FileRecord | None] = {}
    for dataset in writer.stage.outputs:
        rows = []
        for name in writer.shards(dataset):
            path = writer.path(name)
            rows.append(f"{path.name} {table_digest(path, dataset.schema)}")
            records[name] = record_file(path)
        outputs[dataset.path] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    for name in writer.stage.output_files:
        records[name] = record = record_file(writer.path(name))
        outputs[name] = record.sha256
    return outputs, records


def _count_rows(writer: StageWriter) -> tuple[int, Counter[str]]:
    """Returns the rows over all data sets and files of tables, and how many have which status."""
    files = [writer.path(name) for name in writer.stage.output_files if name.endswith(".parquet")]
    rows, statuses = sum(pq.read_metadata(path).num_rows for path in files), Counter[str]()
    for dataset in writer.stage.outputs:
        for path in map(writer.path, writer.shards(dataset)):
            rows += pq.read_metadata(path).num_rows
            if "status" in dataset.schema.names:
                column = pq.read_table(path, columns=["status"], partitioning=None)["status"]
                statuses.update(column.to_pylist())
    return rows, statuses
