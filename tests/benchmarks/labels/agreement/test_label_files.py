from pathlib import Path

import pytest

from hgld.benchmarks.labels.agreement.label_files import (
    official_files,
    our_files,
    read_label_files,
    side_by_side,
    split_of,
)
from hgld.errors import InputError
from tests.benchmarks.labels.agreement.worlds import category_of, compared, write_labels

HEADER = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train_label_to_hierarchical.csv", "train"),
        ("gldv2-index-2023.csv", "index"),
        ("INDEX.csv", "index"),
    ],
)
def test_the_name_of_a_file_says_its_split(name: str, split: str) -> None:
    assert split_of(Path("index/of/train") / name) == split


@pytest.mark.parametrize("name", ["labels.csv", "train_and_index.csv", "training.csv"])
def test_an_unclear_split_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="train"):
        split_of(Path(name))


def test_two_official_files_of_one_split_are_refused() -> None:
    with pytest.raises(InputError, match="b_train"):
        official_files([Path("a_train.csv"), Path("b_train.csv")])
    with pytest.raises(InputError, match="official"):
        official_files([])


def test_ours_are_found_in_a_file_a_release_and_a_build(tmp_path: Path) -> None:
    release = tmp_path / "release"
    for place in (release, tmp_path / "build/annotations"):
        write_labels(place / "train_label_to_hierarchical.csv", {1: "lake"})
    file = release / "train_label_to_hierarchical.csv"
    assert our_files(release, ["train", "index"]) == {"train": file}
    nested = tmp_path / "build/annotations/train_label_to_hierarchical.csv"
    assert our_files(tmp_path / "build", ["train"]) == {"train": nested}
    assert our_files(file, ["train", "index"]) == {"train": file}
    for place in (tmp_path, file):
        with pytest.raises(InputError, match="index_label_to"):
            our_files(place, ["index"])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"landmark_id,category\n1,a\n", "columns"),
        (b"\xff\xfe1\x00", "CSV"),
        ((HEADER + "1,Caf").encode() + b"\xe9,,,\n", "UTF"),
        ((HEADER + "1,a,,,\n1,b,,,\n").encode(), "landmark_id 1"),
        ((HEADER + ",a,,,\n").encode(), "landmark_id"),
        (HEADER.encode(), "rows"),
    ],
    ids=["other columns", "utf-16", "latin-1", "twice", "no id", "no rows"],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, content: bytes, text: str
) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=text) as refused:
        read_label_files({"train": path})
    assert str(path) in str(refused.value)


def test_labels_are_compared_without_the_blanks_around_them(tmp_path: Path) -> None:
    official = {1: "ocean area ", 2: "ocean area ", 3: "lake", 4: None, 6: "lake"}
    rows, _ = compared(tmp_path, official, {3: "lake ", 2: None, 1: "ocean area", 5: "x"})
    assert [one.landmark_id for one in rows] == [1, 2, 3]
    assert [one.official_label for one in rows] == ["ocean area", "ocean area", "lake"]
    assert [one.our_label for one in rows] == ["ocean area", None, "lake"]
    assert [one.category for one in rows] == [category_of(id_) for id_ in (1, 2, 3)]


def test_landmarks_of_two_splits_are_two(tmp_path: Path) -> None:
    files = {
        split: write_labels(tmp_path / f"{split}.csv", {1: label})
        for split, label in (("train", "lake"), ("index", "church"))
    }
    rows = read_label_files(files)
    joined = [(one.split, one.our_label) for one in side_by_side(rows, rows)]
    assert joined == [("index", "church"), ("train", "lake")]


def test_no_landmark_in_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="landmark"):
        compared(tmp_path, {1: "lake"}, {2: "lake"})
