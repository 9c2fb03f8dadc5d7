"""GLDv2's layout of other pictures; what the stages read of it is tested with the demo."""

import tarfile
from pathlib import Path

import pytest

from hgld.metadata.layout import LaidPicture, Layout, write_layout
from tests.hgld.annotations.release.worlds import tree


def layout(*categories: str) -> Layout:
    """Returns a picture of each split, of a landmark that has one category after the other."""
    one = LaidPicture(image_id="0123456789abcdef", landmark_id=1, title="a.jpg")
    two = LaidPicture(image_id="fedcba9876543210", landmark_id=2, title="b.jpg")
    named = dict(enumerate(categories, start=1))
    return Layout(
        categories={"train": named, "index": named},
        pictures={"train": [two, one], "index": [one, two], "test": [one]},
    )


def test_the_pictures_are_written_as_they_are_sorted_by_id_and_only_once(tmp_path: Path) -> None:
    marker = tmp_path / "MADE"
    write_layout(marker, layout("a", "b"), lambda one: one.title.encode())
    with tarfile.open(tmp_path / "train/images_000.tar") as tar:
        names = ["0/1/2/0123456789abcdef.jpg", "f/e/d/fedcba9876543210.jpg"]
        assert tar.getnames() == names
        assert tar.extractfile(names[1]).read() == b"b.jpg"  # type: ignore[union-attr]
    before = tree(tmp_path)
    write_layout(marker, layout("a", "b"), lambda _: pytest.fail("read again"))
    assert tree(tmp_path) == before


def test_a_run_that_stops_leaves_the_old_tables_whole_and_the_next_one_ends_it(
    tmp_path: Path,
) -> None:
    marker, tables = tmp_path / "source/MADE", tmp_path / "source/metadata"
    write_layout(marker, layout("a", "b"), lambda _: b"old")
    before = tree(tables)

    def stop(one: LaidPicture) -> bytes:
        if one.title == "b.jpg":
            raise KeyboardInterrupt
        return b"new"

    with pytest.raises(KeyboardInterrupt):
        write_layout(marker, layout("c", "b"), stop)
    assert tree(tables) == before
    write_layout(marker, layout("c", "b"), lambda _: b"new")
    write_layout(tmp_path / "afresh/MADE", layout("c", "b"), lambda _: b"new")
    assert tree(tmp_path / "source") == tree(tmp_path / "afresh")
