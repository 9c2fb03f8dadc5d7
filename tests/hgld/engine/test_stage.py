import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import CATEGORIES, CLASSES, IMAGES, LANDMARKS

METADATA = Stage(name="metadata", version=1, outputs=(LANDMARKS,))
SCRAPE = Stage(
    name="scrape", version=1, inputs=(LANDMARKS,), input_files=("extra.csv",), outputs=(CATEGORIES,)
)
SHARD_ROWS = 2


def landmarks(count: int) -> pa.Table:
    return pa.table(
        {
            "split": ["train"] * count,
            "landmark_id": list(range(count)),
            "category": [f"Category:{number}" for number in range(count)],
        }
    )


def write_landmarks(
    workspace: Workspace, count: int, settings: dict[str, object] | None = None, pause_s: float = 0
) -> tuple[StageReport, list[str]]:
    """Runs the metadata stage; returns its report and the shards it made anew."""
    made = []

    def produce(writer: StageWriter) -> None:
        for start in range(0, count, SHARD_ROWS):
            shard = f"{start:06d}"
            if not writer.has(LANDMARKS, shard):
                time.sleep(pause_s)
                writer.write(LANDMARKS, shard, landmarks(count).slice(start, SHARD_ROWS))
                made.append(shard)

    return run_stage(workspace, METADATA, settings or {"count": count}, produce), made


def write_categories(
    workspace: Workspace, statuses: list[str], fetched_at: int = 0, stage: Stage = SCRAPE
) -> StageReport:
    count = len(statuses)
    table = landmarks(count).append_column("status", pa.array(statuses))
    nulls = {"page_title": pa.string(), "qid": pa.string(), "revision_id": pa.int64()}
    for name, kind in nulls.items():
        table = table.append_column(name, pa.nulls(count, kind))
    times = pa.array([fetched_at] * count, pa.timestamp("ms", tz="UTC"))
    table = table.append_column("fetched_at", times)
    table = table.append_column("error", pa.nulls(count, pa.string()))
    return run_stage(workspace, stage, {}, lambda writer: writer.write(CATEGORIES, "0", table))


def write_undeclared_file(writer: StageWriter) -> None:
    with writer.file("x"):
        pass


def test_a_finished_stage_is_skipped_and_keeps_its_digest(workspace: Workspace) -> None:
    first, made = write_landmarks(workspace, 5)
    second, made_again = write_landmarks(workspace, 5)
    assert (first.skipped, second.skipped) == (False, True)
    assert len(made) == 3
    assert made_again == []
    assert second.manifest == first.manifest
    assert workspace.read(LANDMARKS).equals(landmarks(5).cast(LANDMARKS.schema))


def test_a_changed_setting_runs_the_stage_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 5, {"count": 5})
    report, made = write_landmarks(workspace, 5, {"count": 5, "colour": "red"})
    assert not report.skipped
    assert len(made) == 3


def test_a_changed_version_runs_the_stage_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 1)
    stage = Stage(name="metadata", version=2, outputs=(LANDMARKS,))
    report = run_stage(
        workspace, stage, {"count": 1}, lambda writer: writer.write(LANDMARKS, "0", landmarks(1))
    )
    assert not report.skipped


def test_fewer_rows_leave_no_shard_of_the_longer_run(workspace: Workspace) -> None:
    write_landmarks(workspace, 5)
    report, _ = write_landmarks(workspace, 3)
    assert report.manifest.rows == 3
    assert len(workspace.shards(LANDMARKS)) == 2
    assert workspace.read(LANDMARKS).num_rows == 3


def test_equal_rows_have_equal_digests_whatever_the_time_of_the_fetch(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    first = write_categories(workspace, ["ok", "no_item"], fetched_at=1)
    workspace.manifest_path("scrape").unlink()
    second = write_categories(workspace, ["ok", "no_item"], fetched_at=2)
    third = write_categories(
        workspace, ["ok", "no_page"], stage=Stage(name="scrape", version=2, outputs=(CATEGORIES,))
    )
    assert not second.skipped
    assert second.manifest.outputs == first.manifest.outputs
    assert third.manifest.outputs != first.manifest.outputs


def test_a_changed_input_makes_a_stage_stale_and_runs_it_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    assert stage_status(workspace, SCRAPE).state == "done"
    write_landmarks(workspace, 3)
    status = stage_status(workspace, SCRAPE)
    assert (status.state, status.reason) == ("stale", "input metadata/landmarks changed")
    assert not write_categories(workspace, ["ok", "ok", "ok"]).skipped


def test_an_input_rewritten_with_the_same_rows_disturbs_nothing(workspace: Workspace) -> None:
    write_landmarks(workspace, 2, {"count": 2})
    write_categories(workspace, ["ok", "ok"])
    write_landmarks(workspace, 2, {"count": 2, "colour": "red"})
    assert write_categories(workspace, ["ok", "ok"]).skipped


def test_an_input_file_that_appears_or_changes_runs_the_stage_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 1)
    write_categories(workspace, ["ok"])
    for text in ("a", "b"):
        workspace.path("extra.csv").write_text(text)
        assert stage_status(workspace, SCRAPE).reason == "input extra.csv changed"
        assert not write_categories(workspace, ["ok"]).skipped
    assert write_categories(workspace, ["ok"]).skipped


def test_a_missing_input_names_the_command_that_makes_it(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match=r"not there yet; run `hgld metadata`"):
        write_categories(workspace, ["ok"])


@pytest.mark.fault(204, "failed rows")
def test_failed_rows_are_counted_tried_again_and_not_passed_on(workspace: Workspace) -> None:
    write_landmarks(workspace, 3)
    report = write_categories(workspace, ["ok", "failed", "no_page"])
    assert (report.manifest.problems, report.manifest.failed) == (2, 1)
    assert stage_status(workspace, SCRAPE).state == "incomplete"
    with pytest.raises(MissingInputError, match=r"incomplete \(1 rows failed\)"):
        workspace.read(CATEGORIES)
    assert not write_categories(workspace, ["ok", "ok", "no_page"]).skipped
    assert write_categories(workspace, ["ok", "ok", "no_page"]).skipped


@pytest.mark.fault(203, "output file altered, cut or gone")
def test_an_output_file_that_is_gone_is_made_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 5)
    workspace.shards(LANDMARKS)[1].unlink()
    assert stage_status(workspace, METADATA).reason == "an output file is gone"
    report, made = write_landmarks(workspace, 5)
    assert not report.skipped
    assert made == ["000002"]


def test_status_names_the_setting_that_changed(workspace: Workspace) -> None:
    write_landmarks(workspace, 1, {"count": 1})
    assert stage_status(workspace, METADATA, {"count": 1}).state == "done"
    assert stage_status(workspace, METADATA, {"count": 2}).reason == "setting count: 1 -> 2"


def test_status_of_a_stage_that_never_ran_is_missing(workspace: Workspace) -> None:
    assert stage_status(workspace, METADATA).state == "missing"


@pytest.mark.parametrize("dataset", [CLASSES, CATEGORIES])
def test_a_stage_writes_only_what_it_declares(workspace: Workspace, dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="does not declare"):
        run_stage(workspace, METADATA, {}, lambda writer: writer.write(dataset, "0", landmarks(1)))
    with pytest.raises(ValueError, match="does not declare the file"):
        run_stage(workspace, METADATA, {}, write_undeclared_file)


@pytest.mark.fault(196, "stage killed between two shards")
def test_a_killed_stage_resumes_and_ends_with_the_same_digest(
    workspace: Workspace, tmp_path: Path
) -> None:
    clean, _ = write_landmarks(Workspace(tmp_path / "clean"), 12)
    code = (
        "import sys; from pathlib import Path\n"
        "from hgld.engine.workspace import Workspace\n"
        "from tests.hgld.engine.test_stage import write_landmarks\n"
        "write_landmarks(Workspace(Path(sys.argv[1])), 12, pause_s=0.2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(workspace.root)])
    while len(workspace.shards(LANDMARKS)) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = [path.stem for path in workspace.shards(LANDMARKS)]
    assert 2 <= len(kept) < 6
    assert stage_status(workspace, METADATA).state == "incomplete"

    report, made = write_landmarks(workspace, 12)
    assert made == [
        f"{start:06d}" for start in range(0, 12, SHARD_ROWS) if f"{start:06d}" not in kept
    ]
    assert report.manifest.outputs == clean.manifest.outputs


def run_empty(workspace: Workspace, stage: Stage) -> StageReport:
    """Runs a stage that writes empty tables and files."""

    def produce(writer: StageWriter) -> None:
        for dataset in stage.outputs:
            writer.write(dataset, "all", dataset.schema.empty_table())
        for name in stage.output_files:
            with writer.file(name) as path:
                path.write_text("x")

    return run_stage(workspace, stage, {}, produce)


def test_a_result_is_told_in_one_line_with_its_place(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(name="metadata", version=1, outputs=(LANDMARKS, IMAGES))
    with caplog.at_level(logging.INFO, "hgld.engine.stage"):
        told = [run_empty(workspace, stage).words() for _ in range(2)]
    place = workspace.path("metadata")
    assert told == caplog.messages
    assert told == [
        f"metadata: done, 0 rows, 0 problems: {place}",
        f"metadata: up to date, 0 rows, 0 problems: {place}",
    ]


def test_a_stage_without_tables_has_no_rows_to_count(workspace: Workspace) -> None:
    names = ("benchmarks/results.json", "benchmarks/report.html")
    stage = Stage(name="benchmark", version=1, output_files=names, result=names[1])
    report = workspace.path("benchmarks/report.html")
    assert run_empty(workspace, stage).words() == f"benchmark: done, {report}"
    assert report.exists()
