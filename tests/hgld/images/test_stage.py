import dataclasses
import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import images_stage, run_images
from hgld.images.tars import image_path
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import IMAGE_FILES, IMAGES
from tests.worlds.gldv2.files import add_tar, image_id, images_tar, member_name, picture, tar_bytes
from tests.worlds.gldv2.folder_server import FolderServer, serve

RECORDS = IMAGE_FILES["train"]


def run(workspace: Workspace, base: Path | str, tars: int = 3) -> StageReport:
    return run_images(workspace, ImagesConfig(base_url=str(base), train_tars=tars), "train")


def records(workspace: Workspace) -> list[dict[str, object]]:
    """Returns every record, also of a stage that is incomplete."""
    shards = [pq.read_table(path, partitioning=None) for path in workspace.shards(RECORDS)]
    return [row for shard in shards for row in shard.to_pylist()]


def ids(workspace: Workspace) -> list[object]:
    """Returns the ids of the images that are recorded as ok, which must be on the disk."""
    found = [row for row in records(workspace) if row["status"] == "ok"]
    assert all(workspace.path(str(row["path"])).is_file() for row in found)
    return [row["image_id"] for row in found]


def test_every_tar_becomes_images_and_a_shard_of_records(
    workspace: Workspace, bucket_server: FolderServer, bucket: Path
) -> None:
    report = run(workspace, bucket_server.url)
    assert (report.manifest.rows, report.manifest.failed) == (6, 0)
    assert [path.name for path in workspace.shards(RECORDS)] == [
        "images_000.parquet",
        "images_001.parquet",
        "images_002.parquet",
    ]
    md5 = hashlib.md5((bucket / "train/images_001.tar").read_bytes(), usedforsecurity=False)
    assert workspace.read(RECORDS).to_pylist()[3] == {
        "image_id": image_id(3),
        "tar": "images_001.tar",
        "tar_md5": md5.hexdigest(),
        "status": "ok",
        "path": f"images/train/0/0/3/{image_id(3)}.jpg",
        "size_bytes": len(picture(3)),
        "sha256": hashlib.sha256(picture(3)).hexdigest(),
        "pixels": 8 * 10,
        "error": None,
    }
    for number in range(6):
        path = workspace.path(image_path("train", image_id(number)))
        assert path.read_bytes() == picture(number)
    # Each file was asked for once, and no tar or part of an image stays behind.
    assert set(bucket_server.hits.values()) == {1}
    names = [path.name for path in workspace.path("images").rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(".") or name.endswith(".tar")]


def test_real_tars_over_http_hold_the_images_of_the_metadata(
    workspace: Workspace, shared: Path
) -> None:
    bucket = shared / "gldv2_mini"
    run_metadata(workspace, MetadataConfig(base_url=str(bucket / "metadata")))
    known = workspace.read(IMAGES, ["split", "image_id"]).to_pylist()
    with serve(bucket) as server:
        config = ImagesConfig(base_url=server.url, index_tars=1, test_tars=1)
        for split in ("index", "test"):
            dataset = IMAGE_FILES[split]
            assert run_images(workspace, config, split).manifest.failed == 0
            found = workspace.read(dataset)
            expected = {row["image_id"] for row in known if row["split"] == split}
            assert set(found["image_id"].to_pylist()) == expected
            for path in found["path"].to_pylist():
                assert workspace.path(path).read_bytes()[:3] == b"\xff\xd8\xff"


def test_a_folder_gives_the_same_digest_as_the_web(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    web = run(workspace, bucket_server.url)
    folder = run(Workspace(tmp_path / "folder"), bucket_server.folder)
    assert folder.manifest.outputs == web.manifest.outputs


def test_a_finished_stage_needs_no_network(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    run(workspace, bucket_server.url)
    hits = bucket_server.hits.total()
    again = run(workspace, bucket_server.url)
    assert again.skipped
    assert bucket_server.hits.total() == hits


def test_the_same_tars_at_another_address_are_not_fetched_again(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    first = run(workspace, bucket_server.folder)
    again = run(workspace, bucket_server.url)
    assert again.skipped
    assert again.manifest == first.manifest
    assert not [name for name in bucket_server.hits if name.endswith(".tar")]


def test_other_tars_at_another_address_replace_the_old_ones(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url)
    add_tar(tmp_path / "other", "train", 0, tar_bytes({member_name(0): picture(77)}))
    with serve(tmp_path / "other") as other:
        assert run(workspace, other.url, tars=1).manifest.rows == 1
    assert workspace.path(image_path("train", image_id(0))).read_bytes() == picture(77)


def test_more_tars_fetch_only_the_new_ones(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    run(workspace, bucket_server.url, tars=2)
    report = run(workspace, bucket_server.url, tars=3)
    assert report.manifest.rows == 6
    assert set(bucket_server.hits.values()) == {1}


def test_fewer_tars_leave_no_record_of_the_others(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url)
    report = run(workspace, bucket_server.url, tars=1)
    assert ids(workspace) == [image_id(0), image_id(1)]
    assert set(bucket_server.hits.values()) == {1}
    fresh = run(Workspace(tmp_path / "fresh"), bucket_server.folder, tars=1)
    assert report.manifest.outputs == fresh.manifest.outputs


def test_a_changed_tar_of_a_folder_is_extracted_again(workspace: Workspace, bucket: Path) -> None:
    first = run(workspace, bucket)
    untouched = workspace.path(image_path("train", image_id(0))).stat().st_mtime_ns
    # The same name and members, other pictures: only the MD5 tells.
    content = tar_bytes({member_name(2): picture(77), member_name(3): picture(3)})
    add_tar(bucket, "train", 1, content)
    second = run(workspace, bucket)
    assert second.manifest.outputs != first.manifest.outputs
    assert workspace.path(image_path("train", image_id(2))).read_bytes() == picture(77)
    assert workspace.path(image_path("train", image_id(0))).stat().st_mtime_ns == untouched


def test_a_changed_tar_of_the_web_is_seen_when_the_kept_md5s_are_deleted(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    run(workspace, bucket_server.url)
    add_tar(bucket_server.folder, "train", 1, images_tar([2, 3, 99]))
    assert run(workspace, bucket_server.url).skipped
    workspace.path("images/tars/train.json").unlink()
    assert run(workspace, bucket_server.url).manifest.rows == 7
    assert bucket_server.hits["train/images_001.tar"] == 2
    assert bucket_server.hits["train/images_000.tar"] == 1


def test_deleting_a_shard_has_its_tar_extracted_again(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    first = run(workspace, bucket_server.url)
    workspace.path(image_path("train", image_id(2))).unlink()
    workspace.path("images/records/train/images_001.parquet").unlink()
    again = run(workspace, bucket_server.url)
    assert again.manifest.outputs == first.manifest.outputs
    assert len(ids(workspace)) == 6
    assert bucket_server.hits["train/images_001.tar"] == 2
    assert bucket_server.hits["train/images_000.tar"] == 1


def test_a_shard_of_a_later_version_is_not_taken_over(
    workspace: Workspace, bucket_server: FolderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(workspace, bucket_server.url)
    newer = dataclasses.replace(images_stage("train"), version=3)
    monkeypatch.setattr("hgld.images.stage.images_stage", lambda _: newer)
    run(workspace, bucket_server.url)
    assert bucket_server.hits["train/images_000.tar"] == 2
