from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.robustness.out_of_distribution.problems.landmarks import (
    NO_LANDMARK,
    NOTHING_RELEVANT,
    landmark_class_rows,
    queries_without_answer,
    read_super_categories,
)
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, EXCLUDED, IMAGE_FILES
from tests.worlds.builders import table_of, write_stage

Vectors = Callable[[str, list[str], int], Path]
SPLITS = ("train", "index", "test")
LABELS = {"train": ["lake", "church", "lake"], "index": ["church", "garden"], "test": ["garden"]}


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    """A build whose test split has a picture of no landmark, and one whose picture is not there."""
    tables = []
    for split in SPLITS:
        rows: list[dict[str, object]] = [
            {
                "image_id": f"{split}{number}",
                "landmark_id": number,
                "hierarchical_label": label,
                "natural_or_human_made": "natural",
                "provenance": {"status": "ok"},
            }
            for number, label in enumerate(LABELS[split])
        ]
        tables.append((ANNOTATIONS[split], table_of(ANNOTATIONS[split], rows)))
    reasons = {"none": "no_landmark", "lost": "no_landmark", "undecided": "undecided"}
    excluded: list[dict[str, object]] = [
        {"split": "test", "image_id": name, "reason": reason} for name, reason in reasons.items()
    ]
    tables.append((EXCLUDED, table_of(EXCLUDED, excluded)))
    write_stage(workspace, tables)
    there = [
        {"image_id": name, "tar": "a.tar", "status": status}
        for name, status in (("none", "ok"), ("test0", "ok"))
    ]
    write_stage(workspace, [(IMAGE_FILES["test"], table_of(IMAGE_FILES["test"], there))])
    return workspace


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    def write(name: str, ids: list[str], width: int) -> Path:
        rows = np.random.default_rng(len(ids)).normal(size=(len(ids), width)).astype(np.float32)
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"image_id": ids, "embedding": list(rows)}), path)
        return path

    return write


def files(vectors: Vectors) -> dict[str, Path]:
    known = {split: [f"{split}{n}" for n in range(len(LABELS[split]))] for split in SPLITS}
    known["test"] += ["none", "undecided"]
    return {split: vectors(split, ids, 4) for split, ids in known.items()}


def test_super_categories_are_numbered_alike_in_all_splits(
    build: Workspace, vectors: Vectors
) -> None:
    parts = read_super_categories(build, files(vectors))
    numbers = {split: parts[split].required_labels().tolist() for split in SPLITS}
    assert numbers == {"train": [2, 0, 2], "index": [0, 1], "test": [1]}
    assert parts["train"].features.shape == (3, 4)


def test_queries_are_of_test_and_index_and_those_of_no_landmark_are_far(
    build: Workspace, vectors: Vectors
) -> None:
    rows = landmark_class_rows(build, files(vectors), None, name="mine")
    assert rows.title == "mine"
    assert rows.queries.required_labels().tolist() == [1, 0, 1]
    assert {kind: len(far) for kind, far in rows.far.items()} == {"queries of no landmark": 1}
    assert rows.far["queries of no landmark"].labels is None


def test_other_pictures_and_spreads_come_from_their_folder(
    build: Workspace, vectors: Vectors, tmp_path: Path
) -> None:
    given = files(vectors)
    for split, path in given.items():
        ids = pq.read_table(path)["image_id"].to_pylist()
        vectors(f"spread-{split}", ids, 6)
    for name, width in (("other", 4), ("spread-other", 6)):
        vectors(name, ["flower-0", "flower-1", "digit-0"], width)
    rows = landmark_class_rows(build, given, tmp_path, name="mine")
    kinds = {kind: len(far) for kind, far in rows.far.items()}
    assert kinds == {
        "queries of no landmark": 1,
        "crops of a flower": 2,
        "digits as pictures": 1,
    }
    every = [rows.train, rows.queries, *rows.far.values()]
    assert all(one.required_spreads().shape == (len(one), 6) for one in every)


def test_a_folder_without_spreads_is_refused(
    build: Workspace, vectors: Vectors, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="spread-train"):
        landmark_class_rows(build, files(vectors), tmp_path, name="mine")


def test_stds_keep_their_length(build: Workspace, vectors: Vectors, tmp_path: Path) -> None:
    given = files(vectors)
    for split, path in given.items():
        vectors(f"spread-{split}", pq.read_table(path)["image_id"].to_pylist(), 6)
    for name, width in (("other", 4), ("spread-other", 6)):
        vectors(name, ["flower-0", "digit-0"], width)
    rows = landmark_class_rows(build, given, tmp_path, name="mine")
    written = np.stack(pq.read_table(tmp_path / "spread-train.parquet")["embedding"].to_numpy())
    assert rows.train.required_spreads() == pytest.approx(written)
    vectors("spread-train", ["train0"], 6)
    with pytest.raises(InputError, match="spread-train"):
        landmark_class_rows(build, given, tmp_path, name="mine")


RECOGNITION = "id,landmarks,Usage\nnone,,Public\ntest0,92 1,Private\nlost, ,Public\n"
RETRIEVAL = "id,images,Usage\nnone,None,Ignored\ntest0,index1,Public\nundecided,,Ignored\n"


def test_the_official_solutions_tell_by_blank_rows(tmp_path: Path) -> None:
    path = tmp_path / "recognition_solution_v2.1.csv"
    path.write_text(RECOGNITION)
    assert queries_without_answer(path) == (NO_LANDMARK, ["lost", "none"])
    path.write_text(RETRIEVAL)
    assert queries_without_answer(path) == (NOTHING_RELEVANT, ["none", "undecided"])
    path.write_text("id,landmark_id\na,1\n")
    with pytest.raises(InputError, match="landmarks"):
        queries_without_answer(path)


def test_a_solution_says_which_queries_are_of_no_landmark(
    build: Workspace, vectors: Vectors, tmp_path: Path
) -> None:
    path = tmp_path / "solution.csv"
    path.write_text(RECOGNITION)

    def far() -> dict[str, int]:
        rows = landmark_class_rows(build, files(vectors), None, name="mine", solutions=[path])
        return {kind: len(one) for kind, one in rows.far.items()}

    assert far() == {NO_LANDMARK: 1}  # the build has no picture of the other
    path.write_text("id,landmarks,Usage\ntest0,92,Public\n")
    assert far() == {}
    path.write_text("id,landmarks,Usage\nlost,,Public\n")
    with pytest.raises(InputError, match="queries"):
        far()
