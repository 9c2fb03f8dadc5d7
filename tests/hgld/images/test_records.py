"""Pictures that were there, and are gone or changed now."""

import os

import pytest

from hgld.images.records import damaged_pictures
from hgld.images.tars import image_path
from tests.hgld.images.runs import RECORDS, Train
from tests.worlds.gldv2.files import image_id, picture


def damaged(train: Train, *, deep: bool = False) -> list[str]:
    return [damage.path for damage in damaged_pictures(train.workspace, "train", deep=deep)]


@pytest.fixture
def done(train: Train) -> dict[str, str]:
    """The outputs of a finished stage, whose files are older than any change of a test."""
    report = train.run()
    for path in train.workspace.path("images").rglob("*.*"):
        os.utime(path, ns=(10**18, 10**18))
    return report.manifest.outputs


@pytest.mark.fault(72, "picture gone at rest")
@pytest.mark.fault(73, "picture altered at rest")
# The last is a whole picture, of the same size.
@pytest.mark.parametrize("content", [None, picture(2)[:-1], b"", picture(3)])
def test_a_picture_that_is_gone_or_altered_is_fetched_again_though_the_stage_is_up_to_date(
    train: Train, done: dict[str, str], content: bytes | None
) -> None:
    assert content != picture(2)
    path, untouched = train.place(2), train.place(3).stat().st_mtime_ns
    path.unlink() if content is None else path.write_bytes(content)
    assert damaged(train) == [image_path("train", image_id(2))]
    report = train.run()
    assert (report.skipped, report.manifest.outputs) == (True, done)
    assert path.read_bytes() == picture(2)
    assert train.place(3).stat().st_mtime_ns == untouched
    assert train.hits() == [1, 2, 1]
    assert damaged(train, deep=True) == []


@pytest.mark.fault(73, "picture altered at rest")
@pytest.mark.usefixtures("done")
def test_bits_that_flipped_under_an_old_date_are_found_by_the_deep_look(train: Train) -> None:
    flipped = train.place(2)
    before = flipped.stat()
    flipped.write_bytes(picture(2)[:-1] + b"\0")
    os.utime(flipped, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert damaged(train) == []
    assert damaged(train, deep=True) == [image_path("train", image_id(2))]
    flipped.unlink()  # which is what training tells to do
    assert train.run().skipped
    assert flipped.read_bytes() == picture(2)


@pytest.mark.parametrize("damage", ["flipped", "of an interrupted run"])
def test_pictures_whose_records_do_not_count_are_looked_at_and_fetched_again(
    train: Train, done: dict[str, str], damage: str
) -> None:
    shard = train.workspace.path(f"{RECORDS.path}/images_001.parquet")
    content = shard.read_bytes()
    if damage == "flipped":
        shard.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
    else:
        train.workspace.manifest_path("images-train").unlink()
    train.place(2).unlink()
    assert train.run().manifest.outputs == done
    assert train.place(2).read_bytes() == picture(2)
    assert train.hits() == [1, 2, 1]
