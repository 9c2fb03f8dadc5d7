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


def test_the_name_of_a_file_says_its_split() -> None:
    names = ("train_label_to_hierarchical.csv", "gldv2-index-2023.csv", "INDEX.csv")
    assert [split_of(Path("index/of/train") / name) for name in names] == ["train", *["index"] * 2]
    for name in ("labels.csv", "train_and_index.csv", "training.csv"):
        with pytest.raises(InputError, match="train"):
            split_of(Path(name))
    for files in ([], [Path("a_train.csv"), Path("b_train.csv")]):
        with pytest.raises(InputError, match="name"):
            official_files(files)


def test_ours_are_found_in_a_file_a_release_and_a_build(tmp_path: Path) -> None:
    name = "train_label_to_hierarchical.csv"
    file, nested = tmp_path / "release" / name, tmp_path / "build/annotations" / name
    for path in (file, nested):
        write_labels(path, {1: "lake"})
    assert our_files(file.parent, ["train", "index"]) == {"train": file}
    assert our_files(tmp_path / "build", ["train"]) == {"train": nested}
    assert our_files(file, ["train", "index"]) == {"train": file}
    for place in (tmp_path, file):
        with pytest.raises(InputError, match="index_label_to"):
            our_files(place, ["index"])


def test_a_file_without_rows_or_with_one_of_no_landmark_is_refused(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "train.csv", {})
    for more in ("", ",a,,,\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write(more)
        with pytest.raises(InputError, match="landmark_id"):
            read_label_files({"train": path})


def test_labels_are_compared_without_the_blanks_around_them(tmp_path: Path) -> None:
    official = {1: "ocean area ", 2: "ocean area ", 3: "lake", 4: None, 6: "lake"}
    rows, _ = compared(tmp_path, official, {3: "lake ", 2: None, 1: "ocean area", 5: "x"})
    assert [(one.landmark_id, one.official_label, one.our_label) for one in rows] == [
        (1, "ocean area", "ocean area"),
        (2, "ocean area", None),
        (3, "lake", "lake"),
    ]
    assert rows[2].category == category_of(3)
    with pytest.raises(InputError, match="landmark"):
        compared(tmp_path, {1: "lake"}, {2: "lake"})


def test_landmarks_of_two_splits_are_two(tmp_path: Path) -> None:
    labels = {"train": "lake", "index": "church"}
    files = {split: write_labels(tmp_path / split, {1: one}) for split, one in labels.items()}
    rows = read_label_files(files)
    joined = {one.split: one.our_label for one in side_by_side(rows, rows)}
    assert joined == labels
