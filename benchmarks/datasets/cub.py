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
from hgld.benchmarks.datasets.rows import Columns, read_rows, require_once
from hgld.engine.dataset import Level
from hgld.errors import InputError

_LEVELS = (Level(column="class_id", name="class", title="class", shared="same class"),)
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
    classes = read_rows(folder / "classes.txt", {"class_id": int, "class_name": str})
    require_once(folder / "classes.txt", "class", classes["class_id"].to_pylist())
    titles = classes["class_name"].to_pylist()
    require_once(folder / "classes.txt", "class name", titles)
    images = _of_each_image(folder, "images.txt", {"image_id": str, "path": str})
    require_once(folder / "images.txt", "path", images["path"].to_pylist())
    labels = _of_each_image(folder, "image_class_labels.txt", {"image_id": str, "class_id": int})
    rows = _joined(folder, images, labels, "image_class_labels.txt")
    unknown = rows.filter(pc.invert(pc.is_in(rows["class_id"], value_set=classes["class_id"])))
    if len(unknown):
        raise InputError(
            f"{folder / 'image_class_labels.txt'}: image {unknown['image_id'][0]} must be of a "
            f"class of classes.txt, got {unknown['class_id'][0]}; both must be of one release"
        )
    paths = pc.binary_join_element_wise("images", rows["path"], "/")
    rows = rows.set_column(rows.schema.get_field_index("path"), "path", paths)
    is_train = pc.less_equal(rows["class_id"], _TRAIN_CLASSES)
    train, test = rows.filter(is_train), rows.filter(pc.invert(is_train))
    for side, table in (("training", train), ("test", test)):
        if not len(table):
            raise InputError(
                f"{folder} must have {side} images, and has none of {len(rows):,}; put the whole "
                f"files there"
            )
    return RetrievalData(
        name="cub200",
        folder=folder,
        levels=_LEVELS,
        train=train,
        queries=test,
        index=test,
        is_one_set=True,
        names=dict(zip(map(str, classes["class_id"].to_pylist()), titles, strict=True)),
        recall_at=(1, 2, 4, 8),
    )


def _of_each_image(folder: Path, name: str, columns: Columns) -> pa.Table:
    rows = read_rows(folder / name, columns)
    require_once(folder / name, "image", rows["image_id"].to_pylist())
    return rows


def _joined(folder: Path, rows: pa.Table, others: pa.Table, name: str) -> pa.Table:
    """Returns rows with the columns of another file's, in their order.

    Raises:
        InputError: an image is only in one of the two.
    """
    at = pc.index_in(rows["image_id"], value_set=others["image_id"])
    back = pc.index_in(others["image_id"], value_set=rows["image_id"])
    for table, place in ((rows, at), (others, back)):
        lacking = table.filter(pc.is_null(place))
        if len(lacking):
            raise InputError(
                f"{folder}: images.txt and {name} must list the same images, and image "
                f"{lacking['image_id'][0]} is only in one of them; both must be of one release"
            )
    for column in others.column_names[1:]:
        rows = rows.append_column(column, others[column].take(at))
    return rows
