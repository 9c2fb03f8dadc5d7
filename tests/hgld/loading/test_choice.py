"""Which labels `hgld.load` takes, by how they came to be."""

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import InputError
from hgld.tables import LabelOrigin


def test_all_labels_are_those_of_classes_and_after_them_the_filled_ones(
    built_with_fills: Path,
) -> None:
    data = hgld.load(built_with_fills, labels="all")
    ids = hgld.load(built_with_fills).train.image_ids()
    assert data.train.image_ids()[: len(ids)] == ids
    rows = data.train.to_arrow(["landmark_id", "hierarchical_label", "decision"]).to_pylist()
    bridge, church = [(60, "bridge", "filled")] * 2, [(7, "church", "filled")] * 3
    filled = [tuple(row.values()) for row in rows[len(ids) :]]
    assert filled == [*bridge, *church, (8, "museum", "filled")]
    assert (len(data.index), len(data.query)) == (7 + 2, 3 + 1)


def test_an_id_is_of_the_same_label_whatever_is_chosen(built: Path, built_with_fills: Path) -> None:
    published, every, reviewed = (
        hgld.load(built_with_fills, labels=labels) for labels in ("classes", "all", "reviewed")
    )
    for split in ("train", "index", "query"):
        labels = published[split].labels().tolist()
        assert labels == hgld.load(built)[split].labels().tolist()
        assert labels == every[split].labels()[: len(labels)].tolist()
    for level, names, more in (
        ("landmark_id", ("1", "2", "3", "4", "50"), ("7", "8", "60")),
        ("hierarchical_label", ("church", "museum", "ocean area "), ("bridge",)),
    ):
        assert published.train.names(level) == names
        assert every.train.names(level) == reviewed.train.names(level) == (*names, *more)
    assert every.index.of(hierarchical_label="bridge").labels().tolist() == [[3, 3, 0]] * 2
    with pytest.raises(ValueError, match="bridge"):
        published.index.of(hierarchical_label="bridge")


@pytest.mark.parametrize(
    ("labels", "least", "landmarks"),
    [
        ("classes", 0.9, {1, 2, 3, 4}),  # as float32 it is less than the 0.9 of Python
        ("classes", 0.91, {1, 2, 4}),  # museums (3) were accepted unseen
        ("all", 0.75, {1, 2, 3, 4, 7, 60, 8}),
        ("all", 0.95, {1, 2, 4, 60, 8}),
        ("all", 1, {1, 2, 4, 8}),
        ("reviewed", 0, {1, 2, 4, 8}),  # of the filled ones eve looked at 8
        ("reviewed", 1.0, {1, 2, 4, 8}),
    ],
)
def test_a_label_is_of_a_person_or_has_the_least_confidence(
    built_with_fills: Path, labels: LabelOrigin, least: float, landmarks: set[int]
) -> None:
    data = hgld.load(built_with_fills, labels=labels, min_confidence=least)
    assert set(data.train.to_arrow(["landmark_id"])["landmark_id"].to_pylist()) == landmarks
    assert len(data.train) == len(data.train.labels())


def test_all_labels_of_a_release_without_fills_are_refused(built: Path) -> None:
    with pytest.raises(InputError, match="hgld annotate --fills"):
        hgld.load(built, labels="all")
    # All of it was reviewed.
    assert len(hgld.load(built, labels="reviewed").train) == len(hgld.load(built).train)


def test_a_wrong_choice_is_refused(built: Path) -> None:
    with pytest.raises(ValueError, match="labels"):
        hgld.load(built, labels="fills")  # type: ignore[arg-type]
    for least in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="min_confidence"):
            hgld.load(built, min_confidence=least)


def test_what_says_nothing_of_its_labels_is_not_chosen_of(tmp_path: Path) -> None:
    table, mine = pa.table({"image_id": ["a"], "landmark_id": [1]}), tmp_path / "mine.parquet"
    pq.write_table(table, mine)
    for source in (table, mine):
        with pytest.raises(InputError, match="labels"):
            hgld.load(source, levels=("landmark_id",), labels="reviewed")
        with pytest.raises(InputError, match="labels"):
            hgld.load(source, levels=("landmark_id",), min_confidence=0.5)
