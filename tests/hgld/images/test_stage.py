import dataclasses
import errno
import hashlib
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from hgld.engine.stage import find_beside
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, MissingInputError
from hgld.http.download import open_source
from hgld.http.patience import HttpPolicy
from hgld.images.config import ImagesConfig
from hgld.images.stage import images_stage, plan_images, run_images
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import IMAGE_FILES, IMAGES
from tests.hgld.images.runs import RECORDS, place_of, records, run
from tests.worlds.forked import Forked, run_forked
from tests.worlds.gldv2.files import add_tar, image_id, images_tar, member_name, picture, tar_bytes
from tests.worlds.gldv2.folder_server import FolderServer, kill_when, serve

TAR = "train/images_001.tar"
CHUNK_BYTES = 1 << 20
"""The most that a download reads at once."""


def failures(workspace: Workspace) -> list[tuple[object, str]]:
    """Returns the tar and error of each failed record."""
    rows = records(workspace)
    assert all(row["path"] is None for row in rows if row["status"] != "ok")
    return [(row["tar"], str(row["error"])) for row in rows if row["status"] == "failed"]


def ids(workspace: Workspace) -> list[object]:
    """Returns the ids of the images that are recorded as ok, which must be on the disk."""
    found = [row for row in records(workspace) if row["status"] == "ok"]
    assert all(workspace.path(str(row["path"])).is_file() for row in found)
    return [row["image_id"] for row in found]


@pytest.mark.fault(168, "tar that came wrong once")
@pytest.mark.parametrize("fault", ["spoilt_once", "cut_once"])
def test_a_tar_that_came_wrong_once_is_fetched_again(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, fault: str
) -> None:
    add_tar(bucket_server.folder, "train", 1, images_tar([2, 3], size=10_000))
    getattr(bucket_server, fault).add(TAR)
    report = run(workspace, bucket_server.url)
    assert not getattr(bucket_server, fault)
    # A line that broke is gone on with, and wrong bytes are fetched whole.
    assert (bucket_server.hits[TAR], bucket_server.parts[TAR]) == (2, int(fault == "cut_once"))
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder)
    assert report.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(167, "tar that never matches its MD5")
def test_a_tar_that_never_matches_its_md5_fails_alone_and_is_tried_again(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    right = (bucket_server.folder / "train/images_001.tar").read_bytes()
    (bucket_server.folder / "train/images_001.tar").write_bytes(right[:-1] + b"?")
    report = run(workspace, bucket_server.url)
    assert bucket_server.hits["train/images_001.tar"] == 3  # and no more
    ((tar, error),) = failures(workspace)
    assert (tar, "MD5" in error) == ("images_001.tar", True)
    assert ids(workspace) == [image_id(number) for number in (0, 1, 4, 5)]
    assert not place_of(workspace, 2).exists()
    assert report.manifest.failed == 1
    assert stage_status(workspace, images_stage("train")).state == "incomplete"
    config = ImagesConfig(base_url=bucket_server.url, train_tars=3)
    assert plan_images(workspace, config, "train").startswith("train: 1 of 3 tars")
    with pytest.raises(MissingInputError, match="images --split train"):
        workspace.read(RECORDS)

    (bucket_server.folder / "train/images_001.tar").write_bytes(right)
    mended = run(workspace, bucket_server.url)
    assert bucket_server.hits["train/images_000.tar"] == 1
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder)
    assert mended.manifest.outputs == clean.manifest.outputs


@pytest.mark.fault(160, "tar that is missing")
def test_a_tar_that_is_missing_fails_with_a_hint(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    (bucket_server.folder / "train/images_002.tar").unlink()  # its MD5 is still there
    run(workspace, bucket_server.url, train_tars=4)  # images_003 has neither
    (third, error), (fourth, other) = failures(workspace)
    assert (third, fourth) == ("images_002.tar", "images_003.tar")
    assert all("train_tars" in text for text in (error, other))
    assert bucket_server.hits["train/images_002.tar"] == 1  # asking again does not help
    report = run(workspace, bucket_server.url, train_tars=2)
    assert report.manifest.failed == 0
    assert bucket_server.hits["train/images_000.tar"] == 1


@pytest.mark.fault(166, "tar that is none, or cut, under the right MD5")
def test_a_tar_that_cannot_be_read_fails_under_the_right_md5(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    add_tar(bucket_server.folder, "train", 0, b"<html>this is no tar</html>")
    add_tar(bucket_server.folder, "train", 1, images_tar([2, 3])[:1100])  # in the second header
    report = run(workspace, bucket_server.url)
    assert report.manifest.failed == 2
    for (tar, error), name in zip(failures(workspace), ["images_000", "images_001"], strict=True):
        assert tar == f"{name}.tar"
        assert f"train/{name}.tar" in error
        assert "\n" not in error
    # What came before the damage is there, as are the other tars.
    assert ids(workspace) == [image_id(2), image_id(4), image_id(5)]


@pytest.mark.fault(164, "too little room for a tar")
def test_too_little_room_stops_before_the_download(
    workspace: Workspace, bucket_server: FolderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(workspace, bucket_server.url, train_tars=1)
    size = (bucket_server.folder / TAR).stat().st_size
    usage = SimpleNamespace(total=10 * size, used=8 * size, free=2 * size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"images_001\.tar"):
        run(workspace, bucket_server.url, train_tars=2)
    assert bucket_server.hits[TAR] == 0
    # All that is to come is counted before the first of it; here two tars, one of them at a time.
    usage.free = 3 * size - 1
    with pytest.raises(InputError, match="2 tars"):
        run(workspace, bucket_server.url)
    assert bucket_server.hits[TAR] == 0
    # A folder's tars are not copied, so that they need less.
    usage.free = 2 * size
    run(workspace, bucket_server.folder)
    assert len(ids(workspace)) == 6


def test_a_split_the_base_lacks_is_an_error(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    for base in (bucket_server.url, bucket_server.folder):
        with pytest.raises(FetchError, match="test"):
            run_images(workspace, ImagesConfig(base_url=str(base)), "test")
    assert bucket_server.hits.total() == 1


def test_an_md5_file_that_is_none_is_an_error(
    workspace: Workspace, bucket_server: FolderServer
) -> None:
    (bucket_server.folder / "md5sum/train/md5.images_001.txt").write_text("<html>\nsign in</html>")
    with pytest.raises(FetchError, match=r"images_001"):
        run(workspace, bucket_server.url)
    assert not [name for name in bucket_server.hits if name.endswith(".tar")]


@pytest.mark.fault(163, "server that goes away between two tars")
@pytest.mark.usefixtures("waits")
def test_a_server_that_goes_away_stops_the_stage_and_loses_nothing(
    workspace: Workspace, bucket: Path
) -> None:
    with serve(bucket) as server:
        # The first tar's own request is the last that is answered.
        server.leaves_after = "train/images_000.tar"
        with pytest.raises(FetchError, match=r"images_001\.tar"):
            run(workspace, server.url)
    assert ids(workspace) == [image_id(0), image_id(1)]
    with serve(bucket) as server:
        run(workspace, server.url)
        assert server.hits["train/images_000.tar"] == 0
    assert len(ids(workspace)) == 6


@pytest.mark.fault(162, "images killed in a download")
def test_a_run_killed_in_a_download_resumes_to_the_same_digest(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    add_tar(bucket_server.folder, "train", 1, images_tar([2, 3], size=100_000))
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder)
    bucket_server.dripping = "train/images_001.tar"
    part = workspace.path("images/.parts/train-images_001.tar")
    process = Forked(lambda: run(workspace, bucket_server.url))
    kill_when(process, lambda: part.exists() and part.stat().st_size > 50_000)
    there, size = part.stat().st_size, (bucket_server.folder / TAR).stat().st_size
    assert there < size
    assert ids(workspace) == [image_id(0), image_id(1)]
    assert stage_status(workspace, images_stage("train")).state == "incomplete"

    assert bucket_server.ended.wait(10)  # while it drips it notices
    bucket_server.dripping = ""
    sent = bucket_server.sent[TAR]
    resumed = run(workspace, bucket_server.url)
    # It went on within the tar: at most one chunk was sent twice, and of what lay here 1 KB.
    assert bucket_server.sent[TAR] - sent == size - there + 1024
    assert bucket_server.sent[TAR] - size <= CHUNK_BYTES
    assert resumed.manifest.outputs == clean.manifest.outputs
    assert len(ids(workspace)) == 6
    assert bucket_server.hits["train/images_000.tar"] == 1
    assert bucket_server.hits[TAR] == 2
    assert not part.parent.exists()


@pytest.mark.fault(169, "part of a tar that is no part of it any more")
def test_a_part_that_a_power_cut_spoilt_is_found_by_the_md5_of_the_whole(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    with open_source(bucket_server.url, HttpPolicy(attempts=1)) as source:
        bucket_server.cut_once.add(TAR)
        part = workspace.path("images/.parts/train-images_001.tar")
        part.parent.mkdir(parents=True)
        with pytest.raises(FetchError, match="5,120"):
            source.bring(TAR, part)
    assert part.stat().st_size == 5120  # half of it, and where it came from
    part.write_bytes(bytes(100) + part.read_bytes()[100:])
    report = run(workspace, bucket_server.url)
    assert (bucket_server.parts[TAR], bucket_server.hits[TAR]) == (1, 3)
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder)
    assert report.manifest.outputs == clean.manifest.outputs
    assert not part.parent.exists()


@pytest.mark.fault(161, "images killed while extracting")
@pytest.mark.fault(76, "disk full while pictures are extracted")
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "disk full"])
def test_a_run_that_ends_while_it_extracts_leaves_no_part_of_an_image_and_keeps_the_tar(
    workspace: Workspace,
    bucket_server: FolderServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_killed: bool,
) -> None:
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder)
    write_bytes, written = Path.write_bytes, []

    def ending(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == 4:  # the second image of the second tar, when half is written
            write_bytes(path, content[:100])
            if is_killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("hgld.images.tars._THREADS", 1)
        patched.setattr(Path, "write_bytes", ending)
        if is_killed:
            ended = run_forked(lambda: run(workspace, bucket_server.url))
            assert ended == -signal.SIGKILL
        else:
            with pytest.raises(InputError, match="No space"):
                run(workspace, bucket_server.url)
    assert place_of(workspace, 2).read_bytes() == picture(2)
    assert not place_of(workspace, 3).exists()
    assert len(find_beside(workspace, [RECORDS])) == 1

    sent = bucket_server.sent[TAR]
    resumed = run(workspace, bucket_server.url)
    assert bucket_server.sent[TAR] - sent == 1024  # the tar is here
    assert resumed.manifest.outputs == clean.manifest.outputs
    assert place_of(workspace, 3).read_bytes() == picture(3)
    names = [path.name for path in workspace.path("images").rglob("*") if path.is_file()]
    assert not [name for name in names if name.startswith(".")]


def test_every_tar_becomes_images_and_a_shard_of_records(
    workspace: Workspace, bucket_server: FolderServer, bucket: Path
) -> None:
    report = run(workspace, bucket_server.url)
    assert (report.manifest.rows, report.manifest.failed) == (6, 0)
    shards = [f"images_00{number}.parquet" for number in range(3)]
    assert [path.name for path in workspace.shards(RECORDS)] == shards
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
        path = place_of(workspace, number)
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


def test_the_same_tars_at_another_address_are_not_fetched_again_and_other_ones_are(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    first = run(workspace, bucket_server.folder)
    again = run(workspace, bucket_server.url)
    assert (again.skipped, again.manifest) == (True, first.manifest)
    assert not [name for name in bucket_server.hits if name.endswith(".tar")]
    add_tar(tmp_path / "other", "train", 0, tar_bytes({member_name(0): picture(77)}))
    with serve(tmp_path / "other") as other:
        assert run(workspace, other.url, train_tars=1).manifest.rows == 1
    assert place_of(workspace, 0).read_bytes() == picture(77)


def test_more_tars_fetch_only_the_new_ones_and_fewer_leave_no_record_of_the_others(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url, train_tars=2)
    assert run(workspace, bucket_server.url, train_tars=3).manifest.rows == 6
    report = run(workspace, bucket_server.url, train_tars=1)
    assert ids(workspace) == [image_id(0), image_id(1)]
    assert set(bucket_server.hits.values()) == {1}
    fresh = run(Workspace(tmp_path / "fresh"), bucket_server.folder, train_tars=1)
    assert report.manifest.outputs == fresh.manifest.outputs


def test_a_changed_tar_of_a_folder_is_extracted_again(workspace: Workspace, bucket: Path) -> None:
    first = run(workspace, bucket)
    untouched = place_of(workspace, 0).stat().st_mtime_ns
    # The same name and members, other pictures: only the MD5 tells.
    content = tar_bytes({member_name(2): picture(77), member_name(3): picture(3)})
    add_tar(bucket, "train", 1, content)
    second = run(workspace, bucket)
    assert second.manifest.outputs != first.manifest.outputs
    assert place_of(workspace, 2).read_bytes() == picture(77)
    assert place_of(workspace, 0).stat().st_mtime_ns == untouched


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


def test_a_shard_of_a_later_version_is_not_taken_over(
    workspace: Workspace, bucket_server: FolderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(workspace, bucket_server.url)
    newer = dataclasses.replace(images_stage("train"), version=3)
    monkeypatch.setattr("hgld.images.stage.images_stage", lambda _: newer)
    run(workspace, bucket_server.url)
    assert bucket_server.hits["train/images_000.tar"] == 2
