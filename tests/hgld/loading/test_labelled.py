"""What the rows and the labels of a split are."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import hgld
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


def test_levels_may_be_fewer_or_others(built: Path) -> None:
    train = hgld.load(built, levels=("hierarchical_label", "natural_or_human_made")).train
    assert train.labels().shape == (len(train), 2)
    assert train.labels(["supercategory", "hierarchical_label"])[:, 0].max() == 2
    assert train.names("supercategory") == ("bay", "church building", "museum")


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
