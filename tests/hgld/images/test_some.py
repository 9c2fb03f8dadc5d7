"""Some pictures of a split: searched for in whole tars, counted by the server."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.images.config import ImagesConfig
from hgld.images.stage import plan_images
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import BAD_IMAGES
from tests.hgld.images.runs import records, run
from tests.worlds.gldv2.files import add_tar, image, image_id, picture, tar_bytes, write_tables
from tests.worlds.gldv2.folder_server import FolderServer, serve

TARS = tuple(f"train/images_00{number}.tar" for number in range(3))


def listed(tmp_path: Path, numbers: Iterable[int]) -> Path:
    path = tmp_path / "only.txt"
    path.write_text("".join(f"{image_id(number)}\n" for number in numbers))
    return path


def pictures(workspace: Workspace) -> set[str]:
    return {path.stem for path in workspace.path("images/train").rglob("*.jpg")}


def hits(server: FolderServer) -> list[int]:
    return [server.hits[tar] for tar in TARS]


def test_whichever_way_they_came_the_rows_are_the_same(
    workspace: Workspace, bucket: Path, tmp_path: Path
) -> None:
    searched = run(workspace, bucket, listed(tmp_path, [4, 1, 2]))
    assert run(workspace, bucket, listed(tmp_path, [4, 1, 2]), parallel=3).skipped
    whole = Workspace(tmp_path / "whole")
    run(whole, bucket, None)
    of_whole = run(whole, bucket, listed(tmp_path, [4, 1, 2]))
    grown = Workspace(tmp_path / "grown")
    run(grown, bucket, listed(tmp_path, [1]))
    of_grown = run(grown, bucket, listed(tmp_path, [4, 1, 2]))
    for report in (of_whole, of_grown):
        assert report.manifest.outputs == searched.manifest.outputs
    assert [row["image_id"] for row in records(workspace)] == [image_id(n) for n in (1, 2, 4)]


def test_tars_are_read_until_all_are_found(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url, listed(tmp_path, [2]))
    assert hits(bucket_server) == [1, 1, 0]
    assert pictures(workspace) == {image_id(2)}
    assert not workspace.path("images/.parts").exists()


def test_all_after_some_are_fetched_whole_and_some_after_all_not_at_all(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    run(workspace, bucket_server.url, listed(tmp_path, [0]))
    assert run(workspace, bucket_server.url, None).manifest.rows == 6
    assert len(pictures(workspace)) == 6
    before = bucket_server.hits.total()
    assert run(workspace, bucket_server.url, listed(tmp_path, [0, 5])).manifest.rows == 2
    assert bucket_server.hits.total() == before


def test_a_picture_that_no_tar_has_is_a_failed_row_and_not_searched_for_twice(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    for _ in range(2):
        report = run(workspace, bucket_server.url, listed(tmp_path, [0, 77]))
        assert report.manifest.failed == 1
        (row,) = [row for row in records(workspace) if row["status"] == "failed"]
        assert row["image_id"] == image_id(77)
        assert "3 tars" in str(row["error"])
        assert hits(bucket_server) == [1, 1, 1]
    run(workspace, bucket_server.url, listed(tmp_path, [1, 77]))  # another question
    assert hits(bucket_server) == [2, 2, 2]


@pytest.mark.usefixtures("waits")
def test_a_search_that_was_stopped_goes_on_behind_the_tars_that_were_read(
    workspace: Workspace, bucket_server: FolderServer, tmp_path: Path
) -> None:
    only = listed(tmp_path, [0, 4])
    bucket_server.leaves_after = TARS[1]
    with pytest.raises(FetchError, match=re.escape(TARS[2])):
        run(workspace, bucket_server.url, only)
    assert hits(bucket_server) == [1, 1, 0]
    with serve(bucket_server.folder) as server:
        assert run(workspace, server.url, only).manifest.failed == 0
        assert hits(server) == [0, 0, 1]
    clean = run(Workspace(tmp_path / "clean"), bucket_server.folder, only)
    assert workspace.manifest("images-train").outputs == clean.manifest.outputs  # type: ignore[union-attr]


def test_a_plan_of_some_counts_them(workspace: Workspace, bucket: Path, tmp_path: Path) -> None:
    config = ImagesConfig(base_url=str(bucket), only=listed(tmp_path, [1, 2, 77]), split="train")
    assert plan_images(workspace, config, "train").startswith("train: 3 of 3 pictures")
    assert not workspace.root.exists()


def test_a_picture_that_only_the_metadata_name_is_a_problem_and_stops_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    run_metadata(workspace, MetadataConfig(base_url=str(write_tables(tmp_path / "metadata"))))
    names = {f"0/0/0/{image(number)}.jpg": picture(number) for number in (1, 2)}
    for number, files in enumerate(({}, names)):
        add_tar(tmp_path / "bucket", "train", number, tar_bytes(files))
    some = run(workspace, tmp_path / "bucket", None, train_tars=1)
    assert some.manifest.problems == 0  # not all tars are asked for
    report = run(workspace, tmp_path / "bucket", None, train_tars=2, max_bad_share=0.0)
    assert (report.manifest.problems, report.manifest.failed) == (1, 0)
    (listed_row,) = workspace.read(BAD_IMAGES["train"]).to_pylist()
    assert listed_row["image_id"] == image(3)
    assert run(workspace, tmp_path / "bucket", None, train_tars=2, max_bad_share=0.0).skipped
