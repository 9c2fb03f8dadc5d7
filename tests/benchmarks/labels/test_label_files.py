from pathlib import Path

import pytest

from hgld.benchmarks.labels.label_files import (
    official_files,
    our_files,
    read_label_files,
    side_by_side,
)
from hgld.errors import InputError
from tests.benchmarks.labels.label_worlds import category_of, compared, write_labels


def test_the_name_of_a_file_says_its_split() -> None:
    named = {"train": Path("index/train_label_to_hierarchical.csv"), "index": Path("a-INDEX-2.csv")}
    assert official_files(list(named.values())) == named
    for names in (["labels"], ["train_and_index"], ["training"], [], ["a_train", "b_train"]):
        with pytest.raises(InputError, match="train"):
            official_files([Path(f"{name}.csv") for name in names])


def test_ours_are_found_in_a_file_a_release_and_a_build(tmp_path: Path) -> None:
    name = "train_label_to_hierarchical.csv"
    file, nested = tmp_path / "release" / name, tmp_path / "build/annotations" / name
    for path in (file, nested):
        write_labels(path, {1: "lake"})
    assert our_files(tmp_path / "build", ["train"]) == {"train": nested}
    for place in (file.parent, file):
        assert our_files(place, ["train", "index"]) == {"train": file}
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


def test_labels_of_landmarks_in_both_are_joined_without_the_blanks_around_them(
    tmp_path: Path,
) -> None:
    official = {1: "ocean area ", 2: "ocean area ", 3: "lake", 4: None, 6: "lake"}
    rows, files = compared(tmp_path, official, {3: "lake ", 2: None, 1: "ocean area", 5: "x"})
    assert [(one.landmark_id, one.official_label, one.our_label) for one in rows] == [
        (1, "ocean area", "ocean area"),
        (2, "ocean area", None),
        (3, "lake", "lake"),
    ]
    assert rows[2].category == category_of(3)
    other = {("index", landmark_id): row for (_, landmark_id), row in files[1].items()}
    assert {one.split for one in side_by_side(files[0], {**files[1], **other})} == {"train"}
    with pytest.raises(InputError, match="landmark"):
        side_by_side(files[0], other)
