"""Some pictures of a split: searched for in whole tars, counted by the server."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import plan_images
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.tables import BAD_IMAGES
from tests.hgld.images.runs import Train, records
from tests.worlds.gldv2.files import add_tar, image, image_id, picture, tar_bytes

Listing = Callable[..., Path]


@pytest.fixture
def listed(tmp_path: Path) -> Listing:
    """Writes the list of the only pictures that are wanted."""

    def write(*numbers: int) -> Path:
        path = tmp_path / "only.txt"
        path.write_text("".join(f"{image_id(number)}\n" for number in numbers))
        return path

    return write


def pictures(train: Train) -> set[str]:
    return {path.stem for path in train.workspace.path("images/train").rglob("*.jpg")}


def test_whichever_way_they_came_the_rows_are_the_same(
    train: Train, tmp_path: Path, listed: Listing
) -> None:
    searched = train.run(only=listed(4, 1, 2))
    assert train.run(only=listed(4, 1, 2), parallel=3).skipped
    assert [row["image_id"] for row in records(train.workspace)] == [*map(image_id, (1, 2, 4))]
    for name, before in (("whole", None), ("grown", listed(1))):
        other = dataclasses.replace(train, workspace=Workspace(tmp_path / name))
        other.run(only=before)
        assert other.run(only=listed(4, 1, 2)).manifest.outputs == searched.manifest.outputs


def test_tars_are_read_until_all_are_found(train: Train, listed: Listing) -> None:
    train.run(only=listed(2))
    assert train.hits() == [1, 1, 0]
    assert pictures(train) == {image_id(2)}


def test_all_after_some_are_fetched_whole_and_some_after_all_not_at_all(
    train: Train, listed: Listing
) -> None:
    train.run(only=listed(0))
    assert train.run().manifest.rows == len(pictures(train)) == 6
    before = train.server.hits.total()
    assert train.run(only=listed(0, 5)).manifest.rows == 2
    assert train.server.hits.total() == before


def test_a_picture_that_no_tar_has_is_a_failed_row_and_not_searched_for_twice(
    train: Train, listed: Listing
) -> None:
    for _ in range(2):
        assert train.run(only=listed(0, 77)).manifest.failed == 1
        (row,) = [row for row in records(train.workspace) if row["status"] == "failed"]
        assert row["image_id"] == image_id(77)
        assert "3 tars" in str(row["error"])
        assert train.hits() == [1, 1, 1]
    train.run(only=listed(1, 77))  # another question
    assert train.hits() == [2, 2, 2]


def test_a_plan_counts_what_is_to_come_and_fetches_nothing(train: Train, listed: Listing) -> None:
    config = ImagesConfig(base_url=train.server.url, train_tars=3, split="train")
    some = dataclasses.replace(config, only=listed(1, 2, 77))
    for one, what in ((config, "3 of 3 tars"), (some, "3 of 3 pictures")):
        assert plan_images(train.workspace, one, "train").startswith(f"train: {what}")
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
