"""What lies on the disk is not what was written: it is named, and made again or refused."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import CATEGORIES, LANDMARKS
from tests.hgld.engine.test_stage import METADATA, landmarks, write_categories, write_landmarks

ROWS = 6
REPORT = Stage(name="report", version=1, inputs=(LANDMARKS,), output_files=("report.txt",))


def flip(path: Path, seed: int) -> None:
    """Turns one bit over, anywhere in the file."""
    content = bytearray(path.read_bytes())
    place = random.Random(seed).randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def cut(path: Path, seed: int) -> None:
    path.write_bytes(path.read_bytes()[: random.Random(seed).randrange(path.stat().st_size)])


def remove(path: Path, seed: int) -> None:  # noqa: ARG001 - as the others
    path.unlink()


def swap(path: Path, seed: int) -> None:  # noqa: ARG001
    """Gives a shard the rows of its neighbour, whole and with the right fingerprint."""
    other = next(one for one in sorted(path.parent.iterdir()) if one != path)
    path.write_bytes(other.read_bytes())


def copy(path: Path, seed: int) -> None:  # noqa: ARG001
    """Leaves a second copy beside it, as a file manager does."""
    path.with_name(f"{path.stem} (1){path.suffix}").write_bytes(path.read_bytes())


DAMAGES = [flip, cut, remove, swap, copy]
Damaging = Callable[[Path, int], None]


@pytest.mark.fault(190, "shard altered, cut, gone, exchanged or copied beside")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_shard_is_named_refused_and_made_again(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, damage: Damaging, seed: int
) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    before = {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)}
    damage(random.Random(seed).choice(workspace.shards(LANDMARKS)), seed)
    after = {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)}
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    assert len(changed) == 1  # the damage is there

    (name,) = changed
    with pytest.raises(DamagedError, match=r"run `hgld metadata` with .* to make it again") as why:
        workspace.read(LANDMARKS)
    assert name in str(why.value)
    with pytest.raises(DamagedError):
        write_categories(workspace, ["ok"] * ROWS)
    assert stage_status(workspace, METADATA).state == "stale"

    report, made = write_landmarks(workspace, ROWS)
    assert [line for line in caplog.messages if name in line]
    assert made == ([] if damage is copy else [Path(name).stem])
    assert report.manifest.outputs == clean.manifest.outputs
    assert {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)} == before
    assert workspace.read(LANDMARKS).num_rows == ROWS


def write_report(workspace: Workspace) -> StageReport:
    def produce(writer: StageWriter) -> None:
        with writer.file("report.txt") as path:
            path.write_text("some text " * 20)

    return run_stage(workspace, REPORT, {}, produce)


@pytest.mark.fault(203, "output file altered, cut or gone")
@pytest.mark.parametrize("damage", [flip, cut, remove], ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_made_again(workspace: Workspace, damage: Damaging) -> None:
    write_landmarks(workspace, 2)
    clean = write_report(workspace)
    damage(workspace.path("report.txt"), 7)
    assert not write_report(workspace).skipped
    assert write_report(workspace).manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(195, "shard left damaged by a killed run")
def test_a_shard_that_a_killed_run_left_damaged_is_made_again(workspace: Workspace) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    workspace.manifest_path("metadata").unlink()  # as if it had been killed just before the end
    first = workspace.shards(LANDMARKS)[0]
    first.write_bytes(first.read_bytes()[:-20])
    report, made = write_landmarks(workspace, ROWS)
    assert made == [first.stem]
    assert report.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(191, "manifest altered or cut")
@pytest.mark.parametrize("damage", [flip, cut], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_manifest_is_no_manifest(
    workspace: Workspace, damage: Damaging, seed: int
) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    path = workspace.manifest_path("metadata")
    path.write_text(path.read_text().rstrip())  # nothing at its end that could go and not matter
    damage(path, seed)
    with pytest.raises(MissingInputError, match="not there yet"):
        workspace.read(LANDMARKS)
    assert stage_status(workspace, METADATA).state == "incomplete"
    report, made = write_landmarks(workspace, ROWS)
    assert made == []
    assert report.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(192, "manifest of a later version")
def test_a_manifest_of_a_later_version_is_refused(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    path = workspace.manifest_path("metadata")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(InputError, match=r"later version of hgld \(format 99, this one knows 2\)"):
        workspace.read(LANDMARKS)


def test_a_manifest_of_the_version_before_is_taken_and_completed(workspace: Workspace) -> None:
    write_landmarks(workspace, ROWS)
    path = workspace.manifest_path("metadata")
    values = json.loads(path.read_text())
    del values["format"], values["sha256"]
    path.write_text(json.dumps({**values, "files": list(values.pop("records"))}))
    assert workspace.read(LANDMARKS).num_rows == ROWS
    assert write_landmarks(workspace, ROWS)[0].skipped
    flip(workspace.shards(LANDMARKS)[0], 1)
    with pytest.raises(DamagedError, match="other bytes than were written"):
        workspace.read(LANDMARKS)


def rewrite(workspace: Workspace, table: pa.Table) -> None:
    """Puts other rows in a shard's place, its manifest with them."""
    (path,) = workspace.shards(LANDMARKS)
    pq.write_table(table, path)
    manifest = workspace.manifest_path("metadata")
    values = json.loads(manifest.read_text())
    del values["format"], values["sha256"]
    manifest.write_text(json.dumps({**values, "files": list(values.pop("records"))}))


@pytest.mark.fault(193, "schema drift on reading")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda table: table.drop_columns("category"), "category"),
        (lambda table: table.append_column("colour", pa.array(["red"] * 2)), "colour"),
        (
            lambda table: table.set_column(1, "landmark_id", table["landmark_id"].cast("int32")),
            "landmark_id",
        ),
    ],
    ids=["missing", "extra", "cast"],
)
def test_a_schema_that_drifted_is_refused_by_name(
    workspace: Workspace, change: Callable[[pa.Table], pa.Table], named: str
) -> None:
    write_landmarks(workspace, 2)
    rewrite(workspace, change(landmarks(2)))
    with pytest.raises(DamagedError, match=rf"other columns .* \({named}\); run `hgld metadata`"):
        workspace.read(LANDMARKS, ["split"])


@pytest.mark.fault(194, "run that fails before it writes")
def test_a_run_that_fails_takes_nothing_with_it(workspace: Workspace) -> None:
    finished, _ = write_landmarks(workspace, ROWS)

    def fail(writer: StageWriter) -> None:  # noqa: ARG001 - it comes to write nothing
        raise InputError("no such device")

    with pytest.raises(InputError, match="no such device"):
        run_stage(workspace, METADATA, {"device": "gpu"}, fail)
    with pytest.raises(ValueError, match="columns must be"):
        run_stage(
            workspace,
            METADATA,
            {"device": "gpu"},
            lambda writer: writer.write(LANDMARKS, "0", landmarks(1).drop_columns("category")),
        )
    assert workspace.manifest("metadata") == finished.manifest
    report, made = write_landmarks(workspace, ROWS)
    assert report.skipped
    assert made == []


def test_a_stage_is_run_on_purpose_although_it_is_done(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    write_categories(workspace, ["ok", "ok"])
    made = []

    def produce(writer: StageWriter) -> None:
        if not writer.has(LANDMARKS, "000000"):
            writer.write(LANDMARKS, "000000", landmarks(2))
            made.append("000000")
        assert writer.has(LANDMARKS, "000000")  # written by this very run

    report = run_stage(workspace, METADATA, {"count": 2}, produce, force=True)
    assert (report.skipped, made) == (False, ["000000"])
    assert workspace.read(CATEGORIES).num_rows == 2
