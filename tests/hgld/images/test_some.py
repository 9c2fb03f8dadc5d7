"""Some pictures of a split: by Range where it is known where they lie, counted by the server."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.images.at_rest import damaged_pictures
from hgld.images.config import ImagesConfig
from hgld.images.rows import side_damages
from hgld.images.stage import plan_images, run_images
from hgld.images.tars import image_path
from hgld.tables import IMAGE_FILES
from tests.worlds.gldv2.files import add_tar, image_id, member_name, picture, tar_bytes
from tests.worlds.gldv2.folder_server import FolderServer

RECORDS = IMAGE_FILES["train"]
TARS = tuple(f"train/images_00{number}.tar" for number in range(3))


def run(workspace: Workspace, base: Path | str, only: Path | None, **more: object) -> StageReport:
    values: dict[str, object] = {"split": "train", "train_tars": 3, "parallel": 1, **more}
    return run_images(workspace, ImagesConfig(base_url=str(base), only=only, **values), "train")  # type: ignore[arg-type]


def listed(tmp_path: Path, numbers: Iterable[int]) -> Path:
    path = tmp_path / "only.txt"
    path.write_text("".join(f"{image_id(number)}\n" for number in numbers))
    return path


def rows(workspace: Workspace) -> list[dict[str, object]]:
    """Returns every record, also of a stage that is incomplete."""
    shards = [pq.read_table(path, partitioning=None) for path in workspace.shards(RECORDS)]
    return [row for shard in shards for row in shard.to_pylist()]


def pictures(workspace: Workspace) -> set[str]:
    return {path.stem for path in workspace.path("images/train").rglob("*.jpg")}


@pytest.fixture
def index(bucket: Path, tmp_path: Path) -> Path:
    """The index of the bucket's tars, from somebody's whole run."""
    other = Workspace(tmp_path / "other")
    run(other, bucket, None)
    return other.path("images/tar_index/train")


def test_a_whole_run_leaves_an_index_of_its_tars(index: Path, bucket: Path) -> None:
    found = pq.read_table(index, partitioning=None).to_pylist()
    assert [row["image_id"] for row in found] == [image_id(number) for number in range(6)]
    for number, row in enumerate(found):
        content = (bucket / f"train/{row['tar']}").read_bytes()
        assert content[row["offset"] :][: row["size"]] == picture(number)


def test_with_an_index_each_picture_is_one_request_of_its_bytes_and_nothing_else_is_sent(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, index: Path
) -> None:
    report = run(workspace, bucket_server.url, listed(tmp_path, [1, 2, 3]), tar_index=str(index))
    assert report.manifest.failed == 0
    assert pictures(workspace) == {image_id(number) for number in (1, 2, 3)}
    assert [bucket_server.hits[tar] for tar in TARS] == [1, 2, 0]
    assert [bucket_server.parts[tar] for tar in TARS] == [1, 2, 0]
    assert [bucket_server.sent[tar] for tar in TARS] == [
        len(picture(1)),
        len(picture(2)) + len(picture(3)),
        0,
    ]
    hits = bucket_server.hits.total()
    assert run(
        workspace, bucket_server.url, listed(tmp_path, [1, 2, 3]), tar_index=str(index)
    ).skipped
    assert bucket_server.hits.total() == hits


def test_whichever_way_they_came_the_rows_are_the_same(
    workspace: Workspace, bucket: Path, tmp_path: Path, index: Path
) -> None:
    only = listed(tmp_path, [4, 1, 2])
    by_range = run(workspace, bucket, only, tar_index=str(index))
    searched = run(Workspace(tmp_path / "searched"), bucket, only)
    whole = Workspace(tmp_path / "whole")
    run(whole, bucket, None)
    of_whole = run(whole, bucket, only)
    grown = Workspace(tmp_path / "grown")
    run(grown, bucket, listed(tmp_path, [1]))
    of_grown = run(grown, bucket, listed(tmp_path, [4, 1, 2]))
    for report in (searched, of_whole, of_grown):
        assert report.manifest.outputs == by_range.manifest.outputs
    assert [row["image_id"] for row in rows(workspace)] == [image_id(n) for n in (1, 2, 4)]


def test_without_an_index_tars_are_read_until_all_are_found_and_then_it_is_known(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url, listed(tmp_path, [2]))
    assert [bucket_server.hits[tar] for tar in TARS] == [1, 1, 0]
    assert pictures(workspace) == {image_id(2)}
    run(workspace, bucket_server.url, listed(tmp_path, [0, 2, 3]))
    assert [bucket_server.parts[tar] for tar in TARS] == [1, 1, 0]  # and no whole tar again
    assert [bucket_server.hits[tar] for tar in TARS] == [2, 2, 0]


def test_all_after_some_are_fetched_whole_and_some_after_all_not_at_all(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, index: Path
) -> None:
    run(workspace, bucket_server.url, listed(tmp_path, [0]), tar_index=str(index))
    assert run(workspace, bucket_server.url, None).manifest.rows == 6
    assert len(pictures(workspace)) == 6
    hits = bucket_server.hits.total()
    assert run(workspace, bucket_server.url, listed(tmp_path, [0, 5])).manifest.rows == 2
    assert bucket_server.hits.total() == hits


@pytest.mark.fault(170, "server without ranges")
def test_a_server_without_ranges_sends_the_whole_tar_once(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, index: Path
) -> None:
    bucket_server.without_ranges = True
    report = run(workspace, bucket_server.url, listed(tmp_path, [0, 1]), tar_index=str(index))
    assert report.manifest.failed == 0
    assert bucket_server.parts.total() == 0
    # Once to learn it, whose answer is not read, and once as a tar.
    assert [bucket_server.hits[tar] for tar in TARS] == [2, 0, 0]
    assert pictures(workspace) == {image_id(0), image_id(1)}


@pytest.mark.fault(171, "index of another tar")
def test_an_index_of_other_tars_is_not_used(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, index: Path
) -> None:
    other = tar_bytes({member_name(number): picture(number, 500) for number in (0, 1)})
    add_tar(bucket_server.folder, "train", 0, other)
    run(workspace, bucket_server.url, listed(tmp_path, [1]), tar_index=str(index))
    assert bucket_server.parts.total() == 0
    assert workspace.path(image_path("train", image_id(1))).read_bytes() == picture(1, 500)


@pytest.mark.fault(171, "index of another tar")
def test_bytes_that_are_not_those_of_the_index_fail_alone_and_are_tried_again(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path, index: Path
) -> None:
    tar = bucket_server.folder / TARS[0]  # under the MD5 of the right one
    right = tar.read_bytes()
    tar.write_bytes(right.replace(picture(1), picture(9)))
    report = run(workspace, bucket_server.url, listed(tmp_path, [0, 1]), tar_index=str(index))
    assert report.manifest.failed == 1
    (row,) = [row for row in rows(workspace) if row["status"] == "failed"]
    assert row["image_id"] == image_id(1)
    assert pictures(workspace) == {image_id(0)}
    tar.write_bytes(right)
    hits = bucket_server.hits[TARS[0]]
    run(workspace, bucket_server.url, listed(tmp_path, [0, 1]), tar_index=str(index))
    assert bucket_server.hits[TARS[0]] == hits + 1
    assert bucket_server.sent[TARS[0]] == 3 * len(picture(0))
    assert pictures(workspace) == {image_id(0), image_id(1)}


def test_a_picture_that_no_tar_has_is_a_failed_row(
    workspace: Workspace, bucket: Path, tmp_path: Path
) -> None:
    report = run(workspace, bucket, listed(tmp_path, [0, 77]))
    assert report.manifest.failed == 1
    (row,) = [row for row in rows(workspace) if row["status"] == "failed"]
    assert row["image_id"] == image_id(77)
    assert row["error"]


@pytest.mark.fault(72, "picture gone at rest")
def test_a_picture_that_is_gone_comes_again_by_itself(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    first = run(workspace, bucket_server.url, listed(tmp_path, [0, 3]))
    sent = bucket_server.sent.copy()
    workspace.path(image_path("train", image_id(3))).unlink()
    assert len([*damaged_pictures(workspace, "train")]) == 1
    again = run(workspace, bucket_server.url, listed(tmp_path, [0, 3]))
    assert again.manifest == first.manifest
    assert pictures(workspace) == {image_id(0), image_id(3)}
    assert bucket_server.sent[TARS[1]] - sent[TARS[1]] == len(picture(3))


@pytest.mark.fault(172, "damaged index of tars")
def test_a_damaged_index_is_named_and_made_again_from_the_tar(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url, listed(tmp_path, [2]))
    path = workspace.path("images/tar_index/train/images_001.parquet")
    before = path.read_bytes()
    table = pq.read_table(path)
    moved = table.set_column(2, "offset", pa.array([7, 7], pa.int64()))
    pq.write_table(moved.cast(table.schema), path)  # with the digest of the right rows
    assert [damage.path for damage in side_damages(workspace, "train")] == [
        "images/tar_index/train/images_001.parquet"
    ]
    run(workspace, bucket_server.url, listed(tmp_path, [2, 3]))
    assert path.read_bytes() == before
    assert bucket_server.hits[TARS[1]] == 2
    assert pictures(workspace) == {image_id(2), image_id(3)}


def test_a_file_that_is_no_index_is_refused(
    workspace: Workspace, bucket: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.parquet"
    pq.write_table(pa.table({"image_id": ["x"]}), wrong)
    with pytest.raises(InputError, match="tar_index"):
        run(workspace, bucket, listed(tmp_path, [1]), tar_index=str(wrong))


def test_a_plan_of_some_counts_their_bytes(
    workspace: Workspace, bucket: Path, tmp_path: Path, index: Path
) -> None:
    only = listed(tmp_path, [1, 2, 77])
    config = ImagesConfig(base_url=str(bucket), only=only, split="train", tar_index=str(index))
    plan = plan_images(workspace, config, "train")
    assert (plan.total, plan.missing, plan.unknown) == (3, 3, 1)
    assert plan.missing_bytes == len(picture(1)) + len(picture(2))
    assert not workspace.root.exists()


def test_other_settings_and_lists_are_other_fingerprints_and_the_index_is_none(
    workspace: Workspace, bucket: Path, tmp_path: Path, index: Path
) -> None:
    first = run(workspace, bucket, listed(tmp_path, [1]))
    assert run(workspace, bucket, listed(tmp_path, [1]), tar_index=str(index), parallel=3).skipped
    assert not run(workspace, bucket, listed(tmp_path, [2])).skipped
    kept = json.loads(workspace.manifest_path("images-train").read_text())["settings"]
    assert kept["wanted"] != first.manifest.settings["wanted"]
