"""What was finished stands until what follows it is whole, whatever happens meanwhile."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine import successor
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.verify import verify_stages
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import LANDMARKS
from tests.hgld.engine.builds import (
    METADATA,
    Damaging,
    copy,
    cut,
    fail,
    flip,
    landmarks,
    shards_of,
    stop_landmarks,
    swap,
    write_landmarks,
    write_report,
)

FILES = Stage(
    name="metadata", version=1, outputs=(LANDMARKS,), output_files=("metadata/a.txt", "b.txt")
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

    return run_stage(workspace, FILES, {"count": count}, produce)


def content(workspace: Workspace) -> dict[str, bytes]:
    """Returns what a reader finds: no file in a hidden folder, and no time."""
    return {
        path.relative_to(workspace.root).as_posix(): path.read_bytes()
        for path in workspace.root.rglob("*")
        if path.is_file() and "/." not in path.as_posix() and path.parent.name != "stages"
    }


@pytest.mark.fault(1, "a run that fails while a finished output stands")
def test_what_was_finished_stands_until_its_successor_is_whole(workspace: Workspace) -> None:
    finished = write_files(workspace, 3)
    before = content(workspace)
    with pytest.raises(InputError, match="no more"):
        write_files(workspace, 2, fails=True)
    assert content(workspace) == before
    assert workspace.manifest("metadata") == finished.manifest
    assert workspace.read(LANDMARKS).num_rows == 3
    assert stage_status(workspace, FILES, {"count": 2}).state == "incomplete"
    # As it was before, it is up to date: nothing was lost.
    assert write_files(workspace, 3).skipped

    report = write_files(workspace, 2)
    assert not report.skipped
    assert workspace.read(LANDMARKS).num_rows == 2
    assert stage_status(workspace, FILES, {"count": 2}).state == "done"
    assert not list(workspace.root.rglob(".next/*"))
    assert not list(workspace.root.rglob(".journal/*"))


def test_a_stopped_successor_is_gone_on_with(workspace: Workspace) -> None:
    write_landmarks(workspace, 6)
    stop_landmarks(workspace, 8, at="000002")
    report, made = write_landmarks(workspace, 8)
    assert made == shards_of(8)[1:]
    assert report.manifest.rows == 8


def test_a_run_that_failed_before_it_wrote_was_never_there(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    with pytest.raises(InputError, match="no such device"):
        run_stage(workspace, METADATA, {"device": "gpu"}, fail)
    assert stage_status(workspace, METADATA).state == "done"


class KilledError(Exception):
    """As if the process had been killed there."""


@pytest.mark.fault(2, "killed while a new output is put in place")
@pytest.mark.parametrize("first", [True, False], ids=["the first output", "its successor"])
@pytest.mark.parametrize("survived", range(10))
def test_a_run_killed_at_any_step_of_a_succession_leaves_one_of_the_two(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: bool,
    survived: int,
) -> None:
    clean = write_files(Workspace(tmp_path / "clean"), 2).manifest
    if not first:
        write_files(workspace, 3)
    steps: list[Path] = []

    def dying(act: Callable[..., object]) -> Callable[..., object]:
        def step(path: Path, *arguments: object, **options: object) -> object:
            steps.append(path)
            if len(steps) > survived:
                raise KilledError
            return act(path, *arguments, **options)

        return step

    monkeypatch.setattr("hgld.engine.stage.succeed", placing(monkeypatch, dying))
    try:
        write_files(workspace, 2)
    except KilledError:
        assert len(steps) > survived
    else:
        assert len(steps) <= survived  # the whole succession has fewer steps
        monkeypatch.undo()
        assert stage_status(workspace, FILES).state == "done"
        return
    monkeypatch.undo()
    stands = workspace.manifest("metadata")
    is_done = stands is not None and stands.outputs == clean.outputs
    assert stage_status(workspace, FILES).state == ("done" if is_done else "incomplete")
    report = write_files(workspace, 2)
    assert report.manifest.outputs == clean.outputs
    assert report.manifest.records.keys() == clean.records.keys()
    assert workspace.damages(report.manifest.records, [LANDMARKS.path]) == []
    assert content(workspace).keys() == content(Workspace(tmp_path / "clean")).keys()
    assert write_files(workspace, 2).skipped


def placing(
    monkeypatch: pytest.MonkeyPatch,
    dying: Callable[[Callable[..., object]], Callable[..., object]],
) -> Callable[..., None]:
    """Returns a succession, each of whose renamed and removed files counts as a step."""
    succeed = successor.succeed

    def counted(workspace: Workspace, manifest: object) -> None:
        monkeypatch.setattr(Path, "replace", dying(Path.replace))
        monkeypatch.setattr(Path, "unlink", dying(Path.unlink))
        succeed(workspace, manifest)  # type: ignore[arg-type]

    return counted


def test_what_a_stage_writes_no_more_is_removed_unless_it_was_changed(
    workspace: Workspace,
) -> None:
    for changed in (False, True):
        write_files(workspace, 3)
        if changed:
            workspace.path("b.txt").write_text("somebody's notes")
        write_landmarks(workspace, 2)
        assert not workspace.path("metadata/a.txt").exists()
        assert workspace.path("b.txt").exists() == changed


def test_a_succession_that_was_killed_is_gone_on_with_by_the_next_run_of_any_stage(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_landmarks(workspace, 2)

    def dying(act: Callable[..., object]) -> Callable[..., object]:
        def step(path: Path, *arguments: object, **options: object) -> object:
            if "stages" not in path.parts:  # the manifest of the successor is there
                raise KilledError
            return act(path, *arguments, **options)

        return step

    with monkeypatch.context() as patch:
        patch.setattr("hgld.engine.stage.succeed", placing(patch, dying))
        with pytest.raises(KilledError):
            write_landmarks(workspace, 4)
    assert [one.path for one in verify_stages(workspace) if one.what] == ["stages/metadata.json"]
    write_report(workspace)
    assert workspace.read(LANDMARKS).num_rows == 4
    assert write_landmarks(workspace, 4)[0].skipped


@pytest.mark.fault(3, "a file of somebody else in a table's folder")
def test_a_file_of_somebody_else_is_moved_aside_and_never_deleted(workspace: Workspace) -> None:
    write_landmarks(workspace, 4)
    shard = workspace.shards(LANDMARKS)[0]
    copy(shard, 0)
    shard.with_name("mine.parquet").write_bytes(b"years of work")
    report, made = write_landmarks(workspace, 4)
    assert (made, report.manifest.rows) == ([], 4)
    aside = shard.parent / ".aside"
    assert (aside / "mine.parquet").read_bytes() == b"years of work"
    assert (aside / f"{shard.stem} (1).parquet").read_bytes() == shard.read_bytes()
    assert write_landmarks(workspace, 4)[0].skipped


@pytest.mark.fault(4, "a shard of a killed run that is damaged before the rerun")
@pytest.mark.parametrize("damage", [flip, cut, swap])
def test_a_shard_of_a_run_that_has_not_ended_is_compared_with_its_journal(
    workspace: Workspace, tmp_path: Path, damage: Damaging
) -> None:
    clean, _ = write_landmarks(Workspace(tmp_path / "clean"), 6)
    stop_landmarks(workspace, 6, at="000004")
    first = workspace.shards(LANDMARKS)[0]
    before = first.read_bytes()
    for seed in range(3):
        first.write_bytes(before)
        damage(first, seed)
        assert first.read_bytes() != before
        assert failing_late(workspace, 6) == ["000000"]
    report, _ = write_landmarks(workspace, 6)
    assert report.manifest.outputs == clean.manifest.outputs


def failing_late(workspace: Workspace, count: int) -> list[str]:
    """Goes on with landmarks up to the last shard; returns which it made anew."""
    made: list[str] = []

    def produce(writer: StageWriter) -> None:
        for shard in shards_of(count)[:-1]:
            if not writer.has(LANDMARKS, shard):
                writer.write(LANDMARKS, shard, landmarks(count).slice(int(shard), 2))
                made.append(shard)
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        run_stage(workspace, METADATA, {"count": count}, produce)
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_journal_costs_no_more_than_the_work_it_told_of(
    workspace: Workspace, tmp_path: Path, seed: int
) -> None:
    clean, _ = write_landmarks(Workspace(tmp_path / "clean"), 4)
    stop_landmarks(workspace, 4, at="000002")
    (cut if seed % 2 else flip)(workspace.path("stages/.journal/metadata.jsonl"), seed)
    assert write_landmarks(workspace, 4)[0].manifest.outputs == clean.manifest.outputs


def test_a_damaged_successor_leaves_what_stands(workspace: Workspace) -> None:
    finished, _ = write_landmarks(workspace, 4)
    path = workspace.path("stages/.next/metadata.json")
    path.write_text(json.dumps({"format": 2}))
    assert [one.path for one in verify_stages(workspace) if one.what] == ["stages/metadata.json"]
    assert write_landmarks(workspace, 4)[0].skipped
    assert not path.exists()
    assert workspace.manifest("metadata") == finished.manifest
