"""Pictures that were there, and are gone or are others now."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.files import file_damage
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.images.bucket import list_damages
from hgld.images.records import damaged_pictures
from hgld.images.tars import image_path
from tests.hgld.images.runs import RECORDS, place_of, run
from tests.worlds.gldv2.files import image_id, picture
from tests.worlds.gldv2.folder_server import FolderServer

TARS = [f"train/images_00{number}.tar" for number in range(3)]


def damaged(workspace: Workspace, *, deep: bool = False) -> list[str]:
    return [damage.path for damage in damaged_pictures(workspace, "train", deep=deep)]


@pytest.fixture
def done(workspace: Workspace, bucket_server: FolderServer) -> StageReport:
    """A finished stage, of whose files the newest is older than any change a test makes."""
    report = run(workspace, bucket_server.url)
    for path in workspace.path("images").rglob("*.*"):
        os.utime(path, ns=(10**18, 10**18))
    return report


@pytest.mark.fault(72, "picture gone at rest")
@pytest.mark.fault(73, "picture altered at rest")
# The last is a whole picture, of the same size.
@pytest.mark.parametrize("content", [None, picture(2)[:-1], b"", picture(3)])
def test_a_picture_that_is_gone_or_altered_is_fetched_again_though_the_stage_is_up_to_date(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport, content: bytes | None
) -> None:
    assert content != picture(2)
    path, untouched = place_of(workspace, 2), place_of(workspace, 3).stat().st_mtime_ns
    path.unlink() if content is None else path.write_bytes(content)
    assert damaged(workspace) == [image_path("train", image_id(2))]
    report = run(workspace, bucket_server.url)
    assert (report.skipped, report.manifest) == (True, done.manifest)
    assert path.read_bytes() == picture(2)
    assert place_of(workspace, 3).stat().st_mtime_ns == untouched
    assert [bucket_server.hits[name] for name in TARS] == [1, 2, 1]
    assert damaged(workspace, deep=True) == []


@pytest.mark.fault(73, "picture altered at rest")
def test_bits_that_flipped_under_an_old_date_are_found_by_the_deep_look(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    flipped = place_of(workspace, 2)
    before = flipped.stat()
    flipped.write_bytes(picture(2)[:-1] + b"\0")
    os.utime(flipped, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert damaged(workspace) == []
    assert damaged(workspace, deep=True) == [image_path("train", image_id(2))]
    flipped.unlink()  # which is what training tells to do
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert flipped.read_bytes() == picture(2)


def test_a_copy_of_a_build_is_read_once_and_fetched_never(
    workspace: Workspace,
    bucket_server: FolderServer,
    done: StageReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(6):
        os.utime(place_of(workspace, number))
    read: list[Path] = []

    def watched(path: Path, size: int | None, sha256: str) -> str:
        read.append(path)
        return file_damage(path, size, sha256)

    monkeypatch.setattr("hgld.images.records.file_damage", watched)
    for _ in range(2):
        assert run(workspace, bucket_server.url).manifest == done.manifest
        assert len(read) == 6
    assert set(bucket_server.hits.values()) == {1}


def test_what_cannot_be_had_again_is_said_and_the_rest_is_restored(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    place_of(workspace, 0).write_bytes(picture(3))  # of the same size
    place_of(workspace, 2).unlink()
    (bucket_server.folder / TARS[0]).rename(bucket_server.folder / "away.tar")
    for _ in range(2):
        with pytest.raises(DamagedError, match="404"):
            run(workspace, bucket_server.url)
    assert place_of(workspace, 2).exists()
    (bucket_server.folder / "away.tar").rename(bucket_server.folder / TARS[0])
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert place_of(workspace, 0).read_bytes() == picture(0)


@pytest.mark.parametrize("damage", ["flipped", "other table", "of an interrupted run"])
def test_pictures_whose_records_do_not_count_are_looked_at_and_fetched_again(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport, damage: str
) -> None:
    shard = workspace.path(f"{RECORDS.path}/images_001.parquet")
    content = shard.read_bytes()
    match damage:
        case "flipped":
            shard.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
        case "other table":
            pq.write_table(pa.table({"image_id": ["x"]}), shard)
        case _:
            workspace.manifest_path("images-train").unlink()
    place_of(workspace, 2).unlink()
    assert run(workspace, bucket_server.url).manifest.outputs == done.manifest.outputs
    assert place_of(workspace, 2).read_bytes() == picture(2)
    assert [bucket_server.hits[name] for name in TARS] == [1, 2, 1]


@pytest.mark.fault(80, "damaged list of tars")
def test_an_md5_that_changed_in_the_list_is_asked_for_again(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    path = workspace.path("images/tars/train.json")
    values = json.loads(path.read_text())
    md5 = values["md5s"]["images_000.tar"]
    values["md5s"]["images_000.tar"] = md5[::-1]
    assert list(list_damages(workspace, "train")) == []
    path.write_text(json.dumps(values))
    (damage,) = list_damages(workspace, "train")
    assert damage.path == "images/tars/train.json"
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert list(list_damages(workspace, "train")) == []
    path.with_name("test.json").write_bytes(path.read_bytes())
    assert len([*list_damages(workspace, "test")]) == 1  # that of another split
    assert json.loads(path.read_text())["md5s"]["images_000.tar"] == md5
    assert bucket_server.hits[TARS[0]] == 1
