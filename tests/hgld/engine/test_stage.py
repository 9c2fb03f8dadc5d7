"""When a stage runs, when it is skipped, what of a stopped run counts, and what is told of it."""

import dataclasses
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.files import append_bytes, write_text, writing
from hgld.engine.stage import Stage, StageWriter, run_stage, started_path
from hgld.engine.status import build_status, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import CATEGORIES, CLASSES, IMAGES, LANDMARKS
from tests.hgld.engine import builds
from tests.hgld.engine.builds import METADATA, SCRAPE, landmarks, write_categories, write_landmarks


def test_a_finished_stage_is_skipped_and_keeps_its_digest(workspace: Workspace) -> None:
    first, made = write_landmarks(workspace, 5)
    second, made_again = write_landmarks(workspace, 5)
    assert (first.skipped, second.skipped) == (False, True)
    assert made == builds.shards_of(5)
    assert made_again == []
    assert second.manifest == first.manifest
    assert workspace.manifests() == [first.manifest]
    assert workspace.read(LANDMARKS).equals(landmarks(5).cast(LANDMARKS.schema))


def test_manifest_and_shards_are_as_version_1_wrote_them(workspace: Workspace) -> None:
    manifest = write_landmarks(workspace, 3)[0].manifest
    # Another digest of the same rows would make every build of the world stale.
    digest = "1a0c6e2f408442f6804389991bc9830102875e18d422ba15ebec5cfdf5194d90"
    assert manifest.outputs == {LANDMARKS.path: digest}
    assert datetime.fromisoformat(manifest.finished_at).tzinfo == UTC
    for shard in workspace.shards(LANDMARKS):
        said = pq.read_schema(shard).metadata
        assert said[b"hgld.stage"].decode() == METADATA.name
        assert said[b"hgld.version"].decode() == str(METADATA.version)


def test_a_changed_setting_or_version_runs_the_stage_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 5, {"count": 5})
    report, made = write_landmarks(workspace, 5, {"count": 5, "colour": "red"})
    assert not report.skipped
    assert made == builds.shards_of(5)
    later = dataclasses.replace(METADATA, version=2)
    assert stage_status(workspace, later).state == "stale"
    settings: dict[str, object] = {"count": 5, "colour": "red"}
    assert not run_stage(workspace, later, settings, builds.write_one).skipped


def test_a_stage_is_run_on_purpose_although_it_is_done(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    for remakes, force in ((False, True), (True, False)):
        again = Workspace(workspace.root, remakes=remakes)
        report, made = write_landmarks(again, 2, force=force)
        assert (report.skipped, made) == (False, ["000000"])
    assert workspace.read(CATEGORIES).num_rows == 2


def test_equal_rows_have_equal_digests_whatever_the_time_of_the_fetch(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    first = write_categories(workspace, ["ok", "no_item"], fetched_at=1)
    workspace.manifest_path("scrape").unlink()
    second = write_categories(workspace, ["ok", "no_item"], fetched_at=2)
    later = dataclasses.replace(SCRAPE, version=2)
    third = write_categories(workspace, ["ok", "no_page"], stage=later)
    assert not second.skipped
    assert second.manifest.outputs == first.manifest.outputs
    assert third.manifest.outputs != first.manifest.outputs


def test_only_an_input_with_other_rows_makes_a_stage_stale(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    write_landmarks(workspace, 2, {"colour": "red"})
    assert write_categories(workspace, ["ok", "ok"]).skipped
    assert stage_status(workspace, SCRAPE).state == "done"
    write_landmarks(workspace, 3)
    status = stage_status(workspace, SCRAPE)
    assert status.state == "stale"
    assert "metadata/landmarks" in status.reason
    assert not write_categories(workspace, ["ok", "ok", "ok"]).skipped


def test_an_input_file_that_appears_or_changes_runs_the_stage_again(workspace: Workspace) -> None:
    write_landmarks(workspace, 1)
    write_categories(workspace, ["ok"])
    for text in ("a", "b"):
        workspace.path("extra.csv").write_text(text)
        assert "extra.csv" in stage_status(workspace, SCRAPE).reason
        assert not write_categories(workspace, ["ok"]).skipped
    assert write_categories(workspace, ["ok"]).skipped
    workspace.path("extra.csv").unlink()
    workspace.path("extra.csv").mkdir()
    with pytest.raises(DamagedError, match=r"extra\.csv"):
        write_categories(workspace, ["ok"])


def test_a_missing_input_names_the_command_that_makes_it(workspace: Workspace) -> None:
    with pytest.raises(MissingInputError, match=r"\bmissing\b.*hgld metadata"):
        write_categories(workspace, ["ok"])


@pytest.mark.fault(204, "failed rows")
def test_failed_rows_are_counted_tried_again_and_not_passed_on(workspace: Workspace) -> None:
    write_landmarks(workspace, 3)
    report = write_categories(workspace, ["ok", "failed", "no_page"])
    assert (report.manifest.problems, report.manifest.failed) == (2, 1)
    status = stage_status(workspace, SCRAPE)
    assert (status.state, status.rows, status.problems) == ("incomplete", 3, 2)
    with pytest.raises(MissingInputError, match="1 rows failed"):
        workspace.read(CATEGORIES)
    assert not write_categories(workspace, ["ok", "ok", "no_page"]).skipped
    assert write_categories(workspace, ["ok", "ok", "no_page"]).skipped


def test_a_stage_writes_only_what_it_declares(workspace: Workspace) -> None:
    rows = landmarks(1)
    with pytest.raises(ValueError, match=CLASSES.path):
        run_stage(workspace, METADATA, {}, lambda writer: writer.write(CLASSES, "0", rows))
    with pytest.raises(ValueError, match=r"report\.txt"):
        builds.write_report(workspace, METADATA)


def test_a_result_is_told_in_one_line_with_its_place(workspace: Workspace) -> None:
    words = write_landmarks(workspace, 2)[0].words()
    assert words.endswith(str(workspace.path("metadata/landmarks")))
    assert "2 rows" in words
    both = dataclasses.replace(METADATA, outputs=(LANDMARKS, IMAGES))
    assert both.result_path(workspace) == workspace.path("metadata")
    # A stage may say what to open, and one without tables has no rows to count.
    report = dataclasses.replace(builds.REPORT, result="report.html")
    words = builds.write_report(workspace, report).words()
    assert words.endswith(str(workspace.path("report.html")))
    assert "rows" not in words


def test_rows_of_a_file_count_as_those_of_a_table(workspace: Workspace) -> None:
    def produce(writer: StageWriter) -> None:
        with writer.file("rows.parquet") as path:
            pq.write_table(landmarks(3), path)

    stage = dataclasses.replace(builds.REPORT, inputs=(), output_files=("rows.parquet",))
    manifest = run_stage(workspace, stage, {}, produce).manifest
    assert (manifest.rows, manifest.problems) == (3, 0)


@pytest.mark.parametrize("stands", [False, True])
def test_a_stage_runs_while_its_process_has_the_lock(workspace: Workspace, stands: bool) -> None:
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
    started_path(workspace, METADATA.name).write_bytes(b"\xff")  # a disk that failed
    assert stage_status(workspace, METADATA).state == "incomplete"


def test_staleness_goes_all_the_way_down(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    builds.write_categories(workspace, ["ok", "ok"])
    builds.write_report(workspace)
    stages = [(METADATA, {"count": 2}), (SCRAPE, {}), (builds.REPORT, {})]
    assert [one.state for one in build_status(workspace, stages)] == ["done"] * 3
    first, *others = build_status(workspace, [(METADATA, {"count": 3}), *stages[1:]])
    assert first.state == "stale"
    assert "count: 2 -> 3" in first.reason
    for status in others:
        assert status.state == "stale"
        assert "metadata" in status.reason


def test_what_a_run_did_not_read_makes_it_not_stale(workspace: Workspace) -> None:
    builds.write_report(workspace, dataclasses.replace(builds.REPORT, inputs=()))
    assert stage_status(workspace, builds.REPORT).state == "done"  # and no landmarks are there


@pytest.mark.fault(5, "a file that a stage reads is not what another stage wrote")
def test_a_file_of_another_stage_is_read_only_as_it_was_written(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    builds.write_report(workspace)
    reads, writes = builds.REPORT.output_files, ("copy.txt",)
    reader = Stage(name="cluster", version=1, input_files=reads, output_files=writes)
    clean = builds.write_report(workspace, reader, "copy.txt")
    path = workspace.path("report.txt")
    path.write_text(path.read_text().replace("text", "tuxt", 1))
    with pytest.raises(DamagedError, match=r"report\.txt"):
        builds.write_report(workspace, reader, "copy.txt")
    builds.write_report(workspace)
    again = builds.write_report(workspace, reader, "copy.txt")
    assert (again.skipped, again.manifest) == (True, clean.manifest)


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \udc00")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space"), writing(tmp_path / "x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InputError, match="No space"):
        append_bytes(Path("/dev/full"), b"x")  # a disk on which nothing fits
