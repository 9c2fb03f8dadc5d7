"""What was finished stands until the next output is whole, whatever happens meanwhile."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hgld.engine import files, stage
from hgld.engine.stage import NEXT, Stage, StageReport, StageWriter, find_beside, place_beside
from hgld.engine.status import stage_status
from hgld.engine.verify import verify_begun, verify_stages
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import LANDMARKS
from tests.hgld.engine import builds
from tests.hgld.engine.builds import METADATA, landmarks, stop_landmarks, write_landmarks
from tests.worlds.damage import Way, copy, cut, flip, swap
from tests.worlds.forked import killed_after
from tests.worlds.stopped import stopped_at

FILES = Stage(
    name="metadata", version=1, outputs=(LANDMARKS,), output_files=("notes/a.txt", "b.txt")
)


def write_files(workspace: Workspace, count: int, *, fails: bool = False) -> StageReport:
    """Writes a shard a row, and two files, or fails when all but the last file is there."""

    def produce(writer: StageWriter) -> None:
        for number in range(count):
            if not writer.has(LANDMARKS, f"{number}"):
                writer.write(LANDMARKS, f"{number}", landmarks(count).slice(number, 1))
        for name in FILES.output_files:
            if fails and name == "b.txt":
                raise InputError("no more")
            with writer.file(name) as path:
                path.write_text(f"{count} rows")

    return stage.run_stage(workspace, FILES, {"count": count}, produce)


def content(workspace: Workspace) -> dict[str, bytes]:
    """Returns what a reader finds: no file in a hidden folder, and no time."""
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in workspace.root.rglob("*")
        if path.is_file() and "/." not in path.as_posix() and path.parent.name != "stages"
    }


@pytest.mark.fault(1, "a run that fails while a finished output stands")
@pytest.mark.fault(194, "run that fails before it writes")
def test_what_was_finished_stands_until_the_next_output_is_whole(workspace: Workspace) -> None:
    finished = write_files(workspace, 3)
    before = content(workspace)
    with pytest.raises(InputError, match="no such device"):
        stage.run_stage(workspace, FILES, {"device": "gpu"}, builds.fail)
    assert stage_status(workspace, FILES).state == "done"
    with pytest.raises(InputError, match="no more"):
        write_files(workspace, 2, fails=True)
    assert content(workspace) == before
    assert workspace.manifest("metadata") == finished.manifest
    assert workspace.read(LANDMARKS).num_rows == 3
    assert stage_status(workspace, FILES, {"count": 2}).state == "incomplete"
    # With the settings of before it is up to date: nothing was lost.
    assert write_files(workspace, 3).skipped

    report = write_files(workspace, 2)
    assert (report.skipped, report.manifest.rows) == (False, 2)
    assert workspace.read(LANDMARKS).num_rows == len(workspace.shards(LANDMARKS)) == 2
    assert not list(workspace.root.rglob(f"{NEXT}/*"))


def test_a_stopped_run_goes_on_although_another_output_stands(workspace: Workspace) -> None:
    write_landmarks(workspace, 6)
    for count in (10, 8):
        stop_landmarks(workspace, count, at="000002")
        assert len(list(workspace.path(f"{LANDMARKS.path}/{NEXT}").iterdir())) == 1
    report, made = write_landmarks(workspace, 8)
    assert made == builds.shards_of(8)[1:]
    assert report.manifest.rows == 8


@pytest.mark.fault(2, "killed while a new output is put in place")
@pytest.mark.fault(196, "stage killed between two shards")
@pytest.mark.parametrize("stands", [False, True])
def test_a_run_killed_at_any_call_leaves_one_of_two_outputs(
    workspace: Workspace, tmp_path: Path, stands: bool
) -> None:
    kill_at_calls(range(2, 200, 5), workspace, Workspace(tmp_path / "clean"), stands=stands)


def kill_at_calls(calls: range, workspace: Workspace, clean: Workspace, *, stands: bool) -> None:
    """Kills a run at each of some calls, until it makes fewer, and goes on with it each time."""
    right = write_files(clean, 2).manifest
    for survived in calls:
        here = Workspace(workspace.root / f"{survived}")
        old = write_files(here, 3).manifest if stands else None
        status = killed_after(survived, functools.partial(write_files, here, 2))
        found = here.manifest("metadata")
        if status == 0:
            break
        assert found is None or found.outputs in (right.outputs, old and old.outputs)
        assert found or not [*verify_begun(here, FILES)]  # a run that began is no damage
        if found and not list(here.path(f"stages/{NEXT}").glob("*.json")):
            assert here.damages(found.records, found.patterns) == []
        report = write_files(here, 2)
        assert report.manifest.outputs == right.outputs
        assert content(here) == content(clean)
        assert not list(here.root.rglob(f"{NEXT}/*"))
        assert write_files(here, 2).skipped
    assert 20 < survived < 199


def test_what_a_stage_no_longer_writes_goes_unless_it_was_changed(workspace: Workspace) -> None:
    for changed in (False, True):
        write_files(workspace, 3)
        if changed:
            workspace.path("b.txt").write_text("somebody's notes")
        write_landmarks(workspace, 2)
        assert not workspace.path("notes").exists()
        assert workspace.path("b.txt").exists() == changed


def test_any_stage_ends_a_placing(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    builds.write_report(workspace)
    workspace.path("report.txt").unlink()
    with stopped_at(files, "put_in_place"):
        write_landmarks(workspace, 4)
    damaged = [one.path for one in verify_stages(workspace) if one.what]
    assert damaged == ["stages/metadata.json", "report.txt"]
    assert "put in place" in stage_status(workspace, METADATA).reason
    builds.write_report(workspace)
    assert workspace.read(LANDMARKS).num_rows == 4
    assert write_landmarks(workspace, 4)[0].skipped


@pytest.mark.fault(3, "a file of somebody else in a table's folder")
def test_a_file_of_somebody_else_is_set_aside_and_never_deleted(workspace: Workspace) -> None:
    write_landmarks(workspace, 4)
    shard = workspace.shards(LANDMARKS)[0]
    for notes in (b"years of work", b"more years"):
        shard.with_name("mine.parquet").write_bytes(notes)
        copy(shard, Random(0))
        report, made = write_landmarks(workspace, 4)
        assert (made, report.manifest.rows) == ([], 4)
    kept = {path.name: path.read_bytes() for path in shard.parent.glob("*.aside*")}
    assert kept == {
        "mine.parquet.aside": b"years of work",
        "mine.parquet.aside1": b"more years",
        f"{shard.stem} (1).parquet.aside": shard.read_bytes(),
        f"{shard.stem} (1).parquet.aside1": shard.read_bytes(),
    }
    assert write_landmarks(workspace, 4)[0].skipped


@pytest.mark.fault(206, "a folder or a FIFO in the place of a file")
@pytest.mark.parametrize(
    "name", ["metadata/landmarks/1.parquet", "notes/a.txt", "stages/metadata.json"]
)
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "FIFO"])
def test_what_is_in_the_place_of_a_file_is_named(
    workspace: Workspace, name: str, make: Callable[[Path], None]
) -> None:
    clean = write_files(workspace, 3).manifest
    path = workspace.path(name)
    path.unlink()
    make(path)
    assert [one.path for one in verify_stages(workspace) if one.what] == [name]
    assert write_files(workspace, 3).manifest.outputs == clean.outputs
    assert path.is_file()
    assert write_files(workspace, 3).skipped


@pytest.mark.fault(4, "a shard of a killed run that is damaged before the rerun")
@pytest.mark.parametrize("how", [flip, cut, swap])
def test_a_shard_of_a_stopped_run_must_have_its_digest(
    workspace: Workspace, tmp_path: Path, how: Way
) -> None:
    clean, _ = write_landmarks(Workspace(tmp_path / "clean"), 6)
    for seed in range(3):
        stop_landmarks(workspace, 6, at="000004")
        name, record = min(find_beside(workspace, [LANDMARKS]).items())
        first = place_beside(workspace.path(name), record)
        before = first.read_bytes()
        how(first, Random(seed))
        assert first.read_bytes() != before
        stop_landmarks(workspace, 6, at="000004")
        assert first.read_bytes() == before
        first.write_bytes(before[:-1])
    report, made = write_landmarks(workspace, 6)
    assert made == ["000000", "000004"]
    assert report.manifest.outputs == clean.manifest.outputs


def test_a_damaged_manifest_beside_its_place_leaves_what_stands(workspace: Workspace) -> None:
    finished, _ = write_landmarks(workspace, 4)
    path = workspace.path(f"stages/{NEXT}/metadata.json")
    path.write_text("{}")
    assert [one.path for one in verify_stages(workspace) if one.what] == ["stages/metadata.json"]
    assert write_landmarks(workspace, 4)[0].skipped
    assert not path.exists()
    assert workspace.manifest("metadata") == finished.manifest
