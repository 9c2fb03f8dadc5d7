"""Pictures that are none, from the tar to the list of them."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.errors import InputError, MissingInputError
from hgld.images.config import ImagesConfig
from hgld.tables import BAD_IMAGES
from tests.hgld.images.runs import RECORDS, Train
from tests.worlds.gldv2.files import add_tar, image_id, images_tar, member_name, tar_bytes
from tests.worlds.pictures import drawing, encoded, png_claiming

JPEG = encoded(drawing(), "JPEG")
BAD = {
    1: b"",
    2: b"<!DOCTYPE html><title>404</title>",
    3: JPEG[:-40],  # within its pixels
    4: png_claiming(20_000, 20_000),
}
"""Number of an image to what lies in its place."""


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Two tars; four of the 14 pictures are none."""
    files = {member_name(number): BAD.get(number, JPEG) for number in range(8)}
    add_tar(tmp_path / "bucket", "train", 0, tar_bytes(files))
    add_tar(tmp_path / "bucket", "train", 1, images_tar(range(8, 14)))
    return tmp_path / "bucket"


@pytest.mark.fault(67, "zero-byte, HTML or truncated picture")
def test_bad_pictures_are_listed_with_the_reason_and_stop_nothing(train: Train) -> None:
    report = train.run()
    assert (report.manifest.failed, report.manifest.problems) == (0, 4)
    listed = train.workspace.read(BAD_IMAGES["train"]).to_pylist()
    assert [row["image_id"] for row in listed] == [image_id(number) for number in BAD]
    assert {row["tar"] for row in listed} == {"images_000.tar"}
    words = ("0 bytes", "<!DOCTYPE", "truncated", "pixels")
    assert [word in row["reason"] for word, row in zip(words, listed, strict=True)] == [True] * 4
    rows = {row["image_id"]: row for row in train.workspace.read(RECORDS).to_pylist()}
    for number in range(14):
        is_bad = number in BAD
        assert rows[image_id(number)]["status"] == ("bad" if is_bad else "ok")
        assert train.place(number).exists() != is_bad


@pytest.mark.fault(71, "too many bad pictures")
def test_more_bad_pictures_than_allowed_stop_the_stage(train: Train) -> None:
    for _ in range(2):  # a rerun says the same
        with pytest.raises(InputError, match="max_bad_share"):
            train.run(max_bad_share=0.0)
        with pytest.raises(MissingInputError, match="images --split train"):
            train.workspace.read(RECORDS)
        (shard,) = train.workspace.shards(BAD_IMAGES["train"])
        assert pq.read_table(shard)["image_id"].to_pylist() == [image_id(n) for n in BAD]
    assert train.run().manifest.outputs == train.clean()


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("base_url", {"base_url": ""}),
        *(("test_tars", {"test_tars": value}) for value in (0, 1001)),
        *(("max_bad_share", {"max_bad_share": value}) for value in (1.5, -0.1, float("nan"))),
        *(("parallel", {"parallel": value}) for value in (0, 17)),
        ("longest_side", {"longest_side": -1}),
        ("landmark", {"landmark": ("one",), "split": "train"}),
        ("split", {"landmark": ("1",)}),
        ("parallel", {"from_": "urls", "parallel": 3}),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(word: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=word):
        ImagesConfig(**values)
