"""What is told of a stage that is under way, was stopped, or rests on another that is stale."""

import dataclasses
import os

import pytest

from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.status import build_status, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import LANDMARKS
from tests.hgld.engine import builds
from tests.hgld.engine.builds import METADATA, REPORT, SCRAPE, write_landmarks, write_report


@pytest.mark.parametrize("stands", [False, True], ids=["the first run", "a later run"])
def test_a_stage_is_running_as_long_as_its_process_holds_the_workspace(
    workspace: Workspace, stands: bool
) -> None:
    assert stage_status(workspace, METADATA).state == "missing"
    if stands:
        write_landmarks(workspace, 4)
    seen = []

    def produce(writer: StageWriter) -> None:
        seen.append(stage_status(workspace, METADATA))
        writer.write(LANDMARKS, "000000", builds.landmarks(2))
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"), workspace.lock():
        run_stage(workspace, METADATA, {"count": 2}, produce)
    assert seen[0].state == "running"
    assert f"process {os.getpid()} " in seen[0].reason
    stopped = stage_status(workspace, METADATA)
    assert stopped.state == "incomplete"
    assert seen[0].rows == stopped.rows == (4 if stands else 0)
    assert ("kept" in stopped.reason) == stands


def test_staleness_goes_all_the_way_down(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    builds.write_categories(workspace, ["ok", "ok"])
    write_report(workspace)
    stages = [(METADATA, {"count": 2}), (SCRAPE, {}), (REPORT, {})]
    assert [one.state for one in build_status(workspace, stages)] == ["done"] * 3
    first, *others = build_status(workspace, [(METADATA, {"count": 3}), *stages[1:]])
    assert first.state == "stale"
    assert "count: 2 -> 3" in first.reason
    for status in others:
        assert status.state == "stale"
        assert "metadata" in status.reason


def test_what_a_run_did_not_read_makes_it_not_stale(workspace: Workspace) -> None:
    write_report(workspace, dataclasses.replace(REPORT, inputs=()))
    assert stage_status(workspace, REPORT).state == "done"  # and no landmarks are there


def test_a_damaged_input_is_told_of_in_the_status_of_what_reads_it(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    builds.write_categories(workspace, ["ok", "ok"])
    shard = workspace.shards(LANDMARKS)[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    assert shard.name in stage_status(workspace, SCRAPE).reason


@pytest.mark.fault(5, "a file that a stage reads is not what another stage wrote")
def test_a_file_that_another_stage_wrote_is_read_only_as_it_was_written(
    workspace: Workspace,
) -> None:
    write_landmarks(workspace, 2)
    write_report(workspace)
    reads, writes = REPORT.output_files, ("copy.txt",)
    reader = Stage(name="cluster", version=1, input_files=reads, output_files=writes)
    clean = write_report(workspace, reader, "copy.txt")
    path = workspace.path("report.txt")
    path.write_text(path.read_text().replace("text", "tuxt", 1))
    with pytest.raises(DamagedError, match=r"report\.txt"):
        write_report(workspace, reader, "copy.txt")
    write_report(workspace)
    again = write_report(workspace, reader, "copy.txt")
    assert (again.skipped, again.manifest) == (True, clean.manifest)
