"""`hgld subset`, typed as a user would."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import hgld
from hgld.images.chosen import read_list
from tests.hgld.loading.world import write_annotated
from tests.worlds.commands.typed import only_line, said


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("subset") / "build"
    write_annotated(root, has_fills=True)
    return root


def test_a_subset_is_counted_and_the_same_again(build: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    chosen, fewer = said("subset", "--root", build, "--per-class", "5", "--out", first).splitlines()
    assert chosen.startswith(f"{first}: 14 images of 4 landmarks")
    assert "'ocean area ' 4" in fewer
    said("subset", build / "annotations", "--per-class", "5", "--out", second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text().startswith("split,image_id,landmark_id,hierarchical_label,natural")


def test_options_choose_the_split_the_classes_and_the_landmarks(
    build: Path, tmp_path: Path
) -> None:
    out = tmp_path / "few.parquet"
    told = said(
        *("subset", build, "--per-class", "2", "--split", "index", "--out", out, "--seed", "3"),
        *("--supercategory", "church", "--level", "landmark_id", "--landmarks", "1"),
        *("--supercategory", "museum"),  # without an image in the split
    )
    assert "'museum'" in told.splitlines()[1]
    rows = pq.read_table(out)
    assert set(rows["hierarchical_label"].to_pylist()) == {"church"}
    assert rows["landmark_id"].to_pylist() == [2, 2, 10, 10]
    assert set(rows["split"].to_pylist()) == {"index"}
    images = hgld.load(out).index.image_ids()
    # as `hgld images --only` reads it
    assert read_list(out) == [(image, "index") for image in images]


def test_a_subset_is_of_the_labels_that_are_asked_for(build: Path, tmp_path: Path) -> None:
    out, labels = tmp_path / "few.parquet", ["--labels", "all", "--min-confidence", "0.95"]
    said("subset", build, "--per-class", "9", "--out", out, *labels)
    assert set(pq.read_table(out)["landmark_id"].to_pylist()) == {1, 2, 4, 60, 8}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--supercategory", "curch"], "'church'"),
        (["--root", "other"], "source"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(
    build: Path, tmp_path: Path, arguments: list[str], word: str
) -> None:
    words: list[str | Path] = ["subset", build, "--per-class", "2", "--out", "few.csv", *arguments]
    assert word in only_line(*words, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
