"""What the rows and the labels of a split are, and which labels are taken."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import hgld
from hgld.errors import InputError
from hgld.tables import LabelOrigin
from tests.hgld.loading.world import CLASS_OF, COUNTS, DECISIONS, image_rows


def test_labels_are_the_positions_of_their_names_in_the_order_of_the_rows(built: Path) -> None:
    train = hgld.load(built).train
    labels = train.labels()
    assert labels.dtype == np.int64
    assert labels.shape == (len(train), 3)
    names = [train.names(level) for level in train.levels]
    of_image = {str(row["image_id"]): int(str(row["landmark_id"])) for row in image_rows()}
    for image, ids in zip(train.image_ids(), labels, strict=True):
        label = DECISIONS[CLASS_OF["train", of_image[image]]][1]
        side = "natural" if label == "ocean area " else "human-made"
        read = [names[place][id_] for place, id_ in enumerate(ids)]
        assert read == [str(of_image[image]), label, side]


def test_a_label_has_one_id_in_every_split_and_selection(built: Path) -> None:
    data = hgld.load(built / "annotations")
    # index has no museum, so numbers of its own would differ
    assert data.index.names("hierarchical_label") == data.train.names("hierarchical_label")
    assert set(data.index.labels(["hierarchical_label"])[:, 0]) == {0, 2}
    whole = data.train.labels()
    bays = data.train.of(hierarchical_label="ocean area ").labels()
    assert np.array_equal(bays, whole[whole[:, 1] == 2])
    # 50 has a label and no image
    assert data.train.names("landmark_id") == ("1", "2", "3", "4", "50")
    assert data.index.names("landmark_id") == data.query.names("landmark_id") == ("1", "2", "10")
    assert sorted(data.query.labels()[:, 0].tolist()) == [0, 2, 2]


def test_a_selection_of_selections_fulfils_all(built: Path) -> None:
    train = hgld.load(built).train
    churches = train.of(hierarchical_label=["church", "museum"], natural_or_human_made="human-made")
    one = churches.where(pc.field("landmark_id") < 3).of(landmark_id=2)
    assert len(churches) == 13
    assert len(one) == COUNTS["train"][2] == len(one.image_ids())
    assert train.of(landmark_id=[]).labels().shape == (0, 3)


def test_landmarks_are_chosen_by_their_label_too(built: Path) -> None:
    data = hgld.load(built)
    every = data.train.to_arrow(["landmark_id"])["landmark_id"].to_pylist()
    for wanted in ([2], [1, 4], [50]):
        assert len(data.train.of(landmark_id=wanted)) == sum(one in wanted for one in every)
    (chosen,) = data.index.of(landmark_id=1).to_arrow(["hierarchical_label"]).to_pylist()[:1]
    assert chosen == {"hierarchical_label": "ocean area "}  # and not the church of train


def test_what_is_not_there_is_not_selected(built: Path) -> None:
    train = hgld.load(built).train
    for values, word in (
        ({"hierarchical_label": "ocean area"}, "did you mean 'ocean area '"),
        ({"landmark_id": 10}, "landmark_id"),
        ({"label": "church"}, "label"),
    ):
        with pytest.raises(ValueError, match=word):
            train.of(**values)


def test_levels_are_columns_that_give_every_image_a_label(built: Path) -> None:
    train = hgld.load(built).train
    for levels in (["top"], ["image_id"], ["revision_id"]):  # no revision was read
        with pytest.raises(ValueError, match=levels[0]):
            train.labels(levels)
    with pytest.raises(TypeError, match="product"):
        hgld.load(built, levels="product")


def test_pandas_gets_only_flat_columns(built: Path) -> None:
    train = hgld.load(built).train
    frame = train.to_pandas()
    for column in frame.columns:
        kinds = {type(value) for value in frame[column].dropna()}
        assert not kinds & {list, dict, tuple, np.ndarray, object}, column
    assert list(frame["image_id"]) == train.image_ids()


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
    for least in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="min_confidence"):
            hgld.load(built, min_confidence=least)
    with pytest.raises(ValueError, match="'reviewed', 'all'"):
        hgld.load(built, labels="filled")  # type: ignore[arg-type]


def test_what_says_nothing_of_its_labels_is_not_chosen_of(tmp_path: Path) -> None:
    table, mine = pa.table({"image_id": ["a"], "landmark_id": [1]}), tmp_path / "mine.parquet"
    pq.write_table(table, mine)
    for source in (table, mine):
        with pytest.raises(InputError, match="labels"):
            hgld.load(source, levels=("landmark_id",), labels="reviewed")
        with pytest.raises(InputError, match="labels"):
            hgld.load(source, levels=("landmark_id",), min_confidence=0.5)
