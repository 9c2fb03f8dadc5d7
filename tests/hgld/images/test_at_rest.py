"""Pictures that were there, and are gone or are others now."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.files import file_digest
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, FetchError
from hgld.images.at_rest import damaged_pictures
from hgld.images.bringing.fetch import list_damages
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.images.tars import image_path
from hgld.tables import IMAGE_FILES
from tests.worlds.gldv2.files import add_tar, image_id, images_tar, picture
from tests.worlds.gldv2.folder_server import FolderServer

RECORDS = IMAGE_FILES["train"]
FIRST, SECOND, THIRD = (f"train/images_00{number}.tar" for number in range(3))


def run(workspace: Workspace, base: Path | str, tars: int = 3) -> StageReport:
    return run_images(workspace, ImagesConfig(base_url=str(base), train_tars=tars), "train")


def damaged(workspace: Workspace, *, deep: bool = False) -> list[str]:
    return [damage.path for damage in damaged_pictures(workspace, "train", deep=deep)]


def place(workspace: Workspace, number: int) -> Path:
    return workspace.path(image_path("train", image_id(number)))


@pytest.fixture
def done(workspace: Workspace, bucket_server: FolderServer) -> StageReport:
    """A finished stage, of whose files the newest is older than any change a test makes."""
    report = run(workspace, bucket_server.url)
    for path in workspace.path("images").rglob("*.*"):
        os.utime(path, ns=(10**18, 10**18))
    return report


@pytest.mark.fault(72, "picture gone at rest")
def test_a_picture_that_is_gone_is_fetched_again_though_the_stage_is_up_to_date(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    place(workspace, 2).unlink()
    untouched = place(workspace, 3).stat().st_mtime_ns
    assert damaged(workspace) == [image_path("train", image_id(2))]
    report = run(workspace, bucket_server.url)
    assert report.skipped
    assert report.manifest == done.manifest
    assert place(workspace, 2).read_bytes() == picture(2)
    assert place(workspace, 3).stat().st_mtime_ns == untouched
    assert [bucket_server.hits[name] for name in (FIRST, SECOND, THIRD)] == [1, 2, 1]
    assert damaged(workspace, deep=True) == []


@pytest.mark.fault(73, "picture altered at rest")
# The last is a whole picture, of the same size.
@pytest.mark.parametrize("content", [picture(2)[:-1], b"", picture(3)])
def test_a_picture_that_was_altered_is_fetched_again(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport, content: bytes
) -> None:
    assert content != picture(2)
    place(workspace, 2).write_bytes(content)
    assert damaged(workspace) == [image_path("train", image_id(2))]
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert place(workspace, 2).read_bytes() == picture(2)
    assert bucket_server.hits[SECOND] == 2


@pytest.mark.fault(73, "picture altered at rest")
def test_bits_that_flipped_under_an_old_date_are_found_by_the_deep_look(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    flipped = place(workspace, 2)
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
        os.utime(place(workspace, number))
    read: list[Path] = []

    def watched(path: Path) -> str:
        read.append(path)
        return file_digest(path)

    monkeypatch.setattr("hgld.images.at_rest.file_digest", watched)
    for _ in range(2):
        assert run(workspace, bucket_server.url).manifest == done.manifest
        assert len(read) == 6
    assert set(bucket_server.hits.values()) == {1}


def test_what_cannot_be_had_again_is_said_and_the_rest_is_restored(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    place(workspace, 0).unlink()
    place(workspace, 2).unlink()
    (bucket_server.folder / FIRST).rename(bucket_server.folder / "away.tar")
    with pytest.raises(DamagedError, match="404"):
        run(workspace, bucket_server.url)
    assert place(workspace, 2).exists()
    (bucket_server.folder / "away.tar").rename(bucket_server.folder / FIRST)
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert place(workspace, 0).read_bytes() == picture(0)


def test_nothing_is_lost_where_the_server_is_gone(
    workspace: Workspace,
    bucket_server: FolderServer,
    done: StageReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hgld.http.patience.sleep", lambda _: None)
    place(workspace, 0).unlink()
    bucket_server.close()
    with pytest.raises(FetchError, match=r"images_000\.tar"):
        run(workspace, bucket_server.url)
    assert workspace.manifest("images-train") == done.manifest


def test_pictures_of_an_interrupted_run_are_looked_at_too(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport
) -> None:
    workspace.manifest_path("images-train").unlink()
    place(workspace, 2).unlink()
    assert run(workspace, bucket_server.url).manifest.outputs == done.manifest.outputs
    assert place(workspace, 2).exists()
    assert [bucket_server.hits[name] for name in (FIRST, SECOND, THIRD)] == [1, 2, 1]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other table"])
def test_damaged_records_have_their_tar_extracted_again(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport, damage: str
) -> None:
    shard = workspace.path(f"{RECORDS.path}/images_001.parquet")
    content = shard.read_bytes()
    match damage:
        case "cut":
            shard.write_bytes(content[:-30])
        case "flipped":
            shard.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
        case "emptied":
            shard.write_bytes(b"")
        case _:
            pq.write_table(pa.table({"image_id": ["x"]}), shard)
    place(workspace, 2).unlink()
    assert run(workspace, bucket_server.url).manifest.outputs == done.manifest.outputs
    assert place(workspace, 2).read_bytes() == picture(2)
    assert [bucket_server.hits[name] for name in (FIRST, SECOND, THIRD)] == [1, 2, 1]


@pytest.mark.fault(80, "damaged list of tars")
@pytest.mark.parametrize("content", [b"", b"[]", b'{"md5s": {"images_000.tar": 7}}', b"\xff"])
def test_a_damaged_list_of_tars_is_asked_for_again(
    workspace: Workspace, bucket_server: FolderServer, done: StageReport, content: bytes
) -> None:
    workspace.path("images/tars/train.json").write_bytes(content)
    assert run(workspace, bucket_server.url).manifest == done.manifest
    assert bucket_server.hits["md5sum/train/md5.images_000.txt"] == 2
    assert bucket_server.hits[FIRST] == 1


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
    assert json.loads(path.read_text())["md5s"]["images_000.tar"] == md5
    assert bucket_server.hits[FIRST] == 1


def test_a_changed_tar_replaces_its_pictures_and_restores_none(
    workspace: Workspace, bucket: Path
) -> None:
    run(workspace, bucket)
    place(workspace, 2).unlink()
    add_tar(bucket, "train", 1, images_tar([3, 40]))
    run(workspace, bucket)
    assert not place(workspace, 2).exists()
    assert place(workspace, 40).exists()
    assert damaged(workspace, deep=True) == []
