"""Every tar becomes pictures and records, whatever happens on the way."""

import dataclasses
import errno
import hashlib
import os
import re
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hgld.engine.stage import find_beside
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.images.config import ImagesConfig
from hgld.images.stage import images_stage, plan_images, run_images
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import BAD_IMAGES
from tests.hgld.images.runs import RECORDS, TARS, Train, records
from tests.worlds.forked import Forked, run_forked
from tests.worlds.gldv2.files import (
    add_tar,
    image,
    image_id,
    images_tar,
    member_name,
    picture,
    tar_bytes,
)
from tests.worlds.gldv2.folder_server import serve

TAR = TARS[1]


def failures(train: Train) -> list[tuple[object, str]]:
    """Returns the tar and error of each failed record."""
    rows = records(train.workspace)
    assert all(row["path"] is None for row in rows if row["status"] != "ok")
    return [(row["tar"], str(row["error"])) for row in rows if row["status"] == "failed"]


def numbers(train: Train) -> list[int]:
    """Returns the numbers of the images that are recorded as ok, which must be on the disk."""
    ids = {row["image_id"] for row in records(train.workspace) if row["status"] == "ok"}
    found = [number for number in range(10) if image_id(number) in ids]
    assert len(found) == len(ids)
    assert all(train.place(number).is_file() for number in found)
    return found


def state(train: Train) -> str:
    return stage_status(train.workspace, images_stage("train")).state


@pytest.mark.fault(168, "tar that came wrong once")
@pytest.mark.parametrize("fault", ["spoilt_once", "cut_once"])
def test_a_tar_that_came_wrong_once_is_fetched_again(train: Train, fault: str) -> None:
    add_tar(train.bucket, "train", 1, images_tar([2, 3], size=10_000))
    getattr(train.server, fault).add(TAR)
    assert train.run().manifest.outputs == train.clean()
    assert not getattr(train.server, fault)
    # A line that broke is gone on with, and wrong bytes are fetched whole.
    assert train.server.parts[TAR] == (fault == "cut_once")


@pytest.mark.fault(167, "tar that never matches its MD5")
def test_a_tar_that_never_matches_its_md5_fails_alone_and_is_tried_again(train: Train) -> None:
    right = (train.bucket / TAR).read_bytes()
    (train.bucket / TAR).write_bytes(right[:-1] + b"?")
    assert train.run().manifest.failed == 1
    assert train.hits() == [1, 3, 1]  # and no more
    ((tar, error),) = failures(train)
    assert (tar, "MD5" in error) == ("images_001.tar", True)
    assert numbers(train) == [0, 1, 4, 5]
    assert not train.place(2).exists()
    assert state(train) == "incomplete"
    (train.bucket / TAR).write_bytes(right)
    assert train.run().manifest.outputs == train.clean()
    assert train.hits() == [1, 4, 1]


@pytest.mark.fault(160, "tar that is missing")
def test_a_tar_that_is_missing_fails_with_a_hint(train: Train) -> None:
    (train.bucket / TARS[2]).unlink()  # its MD5 is still there
    train.run(train_tars=4)  # images_003 has neither
    (third, error), (fourth, other) = failures(train)
    assert (third, fourth) == ("images_002.tar", "images_003.tar")
    assert all("train_tars" in text for text in (error, other))
    assert train.run(train_tars=2).manifest.failed == 0
    assert train.hits() == [1, 1, 1]  # asking again for the third does not help


@pytest.mark.fault(166, "tar that is none, or cut, under the right MD5")
def test_a_tar_that_cannot_be_read_fails_under_the_right_md5(train: Train) -> None:
    add_tar(train.bucket, "train", 0, b"<html>this is no tar</html>")
    add_tar(train.bucket, "train", 1, images_tar([2, 3])[:1100])  # in the second header
    assert train.run().manifest.failed == 2
    assert [f"train/{tar}" for tar, _ in failures(train)] == [*TARS[:2]]
    # What came before the damage is there, as are the other tars.
    assert numbers(train) == [2, 4, 5]


@pytest.mark.fault(164, "too little room for a tar")
def test_too_little_room_stops_before_the_download(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.run(train_tars=1)
    size = (train.bucket / TAR).stat().st_size
    usage = SimpleNamespace(free=2 * size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"images_001\.tar"):
        train.run(train_tars=2)
    assert train.hits() == [1, 0, 0]
    # A folder's tars are not copied, so that they need less.
    usage.free = 2 * size
    train.run(train.bucket)
    assert numbers(train) == [*range(6)]


def test_a_base_that_has_no_tars_is_refused_before_the_first_tar(train: Train) -> None:
    for base in (train.server.url, train.bucket):
        with pytest.raises(FetchError, match="test"):
            run_images(train.workspace, ImagesConfig(base_url=str(base)), "test")
    assert train.server.hits.total() == 1


@pytest.mark.fault(163, "server that goes away between two tars")
@pytest.mark.usefixtures("waits")
def test_a_server_that_goes_away_stops_the_stage_and_loses_nothing(train: Train) -> None:
    train.server.leaves_after = TARS[0]  # its own request is the last that is answered
    with pytest.raises(FetchError, match=re.escape(TAR)):
        train.run()
    assert numbers(train) == [0, 1]
    with serve(train.bucket) as server:
        train.run(server.url)
        assert server.hits[TARS[0]] == 0
    assert numbers(train) == [*range(6)]


def stop_in_download(train: Train, number: int) -> Path:
    """Ends a run by a signal half way through a tar; returns where the part of it lies."""
    add_tar(train.bucket, "train", 1, images_tar([2, 3], size=100_000))
    train.server.dripping = TAR  # for minutes
    part = train.workspace.path("images/.parts/train-images_001.tar")
    process = Forked(train.run)
    while not part.exists() or part.stat().st_size < 50_000:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, number)
    assert process.ended() in {-signal.SIGKILL, 1}
    assert train.server.ended.wait(10)  # while it drips it notices
    train.server.dripping = ""
    assert state(train) == "incomplete"
    return part


@pytest.mark.fault(162, "images killed in a download")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_stopped_in_a_download_resumes_to_the_same_digest(train: Train, number: int) -> None:
    part = stop_in_download(train, number)
    there, size = part.stat().st_size, (train.bucket / TAR).stat().st_size
    assert there < size
    sent = train.server.sent[TAR]
    assert train.run().manifest.outputs == train.clean()
    # It went on within the tar: of what lay here 1 KB came again.
    assert train.server.sent[TAR] - sent == size - there + 1024
    assert not part.parent.exists()


@pytest.mark.fault(169, "part of a tar that is no part of it any more")
def test_a_part_that_a_power_cut_spoilt_is_found_by_the_md5_of_the_whole(train: Train) -> None:
    part = stop_in_download(train, signal.SIGKILL)
    part.write_bytes(bytes(100) + part.read_bytes()[100:])
    assert train.run().manifest.outputs == train.clean()
    assert (train.server.parts[TAR], train.server.hits[TAR]) == (1, 3)
    assert not part.parent.exists()


@pytest.mark.fault(161, "images killed while extracting")
@pytest.mark.fault(76, "disk full while pictures are extracted")
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "disk full"])
def test_a_run_that_ends_while_it_extracts_leaves_no_part_of_an_image_and_keeps_the_tar(
    train: Train, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
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
            assert run_forked(train.run) == -signal.SIGKILL
        else:
            with pytest.raises(InputError, match="No space"):
                train.run()
    assert train.place(2).read_bytes() == picture(2)
    assert not train.place(3).exists()
    assert len(find_beside(train.workspace, [RECORDS])) == 1

    sent = train.server.sent[TAR]
    assert train.run().manifest.outputs == train.clean()
    assert train.server.sent[TAR] - sent == 1024  # the tar is here
    assert train.place(3).read_bytes() == picture(3)
    assert not [*train.workspace.path("images").rglob(".*")]


def test_every_tar_becomes_images_and_a_shard_of_records(train: Train) -> None:
    report, workspace = train.run(), train.workspace
    assert (report.manifest.rows, report.manifest.failed) == (6, 0)
    md5 = hashlib.md5((train.bucket / TAR).read_bytes(), usedforsecurity=False)
    assert workspace.read(RECORDS).to_pylist()[3] == {
        "image_id": image_id(3),
        "tar": "images_001.tar",
        "tar_md5": md5.hexdigest(),
        "status": "ok",
        "path": f"images/train/0/0/3/{image_id(3)}.jpg",
        "size_bytes": len(picture(3)),
        "sha256": hashlib.sha256(picture(3)).hexdigest(),
        "error": None,
    }
    assert [train.place(number).read_bytes() for number in range(6)] == [*map(picture, range(6))]
    # Each file was asked for once, and no tar stays behind.
    assert set(train.server.hits.values()) == {1}
    assert not [*workspace.path("images").rglob("*.tar")]


def test_tars_at_another_address_are_told_by_their_md5s_until_the_kept_ones_are_deleted(
    train: Train,
) -> None:
    first = train.run(train.bucket).manifest
    again = train.run()
    assert (again.skipped, again.manifest) == (True, first)
    # The same name and members, other pictures: only the MD5 tells.
    content = tar_bytes({member_name(2): picture(77), member_name(3): picture(3)})
    add_tar(train.bucket, "train", 1, content)
    assert train.run().skipped
    train.workspace.path("images/tars/train.json").unlink()
    assert train.run().manifest.outputs != first.outputs
    assert train.place(2).read_bytes() == picture(77)
    assert train.hits() == [0, 1, 0]


def listed(train: Train, *numbers: int) -> Path:
    """Writes the list of the only pictures that are wanted."""
    path = train.bucket.with_name("only.txt")
    path.write_text("".join(f"{image_id(number)}\n" for number in numbers))
    return path


def pictures(train: Train) -> set[str]:
    return {path.stem for path in train.workspace.path("images/train").rglob("*.jpg")}


def test_whichever_way_they_came_the_rows_are_the_same(train: Train, tmp_path: Path) -> None:
    searched = train.run(only=listed(train, 4, 1, 2))
    assert train.run(only=listed(train, 4, 1, 2), parallel=3).skipped
    assert [row["image_id"] for row in records(train.workspace)] == [*map(image_id, (1, 2, 4))]
    for name, before in (("whole", None), ("grown", listed(train, 1))):
        other = dataclasses.replace(train, workspace=Workspace(tmp_path / name))
        other.run(only=before)
        assert other.run(only=listed(train, 4, 1, 2)).manifest.outputs == searched.manifest.outputs


def test_all_after_some_are_fetched_whole_and_some_after_all_not_at_all(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    train.run(only=listed(train, 0))
    assert train.run().manifest.rows == len(pictures(train)) == 6
    before = train.server.hits.total()
    assert not caplog.records
    for count in (4, 0):  # no other step will use them, as is told once
        assert train.run(only=listed(train, 0, 5)).manifest.rows == 2
        told = [one.args for one in caplog.records]
        assert [args[:3] for args in told if isinstance(args, tuple)] == (
            [(str(count), "train", "2")] if count else []
        )
        caplog.clear()
    assert train.server.hits.total() == before


def test_tars_are_read_until_all_are_found_and_what_none_has_is_a_failed_row(train: Train) -> None:
    train.run(only=listed(train, 2))
    assert train.hits() == [1, 1, 0]
    assert pictures(train) == {image_id(2)}
    for _ in range(2):  # it is not searched for twice
        assert train.run(only=listed(train, 0, 77)).manifest.failed == 1
        (row,) = [row for row in records(train.workspace) if row["status"] == "failed"]
        assert row["image_id"] == image_id(77)
        assert "3 tars" in str(row["error"])
        assert train.hits() == [2, 2, 1]
    train.run(only=listed(train, 1, 77))  # another question
    assert train.hits() == [3, 3, 2]


def test_a_plan_counts_what_is_to_come_and_fetches_nothing(train: Train) -> None:
    config = ImagesConfig(base_url=train.server.url, only=listed(train, 1, 2, 77), split="train")
    assert plan_images(train.workspace, config, "train").startswith("train: 3 of 3 pictures")
    assert train.server.hits.total() == 0
    assert not train.workspace.root.exists()


def test_a_picture_that_only_the_metadata_name_is_a_problem_and_stops_nothing(
    train: Train, tables: Path
) -> None:
    run_metadata(train.workspace, MetadataConfig(base_url=str(tables)))
    names = {f"0/0/0/{image(number)}.jpg": picture(number) for number in (1, 2)}
    for number, files in enumerate(({}, names)):
        add_tar(train.bucket, "train", number, tar_bytes(files))
    (train.bucket / "md5sum/train/md5.images_002.txt").unlink()
    report = train.run(train_tars=2, max_bad_share=0.0)
    assert (report.manifest.problems, report.manifest.failed) == (1, 0)
    (listed_row,) = train.workspace.read(BAD_IMAGES["train"]).to_pylist()
    assert listed_row["image_id"] == image(3)
