from pathlib import Path

import pytest

from hgld.benchmarks.datasets.opened import read_data_set
from hgld.benchmarks.datasets.sop import read_sop
from hgld.errors import InputError
from tests.benchmarks.datasets.worlds import SOP_TEST, SOP_TRAIN, write_lines, write_sop


def test_each_test_picture_searches_all_others(tmp_path: Path) -> None:
    data = read_data_set("sop", write_sop(tmp_path))
    assert data.is_one_set
    assert data.queries is data.index
    assert [level.column for level in data.levels] == ["class_id", "super_class_id"]
    assert data.train["image_id"].to_pylist() == ["1", "2", "3"]
    assert data.queries.to_pylist()[3] == {
        "image_id": "7",
        "class_id": 5,
        "super_class_id": 2,
        "path": "mug_final/e_0.JPG",
    }


def test_a_column_that_is_missing_is_said(tmp_path: Path) -> None:
    write_sop(tmp_path)
    write_lines(tmp_path / "Ebay_test.txt", ["image_id class_id path", "4 3 c_0.JPG"])
    with pytest.raises(
        InputError,
        match="image_id",
    ):
        read_sop(tmp_path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("7 5 2 mug_final/e_9.JPG", "image_id"),
        ("2 5 2 mug_final/e_9.JPG", "image_id"),
        ("9 5 2 mug_final/e_0.JPG", "path"),
        (
            "9 3 2 mug_final/e_9.JPG",
            "super_class_id",
        ),
        (
            "9 1 2 mug_final/e_9.JPG",
            "super_class_id",
        ),
        (
            "9 five 2 mug_final/e_9.JPG",
            "class_id",
        ),
    ],
)
def test_an_image_twice_or_a_product_in_two_super_classes_is_refused(
    tmp_path: Path, line: str, says: str
) -> None:
    write_sop(tmp_path, test=[*SOP_TEST, line])
    with pytest.raises(InputError, match=says):
        read_sop(tmp_path)


def test_empty_lists_are_refused(tmp_path: Path) -> None:
    write_sop(tmp_path, SOP_TRAIN, [])
    with pytest.raises(InputError, match="list"):
        read_sop(tmp_path)
    (tmp_path / "Ebay_test.txt").write_bytes(b"")
    with pytest.raises(InputError, match="list"):
        read_sop(tmp_path)
