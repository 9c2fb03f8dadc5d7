"""Tables of rows: read from anybody's files, joined with labels, split, and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness.rows import (
    Rows,
    UnfitRowsError,
    embedded_table,
    packaged_tables,
    read_rows,
    table_of_columns,
)
from hgld.errors import InputError
from hgld.labels.embedding import encoders

Columns = dict[str, NDArray[Any]]


def test_parquet_and_npz_give_the_same_rows(columns: Columns, tmp_path: Path) -> None:
    lists = {name: one.tolist() for name, one in columns.items()}
    pq.write_table(pa.table(lists), tmp_path / "mine.parquet")
    for name in ("label", "group"):
        columns[name] = np.array([one or "" for one in columns[name]])
    np.savez(tmp_path / "mine.npz", **columns)  # type: ignore[arg-type]  # its stub
    first, second = (read_rows(tmp_path / f"mine.{end}") for end in ("parquet", "npz"))
    assert first.name == second.name == "mine"
    assert list(first.splits) == list(second.splits) == ["train", "index", "query", "photos"]
    for split, rows in first.splits.items():
        other = second.splits[split]
        np.testing.assert_array_equal(rows.features, other.features)
        np.testing.assert_array_equal(rows.spreads, other.spreads)
        np.testing.assert_array_equal(rows.levels, other.levels)
        assert (rows.labels >= 0).all() == (split != "photos")
    assert list(first.far) == ["photos"]
    assert len(np.unique(first.far["photos"].groups)) == 20


def test_without_splits_and_groups_all_rows_train_and_each_is_a_group() -> None:
    texts = {"label": np.array([5, 7, 5, 7]), "kind": np.array(list("baab"))}
    columns = {"embedding": np.eye(4), **texts}
    (rows,) = table_of_columns(columns, "mine", "a file").splits.values()
    assert rows.labels.tolist() == [0, 1, 0, 1]
    assert rows.levels.tolist() == [[0, 0, 1], [1, 1, 0], [2, 0, 0], [3, 1, 1]]
    assert len(np.unique(rows.groups)) == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"label": None}, "label"),
        ({"embedding": np.full((4, 2), np.nan)}, "finite"),
        ({"embedding": np.eye(4)[0]}, "shape"),
        ({"label": np.array(["a", "b", "", "b"])}, "far set"),
        ({"label": np.array(["a"] * 4)}, "two labels"),
        ({"label": np.array(["a", "b"])}, "rows"),
        ({"group": np.array(["x", "x", "y", "y"])}, "one label"),
        ({"split": np.array(["query"] * 4)}, "train"),
    ],
)
def test_what_is_no_table_is_refused(change: dict[str, Any], word: str) -> None:
    columns = {"embedding": np.eye(4), "label": np.array(["a", "b", "a", "b"])} | change
    with pytest.raises(InputError, match=word):
        table_of_columns({one: v for one, v in columns.items() if v is not None}, "t", "a file")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    uneven = {"embedding": [[1.0], [1.0, 2.0]], "label": ["a", "b"]}
    pq.write_table(pa.table(uneven), tmp_path / "b.parquet")
    for name in ("a", "b", "none"):
        with pytest.raises(InputError, match="parquet"):
            read_rows(tmp_path / f"{name}.parquet")


def test_embeddings_are_joined_with_labels_by_image(tmp_path: Path) -> None:
    splits = ["train", "query", "index"]
    labels = {
        "image_id": [f"{split}{row}" for split in splits for row in range(4)],
        "landmark_id": [1, 1, 2, 2] * 3,
        "hierarchical_label": ["a", "a", "b", "b"] * 3,
        "natural_or_human_made": ["n", "n", "h", "h"] * 3,
        "split": np.repeat(splits, 4).tolist(),
    }
    pq.write_table(pa.table(labels), tmp_path / "labels.parquet")
    files = {split: tmp_path / f"{split}.parquet" for split in splits}
    for split, path in files.items():
        ids = [f"{split}{row}" for row in (3, 2, 1, 0)]
        vectors = [[float(row), 1.0] for row in (3, 2, 1, 0)]
        pq.write_table(pa.table({"image_id": ids, "embedding": vectors}), path)
    far = tmp_path / "far.parquet"
    pq.write_table(pa.table({"embedding": [[3.0, 4.0]]}), far)
    found = embedded_table(str(tmp_path / "labels.parquet"), files, "mine", {"cats": far})
    train = found.splits["train"].features
    assert (train[:, 0] / train[:, 1]).tolist() == [0, 1, 2, 3]
    assert found.far["cats"].features.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    # Landmark 1 of train is another than landmark 1 of the index, which the query shows.
    groups = {split: one.groups.tolist() for split, one in found.splits.items()}
    assert groups["query"] == groups["index"]
    assert not set(groups["train"]) & set(groups["index"])


def test_what_comes_along_has_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders.MiniLmEncoder, "__init__", lambda _: None)
    monkeypatch.setattr(encoders.MiniLmEncoder, "encode", lambda _, texts: np.eye(len(texts), 4))
    found = {one.name: one for one in packaged_tables()}
    assert len(found["digits"].splits["train"]) == 1797
    assert list(found["nouns"].far) == ["words for no place"]
    assert found["digits, changed"].parts == ("self_labelling",)
    assert not set(found["digits"].splits["train"].labels) - set(range(10))


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.4, 0.3, 0.3)])
def test_a_split_tears_no_group_apart_and_has_each_label_everywhere(
    shares: tuple[float, ...],
) -> None:
    groups = np.repeat(np.arange(20), 3)
    rows = Rows(np.zeros((60, 1), np.float32), groups // 5, groups)
    parts = rows.split(shares, np.random.default_rng(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    assert sum(len(np.unique(groups[part])) for part in parts) == 20
    assert all(set(rows.labels[part]) == {0, 1, 2, 3} for part in parts)
    trains, chooses = rows.held_out(0)
    assert (len(trains), len(chooses), len(np.unique(chooses.groups))) == (48, 12, 4)


def test_splits_that_cannot_be_are_refused() -> None:
    rows = Rows(np.eye(3, dtype=np.float32), np.array([0, 0, 1]), np.arange(3))
    with pytest.raises(UnfitRowsError, match="group"):
        rows.split((0.5, 0.5), np.random.default_rng(0))
    with pytest.raises(UnfitRowsError, match="groups"):
        rows.take(np.array([0])).held_out(0)
