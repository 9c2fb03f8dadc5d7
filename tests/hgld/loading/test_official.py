"""Google's CSV files, compared with plain loops over them."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest

import hgld
from hgld.errors import InputError


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mini(shared: Path) -> Path:
    return shared / "gldv2_mini/metadata"


def labels_of(folder: Path, space: str) -> dict[str, dict[str, str]]:
    rows = rows_of(folder / f"{space}_label_to_hierarchical.csv")
    return {row["landmark_id"]: row for row in rows if row["hierarchical_label"]}


def test_the_published_filter_is_that_of_a_plain_loop(mini: Path) -> None:
    labels = labels_of(mini, "train")
    expected = [
        (row["hierarchical_label"], int(landmark), image)
        for clean in rows_of(mini / "train_clean.csv")
        for image in clean["images"].split()
        if (row := labels.get(landmark := clean["landmark_id"]))
    ]
    assert len(expected) > 100
    train = hgld.load(mini).train
    columns = ["hierarchical_label", "landmark_id", "image_id"]
    assert [tuple(row.values()) for row in train.to_arrow(columns).to_pylist()] == sorted(expected)


def test_index_and_queries_are_those_of_a_plain_loop(mini: Path) -> None:
    data = hgld.load(mini / "index_label_to_hierarchical.csv")
    labels = labels_of(mini, "index")
    of_image = {r["id"]: r["landmark_id"] for r in rows_of(mini / "index_image_to_landmark.csv")}
    labelled = {image for image, landmark in of_image.items() if landmark in labels}
    assert set(data.index.image_ids()) == labelled
    expected = {}
    for row in rows_of(mini / "retrieval_solution_v2.1.csv"):
        if row["images"] not in {"", "None"}:
            votes = Counter(int(of_image[image]) for image in row["images"].split())
            landmark = min(votes, key=lambda one: (-votes[one], one))
            if str(landmark) in labels:
                expected[row["id"]] = landmark
    rows = data.query.to_arrow(["image_id", "landmark_id"]).to_pylist()
    assert {row["image_id"]: row["landmark_id"] for row in rows} == expected
    assert len(expected) > 50


def test_ids_are_those_of_the_label_files(mini: Path) -> None:
    data = hgld.load(mini)
    both = [labels_of(mini, space) for space in ("train", "index")]
    names = sorted({row["hierarchical_label"] for labels in both for row in labels.values()})
    assert data.train.names("hierarchical_label") == data.query.names("hierarchical_label")
    assert list(data.index.names("hierarchical_label")) == names
    assert list(data.train.names("landmark_id")) == sorted(both[0], key=int)


def test_an_image_that_train_clean_lists_twice_is_refused(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    lines = (tmp_path / "train_clean.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train_clean.csv").write_text("\n".join([*lines, lines[1], ""]))
    with pytest.raises(InputError, match=r"train_clean\.csv"):
        len(hgld.load(tmp_path).train)


def test_a_file_that_is_missing_is_named_when_it_is_needed(mini: Path, tmp_path: Path) -> None:
    shutil.copy(mini / "train_label_to_hierarchical.csv", tmp_path)
    data = hgld.load(tmp_path)
    assert list(data.splits) == ["train"]
    with pytest.raises(InputError, match=r"train_clean\.csv"):
        len(data.train)
