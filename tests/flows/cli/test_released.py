"""`hgld subset`, typed as a user would."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import hgld
from hgld.images.chosen import read_list
from tests.flows.cli.test_commands import hgld as typed
from tests.flows.cli.test_commands import only_line
from tests.hgld.loading.world import write_annotated


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("subset") / "build"
    write_annotated(root)
    return root


def test_a_subset_is_counted_and_the_same_again(build: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    said = typed("subset", "--root", build, "--per-class", "5", "--out", first, status=0)
    chosen, fewer = said.splitlines()
    assert chosen.startswith(f"{first}: 14 images of 4 landmarks")
    assert "'ocean area ' 4" in fewer
    typed("subset", build / "annotations", "--per-class", "5", "--out", second, status=0)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text().startswith("split,image_id,landmark_id,hierarchical_label,natural")


def test_options_choose_the_split_the_classes_and_the_landmarks(
    build: Path, tmp_path: Path
) -> None:
    out = tmp_path / "few.parquet"
    said = typed(
        *("subset", build, "--per-class", "2", "--split", "index", "--out", out, "--seed", "3"),
        *("--supercategory", "church", "--level", "landmark_id", "--landmarks", "1"),
        *("--supercategory", "museum"),  # without an image in the split
        status=0,
    )
    assert "'museum'" in said.splitlines()[1]
    rows = pq.read_table(out)
    assert set(rows["hierarchical_label"].to_pylist()) == {"church"}
    assert rows["landmark_id"].to_pylist() == [2, 2, 10, 10]
    assert set(rows["split"].to_pylist()) == {"index"}
    images = hgld.load(out).index.image_ids()
    assert len(images) == 4
    # as `hgld images --only` reads it
    assert read_list(out) == [(image, "index") for image in images]


def test_a_subset_is_of_the_labels_that_are_asked_for(tmp_path: Path) -> None:
    write_annotated(tmp_path / "build", has_fills=True)
    out = tmp_path / "few.parquet"
    asked = ("subset", tmp_path / "build", "--per-class", "9", "--out", out)

    def landmarks(*arguments: str) -> set[int]:
        typed(*asked, *arguments, status=0)
        return set(pq.read_table(out)["landmark_id"].to_pylist())

    assert landmarks() == {1, 2, 3, 4}
    assert landmarks("--labels", "all") == {1, 2, 3, 4, 7, 60, 8}
    assert landmarks("--labels", "reviewed") == {1, 2, 4, 8}
    assert landmarks("--labels", "all", "--min-confidence", "0.95") == {1, 2, 4, 60, 8}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "few.csv", "--labels", "all"], "fills"),
        (["--out", "few.csv", "--min-confidence", "2"], "min_confidence"),
        (["--out", "few.csv", "--per-class", "0"], "per_class"),
        (["--out", "few.csv", "--split", "val"], "val"),
        (["--out", "few.csv", "--supercategory", "curch"], "'church'"),
        (["--out", "few.csv", "--root", "other"], "source"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(
    build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = typed("subset", build, "--per-class", "2", *arguments, status=1)
    assert word in only_line(said)
    assert list(tmp_path.iterdir()) == []
