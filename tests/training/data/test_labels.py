import dataclasses
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.tables import ANNOTATIONS
from hgld.training.data.labels import encode_labels, query_and_index_images, training_images
from tests.training.conftest import BuildImages
from tests.worlds.training_runs import TREE

LANDMARK, LABEL, SIDE = ANNOTATIONS["train"].levels
NAMES = (
    ("7", "8", "9", "70", "80", "100"),
    ("bridge", "church", "lake", "waterfall"),
    ("human-made", "natural"),
)


def test_training_images_are_those_with_a_label_and_a_file_by_image_id(
    tiny_build: Workspace,
) -> None:
    images = training_images(tiny_build)
    assert len(images) == 12 + 8 + 4 + 9 + 4 + 3
    ids = images.image_ids.to_pylist()
    assert ids == sorted(ids)
    assert [images.path(index).stem for index in range(len(images))] == ids
    assert images.names == NAMES
    assert images.labels.dtype == torch.int64
    for image_id, labels in zip(ids, images.labels.tolist(), strict=True):
        landmark, label, top = (names[i] for names, i in zip(images.names, labels, strict=True))
        assert image_id.split("-")[1] == landmark
        assert TREE[int(landmark)] == (label, top)


def test_query_and_index_share_one_encoding(tiny_build: Workspace) -> None:
    query, index = query_and_index_images(tiny_build)
    assert query.names == index.names
    assert query.names[0] == ("7", "8", "80", "100")
    # 100 has no image in the index: a label of its own, which no index image carries.
    assert query.labels[:, 0].tolist() == [3, 0, 2]
    assert set(index.labels[:, 0].tolist()) == {0, 1, 2}


def test_given_labels_take_the_place_of_those_of_the_build(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    # 7 has another super-category than in the build, and the picture of 100 has no label.
    test = [("test-80-0", 80, "lake", "natural"), ("test-7-0", 7, "castle", "human-made")]
    # The build has no picture of `elsewhere`, and `index-8-0` names no label.
    others = [("elsewhere", 7, "castle", "human-made"), ("index-8-0", 8, None, None)]
    index_rows = [("index-7-1", 7, "castle", "human-made"), ("index-80-0", 80, "lake", "natural")]
    columns = ["image_id", "landmark_id", "hierarchical_label", "natural_or_human_made"]
    tables = {
        split: pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
        for split, rows in (("test", test), ("index", [*others, *index_rows]))
    }
    bare = Workspace(shutil.copytree(tiny_build.root, tmp_path / "bare"))
    shutil.rmtree(bare.path("annotations"))  # of which it needs none
    query, index = query_and_index_images(bare, tables)
    assert query.image_ids.to_pylist() == ["test-7-0", "test-80-0"]
    assert index.image_ids.to_pylist() == ["index-7-1", "index-80-0"]
    assert query.names == index.names == (("7", "80"), ("castle", "lake"), NAMES[2])
    assert query.labels.tolist() == index.labels.tolist() == [[0, 0, 0], [1, 1, 1]]
    none = {split: rows.slice(0, 0) for split, rows in tables.items()}
    with pytest.raises(InputError, match="test"):
        query_and_index_images(bare, none)


def test_a_split_without_usable_images_says_which_command_to_run(
    build_images: BuildImages,
) -> None:
    workspace = build_images({"train": {}})
    with pytest.raises(InputError, match="--split train"):
        training_images(workspace)
    with pytest.raises(MissingInputError, match="--split test"):
        query_and_index_images(workspace)


def test_labels_are_encoded_at_as_many_levels_as_there_are() -> None:
    table = pa.table(
        {
            "town": ["b", "a", "b"],
            "landmark_id": [9, 10, 8],
            "hierarchical_label": ["lake", "church", None],
            "natural_or_human_made": ["natural", "human-made", "natural"],
        }
    )
    town = Level(column="town", name="town", title="town", shared="same town")
    assert encode_labels(table, levels=[LANDMARK, SIDE]).tolist() == [[1, 1], [2, 0], [0, 1]]
    # The names of two rows are sorted anew.
    four = encode_labels(table.slice(0, 2), levels=[LANDMARK, LABEL, SIDE, town])
    assert four.tolist() == [[0, 1, 1, 1], [1, 0, 0, 0]]
    with pytest.raises(ValueError, match=r"1 of 3.*hierarchical_label"):
        encode_labels(table, levels=[town, LABEL])


def test_images_have_the_levels_of_their_data_set(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split, dataset in list(ANNOTATIONS.items()):
        changed = dataclasses.replace(dataset, levels=(LANDMARK, SIDE))
        monkeypatch.setitem(ANNOTATIONS, split, changed)
    training = training_images(tiny_build)
    query, index = query_and_index_images(tiny_build)
    for images in (training, query, index):
        assert images.levels == (LANDMARK, SIDE)
        assert images.labels.shape == (len(images), 2)
    assert training.names == (NAMES[0], NAMES[2])
    assert query.labels[:, 1].tolist() == [1, 0, 1]
