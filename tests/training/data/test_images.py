from pathlib import Path

import pyarrow as pa
import pytest
import torch
from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.training.data.images import EvalImages, TrainImages
from hgld.training.data.labels import encode_labels, query_and_index_images, training_images
from tests.training.conftest import TREE, BuildImages

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
    assert all(images.path(index).exists() for index in range(len(images)))
    assert images.path(0).stem == ids[0]


def test_labels_are_contiguous_at_each_level_and_keep_their_names(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)

    assert images.names == NAMES
    assert images.labels.dtype == torch.int64
    for level, names in enumerate(images.names):
        assert set(images.labels[:, level].tolist()) == set(range(len(names)))
    for image_id, labels in zip(images.image_ids.to_pylist(), images.labels.tolist(), strict=True):
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


def test_a_split_without_usable_images_says_which_command_to_run(
    build_images: BuildImages,
) -> None:
    workspace = build_images({"train": {}})
    with pytest.raises(InputError, match=r"no image of train .* `hgld images --split train`"):
        training_images(workspace)


def test_images_that_were_never_fetched_are_a_missing_input(build_images: BuildImages) -> None:
    workspace = build_images({"train": {7: 2, 8: 2}})
    with pytest.raises(MissingInputError, match="hgld images --split test"):
        query_and_index_images(workspace)


def test_rows_without_a_label_cannot_be_encoded() -> None:
    table = pa.table(
        {
            "landmark_id": [1, 2],
            "hierarchical_label": ["lake", None],
            "natural_or_human_made": ["natural", None],
        }
    )
    with pytest.raises(ValueError, match="got 1 of 2 without"):
        encode_labels(table)


def test_an_augmented_item_depends_on_stream_and_position_alone(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    order = torch.tensor([5, 5, 2])
    first = TrainImages(images, order, 32, "seed 0, epoch 0")
    pixels = [first[position][0] for position in range(3)]

    assert pixels[0].shape == (3, 32, 32)
    assert pixels[0].dtype == torch.uint8
    assert torch.equal(first[2][1], images.labels[2])
    # The same image at two positions is cropped in two ways.
    assert not torch.equal(pixels[0], pixels[1])
    # Backwards, after other draws: the same.
    again = TrainImages(images, order, 32, "seed 0, epoch 0")
    torch.rand(7)
    for position in (2, 1, 0):
        assert torch.equal(again[position][0], pixels[position])
    other = TrainImages(images, order, 32, "seed 0, epoch 1")
    assert not torch.equal(other[0][0], pixels[0])


def test_augmentation_leaves_the_global_generator_alone(tiny_build: Workspace) -> None:
    dataset = TrainImages(training_images(tiny_build), torch.tensor([0]), 32, "seed 0, epoch 0")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    dataset[0]
    assert torch.equal(torch.rand(4), expected)


def test_evaluation_takes_the_centre_of_the_image(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    # 64 x 56: the shorter side becomes 32, the crop is the middle 28 columns of 37.
    picture = Image.new("RGB", (64, 56), (255, 0, 0))
    picture.paste((0, 0, 255), (10, 8, 54, 48))
    picture.save(images.path(0))

    pixels = EvalImages(images.files(), 28)[0]

    assert pixels.shape == (3, 28, 28)
    assert pixels[:, 14, 14].tolist() == [0, 0, 255]
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]


def test_grey_and_transparent_images_become_rgb(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    for index, mode in enumerate(("L", "RGBA", "CMYK", "1")):
        # Pillow reads by content, whatever the name says.
        kind = "JPEG" if mode == "CMYK" else "PNG"
        Image.new(mode, (40, 40)).save(images.path(index), kind)
        assert EvalImages(images.files(), 32)[index].shape == (3, 32, 32)


@pytest.mark.parametrize("content", [b"", b"<html>gone</html>", None])
def test_an_unreadable_image_is_named_with_what_to_do(
    tiny_build: Workspace, content: bytes | None
) -> None:
    images = training_images(tiny_build)
    path: Path = images.path(3)
    path.write_bytes(path.read_bytes()[:600] if content is None else content)

    with pytest.raises(InputError, match=r"put the right file there") as caught:
        EvalImages(images.files(), 32)[3]
    assert str(path) in str(caught.value)
