import dataclasses
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from hgld.benchmarks.datasets.labelled_lists import read_sop
from hgld.benchmarks.datasets.pictures import labelled_images, query_crops
from hgld.benchmarks.datasets.revisited import read_revisited
from hgld.errors import InputError
from hgld.training.data.images import EvalImages
from hgld.training.model.config import ModelConfig
from tests.benchmarks.datasets.worlds import draw_all, ground_truth, write_revisited, write_sop


def test_queries_and_index_have_one_encoding(tmp_path: Path) -> None:
    data = read_sop(write_sop(tmp_path))
    queries, index = labelled_images(data, with_pictures=False)
    assert queries is index  # where each searches all others
    assert queries.names == (("3", "4", "5"), ("1", "2"))
    assert queries.labels.tolist() == [[0, 0], [0, 0], [1, 0], [2, 1]]
    names = {"1": "bike", "3": "cycle"}
    apart = {"is_one_set": False, "index": data.train, "names": names}
    queries, index = labelled_images(dataclasses.replace(data, **apart), with_pictures=False)
    # The ids are those of both tables.
    assert queries.names == index.names == (("bike", "2", "cycle", "4", "5"), ("1", "2"))
    assert queries.labels[:, 0].tolist() == [2, 2, 3, 4]
    assert index.labels[:, 0].tolist() == [0, 0, 1]


def test_pictures_are_recorded_as_they_are(tmp_path: Path) -> None:
    data = read_sop(write_sop(tmp_path))
    with pytest.raises(InputError, match="pictures"):
        labelled_images(data, with_pictures=True)
    draw_all(data)
    queries, _ = labelled_images(data, with_pictures=True)
    content = (tmp_path / "bicycle_final/c_0.JPG").read_bytes()
    assert queries.picture(0).read() == content
    assert queries.picture(0).size_bytes == len(content)


def test_a_query_is_what_its_box_holds(tmp_path: Path) -> None:
    data = read_revisited(write_revisited(tmp_path, ground_truth()), "roxford5k")
    picture = Image.new("RGB", (40, 40), "blue")
    picture.paste("red", (1, 2, 21, 32))
    (tmp_path / "jpg").mkdir()
    for name in data.queries["image_id"].to_pylist():
        picture.save(tmp_path / f"jpg/{name}.jpg", format="PNG")
    crops = query_crops(data)
    assert [crop.size for crop in crops] == [(20, 30), (10, 20)]
    assert crops[0].getcolors() == [(600, (255, 0, 0))]


def test_a_query_is_resized_once_from_its_box_as_published(tmp_path: Path) -> None:
    data = read_revisited(write_revisited(tmp_path, ground_truth()), "roxford5k")
    (tmp_path / "jpg").mkdir()
    pictures = [Image.effect_noise((672, 448), 90).convert("RGB") for _ in data.boxes]
    # The second is partly outside.
    boxes = ((10.4, 20.6, 500.5, 321.2), (-3.0, 5.0, 640.0, 460.0))
    for name, picture in zip(data.queries["image_id"].to_pylist(), pictures, strict=True):
        picture.save(tmp_path / f"jpg/{name}.jpg", format="PNG")
    published = v2.Compose([v2.Resize((64, 64)), v2.PILToTensor()])
    config = ModelConfig(resize="squash", image_size=64)
    crops = EvalImages(query_crops(dataclasses.replace(data, boxes=boxes)), config)
    for number, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
        assert torch.equal(crops[number], published(picture.crop(box)))
