"""What is told of a stage that is under way, was stopped, or rests on another that is stale."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.status import build_status, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.tables import LANDMARKS
from tests.hgld.engine.test_damage import REPORT, write_report
from tests.hgld.engine.test_stage import (
    METADATA,
    SCRAPE,
    landmarks,
    write_categories,
    write_landmarks,
)


@pytest.mark.parametrize("stands", [False, True], ids=["the first run", "a later run"])
def test_a_stage_is_running_as_long_as_its_process_holds_the_workspace(
    workspace: Workspace, stands: bool
) -> None:
    if stands:
        write_landmarks(workspace, 4)
    seen = []

    def produce(writer: StageWriter) -> None:
        writer.write(LANDMARKS, "000000", landmarks(2))
        with workspace.lock():
            seen.append(stage_status(workspace, METADATA))
        seen.append(stage_status(workspace, METADATA))

    run_stage(workspace, METADATA, {"count": 2}, produce)
    assert [status.state for status in seen] == ["running", "incomplete"]
    assert seen[0].reason.startswith(f"process {os.getpid()}, since 20")
    assert seen[0].rows == (4 if stands else 0)
    assert stage_status(workspace, METADATA).state == "done"


def test_a_run_that_changed_nothing_was_never_there(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)

    def fail(writer: StageWriter) -> None:  # noqa: ARG001 - it comes to write nothing
        raise InputError("no such device")

    with pytest.raises(InputError, match="no such device"):
        run_stage(workspace, METADATA, {"device": "gpu"}, fail)
    assert stage_status(workspace, METADATA).state == "done"


def test_staleness_goes_all_the_way_down(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    write_report(workspace)
    stages = [(METADATA, {"count": 2}), (SCRAPE, {}), (REPORT, {})]
    assert [one.state for one in build_status(workspace, stages)] == ["done"] * 3
    first, second, third = build_status(workspace, [(METADATA, {"count": 3}), *stages[1:]])
    assert (first.state, first.reason) == ("stale", "setting count: 2 -> 3")
    assert (second.state, second.reason) == (
        "stale",
        "input metadata/landmarks: metadata is stale",
    )
    assert (third.state, third.reason) == (second.state, second.reason)


def test_a_damaged_input_is_told_of_in_the_status_of_what_reads_it(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    shard = workspace.shards(LANDMARKS)[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "bytes, not the" in stage_status(workspace, SCRAPE).reason


@pytest.mark.fault(5, "a file that a stage reads is not what another stage wrote")
def test_a_file_that_another_stage_wrote_is_read_only_as_it_was_written(
    workspace: Workspace,
) -> None:
    write_landmarks(workspace, 2)
    write_report(workspace)
    reader = Stage(
        name="cluster", version=1, input_files=REPORT.output_files, output_files=("copy.txt",)
    )

    def produce(writer: StageWriter) -> None:
        with writer.file("copy.txt") as path:
            path.write_bytes(workspace.path("report.txt").read_bytes())

    clean = run_stage(workspace, reader, {}, produce)
    path = workspace.path("report.txt")
    path.write_text(path.read_text().replace("text", "tuxt", 1))
    with pytest.raises(DamagedError, match=r"report\.txt has other bytes .*; run `hgld report`"):
        run_stage(workspace, reader, {}, produce)
    write_report(workspace)
    again = run_stage(workspace, reader, {}, produce)
    assert again.skipped
    assert again.manifest.outputs == clean.manifest.outputs


def test_a_folder_without_a_build_is_refused_and_those_nearby_are_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "stages").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    Workspace(tmp_path / "one").require()
    for name, what in (("three", "is not there"), ("photos", "holds no build")):
        with pytest.raises(InputError, match=f"{name} {what}; name the folder") as error:
            Workspace(tmp_path / name).require()
        assert f"builds nearby: {tmp_path / 'one'}, {tmp_path / 'two'}" in str(error.value)


@pytest.mark.fault(6, "a root that is a file or cannot be written")
def test_a_root_that_cannot_be_a_build_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(InputError, match="must be a folder, got a file; choose another --root"),
        Workspace(tmp_path / "file").lock(),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"
    # No folder can be made there, whoever asks: the tests may run as root.
    with (
        pytest.raises(InputError, match=r"cannot write /proc/.*; choose another --root"),
        Workspace(Path("/proc/build")).lock(),
    ):
        pass


FORKS = """
import os, sys, time
from pathlib import Path
from hgld.engine.workspace import Workspace

with Workspace(Path(sys.argv[1])).lock():
    child = os.fork()
    if not child:
        time.sleep(600)
    print(child, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.fault(7, "a lock held by the child of a killed process")
def test_a_lock_says_who_really_holds_it(workspace: Workspace) -> None:
    command = [sys.executable, "-c", FORKS, str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.wait() == -signal.SIGKILL
        words = (
            rf"in use by process {child} \(\w.*\), which outlived process {parent.pid}; end it, or"
        )
        try:
            with pytest.raises(WorkspaceBusyError, match=words), workspace.lock():
                pass
        finally:
            os.kill(child, signal.SIGKILL)
    while Path(f"/proc/{child}").exists() and workspace.lock_holder() is not None:
        time.sleep(0.01)
    with workspace.lock():
        assert write_landmarks(workspace, 2)[0].manifest.rows == 2
