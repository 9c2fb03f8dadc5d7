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

from hgld.engine.dataset import Dataset, conform, table_digest
from hgld.engine.files import FileRecord, atomic_file, file_digest, record_file, write_text
from hgld.engine.workspace import GONE, Damage, Manifest, Workspace
from hgld.errors import MissingInputError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """What `hgld status` shows of a stage. `state` is done, stale, incomplete or missing."""

    stage: str
    state: str
    reason: str
    rows: int
    problems: int


@dataclass(slots=True)
class StageWriter:
    """How a stage's function writes: shards of its data sets, and whole files."""

    workspace: Workspace
    stage: Stage
    fingerprint: str
    force: bool = False
    """Whether shards of earlier runs are made again."""
    _written: dict[str, set[str]] = field(default_factory=dict)

    def has(self, dataset: Dataset, shard: str) -> bool:
        """Says whether a shard is there from an earlier run with the same fingerprint.

        A shard that is there counts as written: it stays when the stage ends.
        """
        path = self._shard_path(dataset, shard)
        if path.name in self._written.get(dataset.path, set()):
            return True
        if self.force or not path.exists():
            return False
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowInvalid, OSError) as error:
            logger.warning("%s is damaged and made again: %s", path, str(error).splitlines()[0])
            return False
        if metadata.get(_FINGERPRINT) != self.fingerprint.encode():
            return False
        self._written.setdefault(dataset.path, set()).add(path.name)
        return True

    def write(self, dataset: Dataset, shard: str, table: pa.Table) -> None:
        """Writes a shard, atomically.

        Args:
            dataset: one of the stage's outputs.
            shard: its name; shards are read in the order of their names.
            table: rows that conform to the schema.

        Raises:
            ValueError: the rows do not conform.
        """
        path = self._shard_path(dataset, shard)
        table = conform(table, dataset.schema).replace_schema_metadata(
            {
                b"hgld.stage": self.stage.name.encode(),
                b"hgld.version": str(self.stage.version).encode(),
                _FINGERPRINT: self.fingerprint.encode(),
            }
        )
        self._supersede()
        with atomic_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", compression_level=3)
        self._written.setdefault(dataset.path, set()).add(path.name)

    @contextlib.contextmanager
    def file(self, relative: str) -> Iterator[Path]:
        """Gives a temporary path for one of the stage's output files, renamed when done."""
        if relative not in self.stage.output_files:
            raise ValueError(f"stage {self.stage.name!r} does not declare the file {relative!r}")
        with atomic_file(self.workspace.path(relative)) as temporary:
            yield temporary
            self._supersede()

    def finish(self) -> None:
        """Removes the shards of earlier runs that this run has neither written nor found."""
        for dataset in self.stage.outputs:
            for path in self.workspace.shards(dataset):
                if path.name not in self._written.get(dataset.path, set()):
                    self._supersede()
                    path.unlink()

    def _supersede(self) -> None:
        """Takes back what the last run said of its files, just before the first of them changes.

        A run that fails before that, of a typing error say, takes nothing with it.
        """
        self.workspace.manifest_path(self.stage.name).unlink(missing_ok=True)

    def _shard_path(self, dataset: Dataset, shard: str) -> Path:
        if dataset not in self.stage.outputs:
            raise ValueError(f"stage {self.stage.name!r} does not declare {dataset.path!r}")
        return self.workspace.path(dataset.path) / f"{shard}.parquet"


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
        force: runs it although it is done, and makes every shard again.

    Returns:
        The report. A stage with failed rows writes all the others, says so in its manifest, and
        runs again next time.

    Raises:
        MissingInputError: an input has not been written, or only in part.
        DamagedError: an input is not what its stage wrote.
        InputError: a later version of this program wrote a manifest.
    """
    inputs = _input_digests(workspace, stage)
    fingerprint = _fingerprint(stage, settings, inputs)
    done, result = workspace.manifest(stage.name), stage.result_path(workspace)
    damages = _damages(workspace, stage, done) if done else []
    for damage in damages:
        path = workspace.path(damage.path)
        logger.warning("%s %s; it is made again", path, damage.what)
        path.unlink(missing_ok=True)
    if done and done.fingerprint == fingerprint and not (done.failed or damages or force):
        if None in done.records.values():  # of an earlier version, which did not write them down
            done = dataclasses.replace(done, records=_written(workspace, stage)[1])
            write_text(workspace.manifest_path(stage.name), done.text())
        report = StageReport(manifest=done, skipped=True, result=result)
        logger.info("%s", report.words())
        return report

    writer = StageWriter(workspace, stage, fingerprint, force)
    produce(writer)
    writer.finish()
    outputs, records = _written(workspace, stage)
    rows, statuses = _count_rows(workspace, stage)
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
    write_text(workspace.manifest_path(stage.name), manifest.text())
    report = StageReport(manifest=manifest, skipped=False, result=result)
    logger.info("%s", report.words())
    return report


def stage_status(
    workspace: Workspace, stage: Stage, settings: Mapping[str, object] | None = None
) -> StageStatus:
    """Compares what a stage wrote with what it would be made from now.

    Args:
        workspace: the build.
        stage: the stage.
        settings: its settings now, or those of them that are known; None compares the rest only.

    Returns:
        The state and, where it is not done, the reason in words.
    """
    done = workspace.manifest(stage.name)
    if done is None:
        partial = any(workspace.shards(dataset) for dataset in stage.outputs)
        state = "incomplete" if partial else "missing"
        reason = "was stopped; rerun to go on" if partial else ""
        return StageStatus(stage=stage.name, state=state, reason=reason, rows=0, problems=0)
    state, reason = "done", _why_stale(workspace, stage, settings or {}, done)
    if reason:
        state = "stale"
    elif done.failed:
        state, reason = "incomplete", f"{done.failed} rows failed; rerun to try them again"
    return StageStatus(
        stage=stage.name, state=state, reason=reason, rows=done.rows, problems=done.problems
    )


def _why_stale(
    workspace: Workspace, stage: Stage, settings: Mapping[str, object], done: Manifest
) -> str:
    """Returns the first thing that changed since a stage ended, or an empty string."""
    if done.version != stage.version:
        return f"version {done.version} -> {stage.version}"
    for key, value in settings.items():
        if key in done.settings and done.settings[key] != value:
            return f"setting {key}: {done.settings.get(key)!r} -> {value!r}"
    # What a run did not read, such as the landmarks where it was given a list, makes it not stale.
    read = [dataset for dataset in stage.inputs if dataset.path in done.inputs]
    try:
        inputs = _input_digests(workspace, dataclasses.replace(stage, inputs=tuple(read)))
    except MissingInputError as error:
        return str(error)
    for name, digest in inputs.items():
        if done.inputs.get(name) != digest:
            return f"input {name} changed"
    for damage in _damages(workspace, stage, done):
        is_gone = damage.what == GONE
        return "an output file is gone" if is_gone else f"{damage.path} {damage.what}"
    return ""


def _fingerprint(stage: Stage, settings: Mapping[str, object], inputs: Mapping[str, str]) -> str:
    parts = [stage.name, stage.version, dict(settings), dict(inputs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _input_digests(workspace: Workspace, stage: Stage) -> dict[str, str]:
    digests = {
        dataset.path: workspace.finished(dataset).outputs[dataset.path] for dataset in stage.inputs
    }
    for name in stage.input_files:
        path = workspace.path(name)
        digests[name] = file_digest(path) if path.exists() else "absent"
    return digests


def _damages(workspace: Workspace, stage: Stage, done: Manifest) -> list[Damage]:
    """Returns what a stage wrote and is not there as it was any more."""
    return workspace.damages(done.records, [dataset.path for dataset in stage.outputs])


def _written(
    workspace: Workspace, stage: Stage
) -> tuple[dict[str, str], dict[str, FileRecord | None]]:
    """Returns the digest of each output, and the files they consist of."""
    outputs: dict[str, str] = {}
    records: dict[str, FileRecord | None] = {}
    for dataset in stage.outputs:
        shards = workspace.shards(dataset)
        rows = [f"{shard.name} {table_digest(shard, dataset.schema)}" for shard in shards]
        outputs[dataset.path] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        records |= {f"{dataset.path}/{shard.name}": record_file(shard) for shard in shards}
    for name in stage.output_files:
        records[name] = record = record_file(workspace.path(name))
        outputs[name] = record.sha256
    return outputs, records


def _count_rows(workspace: Workspace, stage: Stage) -> tuple[int, Counter[str]]:
    """Returns the rows over all data sets, and how many have which status."""
    rows, statuses = 0, Counter[str]()
    for dataset in stage.outputs:
        for shard in workspace.shards(dataset):
            rows += pq.read_metadata(shard).num_rows
            if "status" in dataset.schema.names:
                column = pq.read_table(shard, columns=["status"], partitioning=None)["status"]
                statuses.update(column.to_pylist())
    return rows, statuses
