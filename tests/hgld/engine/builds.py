"""A build of a few stages."""

import pyarrow as pa
import pytest

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import CATEGORIES, LANDMARKS

METADATA = Stage(name="metadata", version=1, outputs=(LANDMARKS,))
SCRAPE = Stage(
    name="scrape", version=1, inputs=(LANDMARKS,), input_files=("extra.csv",), outputs=(CATEGORIES,)
)
REPORT = Stage(name="report", version=1, inputs=(LANDMARKS,), output_files=("report.txt",))
SHARD_ROWS = 2


def landmarks(count: int) -> pa.Table:
    return pa.table(
        {
            "split": ["train"] * count,
            "landmark_id": list(range(count)),
            "category": [f"Category:{number}" for number in range(count)],
        }
    )


def shards_of(count: int) -> list[str]:
    """Returns the names of the shards that so many landmarks take."""
    return [f"{start:06d}" for start in range(0, count, SHARD_ROWS)]


def write_landmarks(
    workspace: Workspace,
    count: int,
    settings: dict[str, object] | None = None,
    *,
    stops_at: str = "",
    force: bool = False,
) -> tuple[StageReport, list[str]]:
    """Runs the metadata stage; returns its report and the shards it made anew.

    Args:
        workspace: the build.
        count: of landmarks, two in a shard.
        settings: of the stage; the count where none are given.
        stops_at: a shard at which the run fails.
        force: makes all shards again.
    """
    made = []

    def produce(writer: StageWriter) -> None:
        for shard in shards_of(count):
            if shard == stops_at:
                raise InputError("no more")
            if not writer.has(LANDMARKS, shard):
                rows = landmarks(count).slice(int(shard), SHARD_ROWS)
                writer.write(LANDMARKS, shard, rows)
                assert writer.has(LANDMARKS, shard)
                made.append(shard)

    values = settings or {"count": count}
    return run_stage(workspace, METADATA, values, produce, force=force), made


def stop_landmarks(workspace: Workspace, count: int, at: str) -> None:
    """Runs the metadata stage, which fails at a shard."""
    with pytest.raises(InputError, match="no more"):
        write_landmarks(workspace, count, stops_at=at)


def write_categories(
    workspace: Workspace, statuses: list[str], fetched_at: int = 0, stage: Stage = SCRAPE
) -> StageReport:
    rows = landmarks(len(statuses)).to_pylist()
    for row, status in zip(rows, statuses, strict=True):
        row |= {"status": status, "fetched_at": fetched_at}
    table = pa.Table.from_pylist(rows, CATEGORIES.schema)
    return run_stage(workspace, stage, {}, lambda writer: writer.write(CATEGORIES, "0", table))


def write_report(
    workspace: Workspace, stage: Stage = REPORT, name: str = "report.txt"
) -> StageReport:
    def produce(writer: StageWriter) -> None:
        with writer.file(name) as path:
            path.write_text("some text " * 20)

    return run_stage(workspace, stage, {}, produce)


def write_one(writer: StageWriter) -> None:
    writer.write(LANDMARKS, "0", landmarks(1))


def fail(writer: StageWriter) -> None:  # noqa: ARG001 - it comes to write nothing
    """Is what a stage does that fails before it writes."""
    raise InputError("no such device")
