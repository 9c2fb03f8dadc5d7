"""Pictures with their labels, for torch."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader

import hgld
from hgld.errors import InputError
from hgld.loading.labelled import gldv2_place
from tests.hgld.loading.world import colour


def mean_colour(picture: Image.Image) -> torch.Tensor:
    """A transform that a spawned worker can take along."""
    pixels: NDArray[np.uint8] = np.asarray(picture)
    return torch.from_numpy(pixels.reshape(-1, 3).mean(axis=0))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_pictures_and_labels_in_the_order_of_the_rows(
    built: Path, workers: int
) -> None:
    split = hgld.load(built).train
    pictures = split.torch(built / "images/train", mean_colour)
    assert len(pictures) == len(split)
    loader = DataLoader(pictures, batch_size=5, num_workers=workers)
    colours, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert np.array_equal(labels.numpy(), split.labels())
    assert np.allclose(colours, [colour(name) for name in split.image_ids()], atol=4)
    # Workers that are spawned take it along.
    pictures = hgld.load(built).index.torch(built / "images", mean_colour)
    copy = pickle.loads(pickle.dumps(pictures))  # noqa: S301 - our own
    assert torch.equal(copy[3][0], pictures[3][0])
    assert torch.equal(copy.labels, pictures.labels)


def test_pictures_of_ones_own_lie_where_one_says(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), "red").save(tmp_path / "mug.png")
    shop = {"image_id": ["mug.png"], "product": ["mug"]}
    images = hgld.load(pa.table(shop), levels=("product",)).train
    assert images.torch(tmp_path, place=str)[0][0].getpixel((0, 0)) == (255, 0, 0)


def test_what_is_missing_or_damaged_is_named(built: Path, tmp_path: Path) -> None:
    images = Path(shutil.copytree(built / "images", tmp_path / "images"))
    split = hgld.load(built).index
    with pytest.raises(InputError, match="nowhere"):
        split.torch(tmp_path / "nowhere")
    pictures = split.torch(images)
    first, second = (images / "index" / gldv2_place(id_) for id_ in split.image_ids()[:2])
    second.write_bytes(second.read_bytes()[:200])
    with pytest.raises(InputError, match=second.name):
        _ = pictures[1]
    first.unlink()
    with pytest.raises(InputError, match=first.name):
        split.torch(images)
