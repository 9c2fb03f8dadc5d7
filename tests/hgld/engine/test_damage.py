"""What lies on the disk is not what was written: it is named, and made again or refused."""

import dataclasses
import errno
import hashlib
import os
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from hgld.engine import files
from hgld.engine.files import read_sealed, write_sealed
from hgld.engine.stage import run_stage
from hgld.engine.status import stage_status
from hgld.engine.verify import RELEASE_SUMS, read_sums, verify_begun, verify_stages, verify_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import LANDMARKS
from tests.hgld.engine import builds
from tests.hgld.engine.builds import METADATA, landmarks, write_landmarks
from tests.worlds.builders import write_sums
from tests.worlds.damage import Way, copy, cut, flip, remove, swap

ROWS = 6


def wrong_files(workspace: Workspace) -> list[str]:
    """Returns what `hgld verify` would name."""
    return [damage.path for damage in verify_stages(workspace) if damage.what]


@pytest.mark.fault(190, "shard altered, cut, gone, exchanged or copied beside")
@pytest.mark.parametrize(
    ("damage", "seed"),
    [(flip, 0), (flip, 1), (cut, 0), (cut, 1), (remove, 0), (swap, 0), (copy, 0)],
)
def test_a_damaged_shard_is_made_again(workspace: Workspace, damage: Way, seed: int) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    assert wrong_files(workspace) == []
    before = {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)}
    damage(Random(seed).choice(workspace.shards(LANDMARKS)), Random(seed))
    after = {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)}
    (name,) = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}

    with pytest.raises(DamagedError, match="hgld metadata") as why:
        workspace.read(LANDMARKS)
    assert name in str(why.value)
    with pytest.raises(DamagedError):
        builds.write_categories(workspace, ["ok"] * ROWS)
    assert stage_status(workspace, METADATA).state == "stale"
    assert wrong_files(workspace) == [f"{LANDMARKS.path}/{name}"]

    report, made = write_landmarks(workspace, ROWS)
    assert made == ([] if damage is copy else [Path(name).stem])
    assert report.manifest.outputs == clean.manifest.outputs
    assert {path.name: path.read_bytes() for path in workspace.shards(LANDMARKS)} == before
    assert workspace.read(LANDMARKS).num_rows == ROWS


@pytest.mark.fault(203, "output file altered, cut or gone")
@pytest.mark.parametrize("damage", [flip, cut, remove])
def test_a_damaged_file_is_made_again(workspace: Workspace, damage: Way) -> None:
    write_landmarks(workspace, 2)
    clean = builds.write_report(workspace)
    damage(workspace.path("report.txt"), Random(7))
    assert wrong_files(workspace) == ["report.txt"]
    assert builds.write_report(workspace).manifest.outputs == clean.manifest.outputs
    assert wrong_files(workspace) == []


@pytest.mark.fault(195, "manifest gone, and a shard damaged")
@pytest.mark.parametrize("damage", [cut, swap])
def test_a_whole_shard_counts_without_manifest(workspace: Workspace, damage: Way) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    workspace.manifest_path("metadata").unlink()
    (gone,) = verify_begun(workspace, METADATA)
    assert (gone.path, "hgld metadata" in gone.what) == ("stages/metadata.json", True)
    first = workspace.shards(LANDMARKS)[0]
    damage(first, Random(0))
    report, made = write_landmarks(workspace, ROWS)
    assert made == [first.stem]
    assert report.manifest.outputs == clean.manifest.outputs
    assert not [*verify_begun(workspace, METADATA)]


@pytest.mark.fault(207, "a file that cannot be read")
def test_a_file_that_cannot_be_read_hides_no_other(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_landmarks(workspace, ROWS)
    _, second, third = workspace.shards(LANDMARKS)
    flip(third, Random(0))
    digest = files.file_digest

    def refused(path: Path) -> str:
        if path == second:  # by a mode of 000, which would not stop root, or a bad sector
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return digest(path)

    monkeypatch.setattr("hgld.engine.files.file_digest", refused)
    assert wrong_files(workspace) == [f"{LANDMARKS.path}/{one.name}" for one in (second, third)]
    with pytest.raises(DamagedError, match="Permission denied"):
        workspace.read(LANDMARKS)
    assert write_landmarks(workspace, ROWS)[1] == [second.stem, third.stem]


@pytest.mark.fault(191, "manifest altered or cut")
@pytest.mark.parametrize("damage", [flip, cut])
def test_a_damaged_manifest_is_no_manifest(workspace: Workspace, damage: Way) -> None:
    clean, _ = write_landmarks(workspace, ROWS)
    path = workspace.manifest_path("metadata")
    right = path.read_text().rstrip()  # nothing at its end that could go and not matter
    for seed in range(60):
        path.write_text(right)
        damage(path, Random(seed))
        assert workspace.manifest("metadata") is None
    assert wrong_files(workspace) == ["stages/metadata.json"]
    with pytest.raises(MissingInputError, match="hgld metadata"):
        workspace.read(LANDMARKS)
    assert stage_status(workspace, METADATA).state == "incomplete"
    report, made = write_landmarks(workspace, ROWS)
    assert made == []
    assert report.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(191, "manifest altered or cut")
def test_a_manifest_under_the_name_of_another_stage_is_none(workspace: Workspace) -> None:
    write_landmarks(workspace, ROWS)
    path = workspace.manifest_path("metadata")
    path.with_name("annotate.json").write_bytes(path.read_bytes())
    assert workspace.manifest("annotate") is None
    assert wrong_files(workspace) == ["stages/annotate.json"]
    assert workspace.manifest("metadata") is not None


@pytest.mark.fault(192, "manifest of a later version")
def test_a_manifest_of_a_later_version_is_refused(workspace: Workspace) -> None:
    write_landmarks(workspace, 2)
    path = workspace.manifest_path("metadata")
    write_sealed(path, {**read_sealed(path), "format": 99})
    with pytest.raises(InputError, match="99"):
        workspace.read(LANDMARKS)


@pytest.mark.fault(193, "schema drift on reading")
@pytest.mark.parametrize(
    ("schema", "named"),
    [
        (LANDMARKS.schema.remove(2), "category"),
        (LANDMARKS.schema.append(pa.field("colour", pa.string())), "colour"),
        (LANDMARKS.schema.set(1, pa.field("landmark_id", pa.int32())), "landmark_id"),
    ],
)
def test_a_drifted_schema_is_refused(workspace: Workspace, schema: pa.Schema, named: str) -> None:
    drifted = dataclasses.replace(LANDMARKS, schema=schema)
    stage = dataclasses.replace(METADATA, outputs=(drifted,))
    rows = pa.Table.from_pylist(landmarks(2).to_pylist(), schema)
    run_stage(workspace, stage, {}, lambda writer: writer.write(drifted, "0", rows))
    with pytest.raises(DamagedError, match=named):
        workspace.read(LANDMARKS, ["split"])


FILES = {"card.md": b"a card", "data/test-0.parquet": b"more", "data/train-0.parquet": b"rows"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    write_sums(tmp_path)
    return tmp_path


def wrong(folder: Path) -> list[str]:
    return [damage.path for damage in verify_sums(folder) if damage.what]


def test_a_whole_release_has_every_file_and_no_damage_as_sha256sum_writes_it(release: Path) -> None:
    assert [damage.path for damage in verify_sums(release)] == [*FILES]
    assert wrong(release) == []
    sums = release / RELEASE_SUMS
    assert read_sums(sums) == {name: digest(content) for name, content in FILES.items()}
    sums.write_text(sums.read_text().replace("  ", "  ./"))
    assert wrong(release) == []


def test_what_is_altered_gone_or_added_is_named(release: Path) -> None:
    (release / "card.md").write_bytes(b"b card")
    (release / "data/train-0.parquet").unlink()
    (release / "data/train-1.parquet").write_bytes(b"of another release")
    (release / "data/.train-2.parquet").write_bytes(b"hidden, which no reader takes")
    assert wrong(release) == ["card.md", "data/train-0.parquet", "data/train-1.parquet"]
    remedies = {damage.path: damage.what for damage in verify_sums(release)}
    assert "fetch" in remedies["card.md"]
    assert "remove" in remedies["data/train-1.parquet"]


def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(release: Path) -> None:
    (release / "card.md").unlink()
    os.mkfifo(release / "card.md")
    (release / "data/train-0.parquet").unlink()
    (release / "data/train-0.parquet").mkdir()
    (release / "data/test-0.parquet").write_bytes(b"other")
    assert wrong(release) == [*FILES]


@pytest.mark.parametrize(
    "name",
    ["card.md", "../outside", "/etc/passwd", "data/../../outside", ".git/config", ".", "a\0b", ""],
)
def test_a_line_that_leads_out_or_lists_a_file_again_is_refused(release: Path, name: str) -> None:
    with (release / RELEASE_SUMS).open("a") as sums:
        sums.write(f"{digest(b'x')}  {name}\n")
    with pytest.raises(DamagedError, match="line 4"):
        read_sums(release / RELEASE_SUMS)
    assert wrong(release) == [RELEASE_SUMS]


def test_a_list_of_nothing_or_that_cannot_be_read_is_refused(release: Path) -> None:
    sums = release / RELEASE_SUMS
    with sums.open("ab") as file:
        file.write(b"\xff\n")
    with pytest.raises(DamagedError, match="line 4"):
        read_sums(sums)
    sums.write_text("")
    assert RELEASE_SUMS in wrong(release)
    for _ in range(2):
        with pytest.raises(DamagedError, match=RELEASE_SUMS):
            read_sums(sums)
        sums.unlink(missing_ok=True)
