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


def test_options_choose_the_split_the_classes_and_the_landmarks(
    build: Path, tmp_path: Path
) -> None:
    out = tmp_path / "few.parquet"
    told = said(
        *("subset", build, "--per-class", "2", "--split", "index", "--out", out, "--seed", "3"),
        *("--supercategory", "church", "--level", "landmark_id", "--landmarks", "1"),
        *("--supercategory", "museum"),  # without an image in the split
    )
    counted, empty = told.splitlines()
    assert counted.startswith(f"{out}: 4 images of 2 landmarks")
    assert "'museum'" in empty
    rows = pq.read_table(out)
    assert set(rows["hierarchical_label"].to_pylist()) == {"church"}
    assert rows["landmark_id"].to_pylist() == [2, 2, 10, 10]
    assert set(rows["split"].to_pylist()) == {"index"}
    images = hgld.load(out).index.image_ids()
    # as `hgld images --only` reads it
    assert read_list(out) == [(image, "index") for image in images]


def test_a_condition_chooses_landmarks_of_the_split(build: Path, tmp_path: Path) -> None:
    out = tmp_path / "few.csv"
    said(
        *("subset", build, "--per-class", "9", "--split", "index", "--out", out),
        *("--where", "landmark_id = 2"),
    )
    assert set(hgld.load(out).index.to_arrow()["landmark_id"].to_pylist()) == {"2"}


def test_what_cannot_be_chosen_is_one_line(build: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["subset", build, "--per-class", "2", "--out", "few.csv"]
    assert "'curch'" in only_line(*words, "--supercategory", "curch", folder=tmp_path)
    assert "'county = 1'" in only_line(*words, "--where", "county = 1", folder=tmp_path)
    assert "source" in only_line(*words, "--root", "other", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
