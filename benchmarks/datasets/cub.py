"""Caltech-UCSD Birds-200-2011: 11,788 pictures of 200 species of birds.

The split of metric learning: the first 100 classes are trained on, and each picture of the other
100 searches all others of these.

Source: Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, 2011; the
split of metric learning: Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured
Feature Embedding, CVPR 2016.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.datasets.rows import read_rows, require_once
from hgld.engine.dataset import Level
from hgld.errors import InputError

_LEVELS = (Level("class_id", "class", "class", "same class"),)
_TRAIN_CLASSES = 100


def read_cub(folder: Path) -> RetrievalData:
    """Reads CUB-200-2011.

    Args:
        folder: `CUB_200_2011`, with `images.txt`, `image_class_labels.txt`, `classes.txt`, and the
            pictures in `images/`.

    Raises:
        InputError: a file cannot be read or lacks a column, an image is listed twice or only in
            one file, a class is not in `classes.txt`, or a side of the split has no image.
    """
    classes = read_rows(folder / "classes.txt", {"class_id": pa.int64(), "name": pa.string()})
    images = read_rows(folder / "images.txt", {"image_id": pa.string(), "path": pa.string()})
    path = folder / "image_class_labels.txt"
    labels = read_rows(path, {"image_id": pa.string(), "class_id": pa.int64()})
    once = {"classes.txt": classes, "images.txt": images, path.name: labels.select(["image_id"])}
    for name, of_file in once.items():
        for column in of_file.column_names:
            require_once(folder / name, column, of_file[column].to_pylist())
    # Rows in the order of images.txt; null: the image or the class is only in one of two files.
    of_image = pc.index_in(images["image_id"], value_set=labels["image_id"])
    rows = images.append_column("class_id", labels["class_id"].take(of_image))
    known = pc.is_in(rows["class_id"], value_set=classes["class_id"])
    lacking = rows.filter(pc.invert(known))["image_id"].to_pylist()
    lacking += set(labels["image_id"].to_pylist()) - set(images["image_id"].to_pylist())
    if lacking:
        raise InputError(
            f"{folder}: each image must be in images.txt and in {path.name} with a class of "
            f"classes.txt, and image {lacking[0]} is not; all files must be of one release"
        )
    paths = pc.binary_join_element_wise("images", rows["path"], "/")
    rows = rows.set_column(rows.schema.get_field_index("path"), "path", paths)
    is_train = pc.less_equal(rows["class_id"], _TRAIN_CLASSES)
    train, test = rows.filter(is_train), rows.filter(pc.invert(is_train))
    if not (len(train) and len(test)):
        raise InputError(
            f"{folder} must have images of the first {_TRAIN_CLASSES} classes and of others, got "
            f"{len(train)} and {len(test)}; put the whole files there"
        )
    return RetrievalData(
        name="cub200",
        folder=folder,
        levels=_LEVELS,
        train=train,
        queries=test,
        index=test,
        is_one_set=True,
        names=dict(zip(*(map(str, one.to_pylist()) for one in classes.columns), strict=True)),
        recall_at=(1, 2, 4, 8),
    )
