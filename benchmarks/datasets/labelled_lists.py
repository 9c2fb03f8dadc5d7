"""SOP, CUB-200-2011 and iNaturalist 2018: lists of labelled pictures, read from their text files.

Each is split by its classes as metric learning does it: some are trained on, and each picture of
the others searches all others of these. What is wrong in a file is one error that names it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from hgld.benchmarks.datasets.retrieval_data import RetrievalData, require_once
from hgld.engine.dataset import Level
from hgld.errors import InputError

SPLIT_FILE = "Inat_dataset_splits/Inaturalist_{}_set1.txt"
"""The lists of Brown et al., of `train` and of `test`."""

_OF_SOP = (
    Level("class_id", "product", "product", "same product"),
    Level("super_class_id", "super_class", "super-class", "same super-class"),
)
_OF_CUB = (Level("class_id", "class", "class", "same class"),)
_TRAIN_CLASSES = 100
_RANKS = ("genus", "family", "order", "class", "phylum", "kingdom")
_SPECIES = Level("category_id", "species", "species", "same species")
# Not checked to be a tree: *Morus* is a genus of mulberries and one of gannets, which share no
# level, since a level counts only where all coarser ones are shared.
_TAXONOMY = (_SPECIES, *(Level(rank, rank, rank, f"same {rank}") for rank in _RANKS))
_TWO_LEVELS = (
    _SPECIES,
    Level("supercategory", "supercategory", "super-category", "same super-category"),
)
_IMAGE = re.compile(r"[^/]+/[^/]+/([0-9]+)/[^/]+")
"""Of the category's number: train_val2018/Aves/3/x.jpg."""


def read_sop(folder: Path) -> RetrievalData:
    """Reads Stanford Online Products: 120,053 pictures of 22,634 products in 12 super-classes.

    The official split is by products: 59,551 pictures of 11,318 products to train on, and 60,502 of
    11,316 others.

    Args:
        folder: `Stanford_Online_Products`, with both lists and the folders of pictures.

    Raises:
        InputError: a list cannot be read or lacks a column, an image is listed twice, or a product
            lies in two super-classes.

    Source:
        Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature
        Embedding, CVPR 2016; the two levels: Ramzi et al.: Hierarchical Average Precision Training
        for Pertinent Image Retrieval, ECCV 2022.
    """
    columns = {"image_id": pa.string(), "class_id": pa.int64(), "super_class_id": pa.int64()}
    columns["path"] = pa.string()
    train, test = (
        read_rows(folder / f"Ebay_{one}.txt", columns, has_header=True) for one in ("train", "test")
    )
    both = pa.concat_tables([train, test])
    for name in ("image_id", "path"):
        require_once(folder, f"{name} of its two lists", both[name].to_pylist())
    products = both.group_by(["class_id", "super_class_id"]).aggregate([])["class_id"]
    require_once(folder, "in different super_class_id, class_id", products.to_pylist())
    return _one_set("sop", folder, _OF_SOP, (train, test), recall_at=(1, 10, 100, 1000))


def read_cub(folder: Path) -> RetrievalData:
    """Reads Caltech-UCSD Birds-200-2011: 11,788 pictures of 200 species of birds.

    The first 100 classes are trained on.

    Args:
        folder: `CUB_200_2011`, with `images.txt`, `image_class_labels.txt`, `classes.txt`, and the
            pictures in `images/`.

    Raises:
        InputError: a file cannot be read or lacks a column, an image is listed twice or only in
            one file, a class is not in `classes.txt`, or a side of the split has no image.

    Source:
        Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, 2011; the
        split: Song et al., as of SOP.
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
    rows = rows.set_column(1, "path", pc.binary_join_element_wise("images", rows["path"], "/"))
    is_train = pc.less_equal(rows["class_id"], _TRAIN_CLASSES)
    train, test = rows.filter(is_train), rows.filter(pc.invert(is_train))
    if not (len(train) and len(test)):
        raise InputError(
            f"{folder} must have images of the first {_TRAIN_CLASSES} classes and of others, got "
            f"{len(train)} and {len(test)}; put the whole files there"
        )
    names = dict(zip(*(map(str, one.to_pylist()) for one in classes.columns), strict=True))
    return _one_set("cub200", folder, _OF_CUB, (train, test), recall_at=(1, 2, 4, 8), names=names)


def read_inaturalist(folder: Path, *, taxonomy: bool = True) -> RetrievalData:
    """Reads iNaturalist 2018: 461,939 labelled pictures of 8,142 species.

    The split of retrieval: 325,846 pictures of 5,690 species to train on, and 136,093 of 2,452
    others. An image is named by its path, such as `train_val2018/Aves/3/x.jpg`, which all files
    have.

    Args:
        folder: with `categories.json` (or `train2018.json`, which has the categories too), the
            pictures in `train_val2018/`, and `Inat_dataset_splits/`.
        taxonomy: levels are species, genus, family, order, class, phylum and kingdom; else species
            and the super-category, of which there are 14.

    Raises:
        InputError: a file cannot be read or lacks something, or an image is listed twice or is of
            a category that there is not.

    Source:
        Van Horn et al.: The iNaturalist Species Classification and Detection Dataset, CVPR 2018;
        the split: Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: Smoothing the Path Towards
        Large-Scale Image Retrieval, ECCV 2020; its levels: Ramzi et al.: Hierarchical Average
        Precision Training for Pertinent Image Retrieval, ECCV 2022.
    """
    categories = _categories(folder)
    levels = _TAXONOMY if taxonomy else _TWO_LEVELS
    lists = [folder / SPLIT_FILE.format(one) for one in ("train", "test")]
    train, test = (_images(path, categories, levels) for path in lists)
    both = pa.concat_tables([train, test])["path"].to_pylist()
    require_once(folder, f"image of {lists[0].name} and {lists[1].name}", both)
    name = "inat2018" if taxonomy else "inat2018-base"
    return _one_set(name, folder, levels, (train, test), recall_at=(1, 4, 16, 32))


def read_rows(
    path: Path, columns: Mapping[str, pa.DataType], *, has_header: bool = False
) -> pa.Table:
    """Reads a text file of a row a line and a blank between two fields.

    Args:
        path: a UTF-8 file.
        columns: all of its columns, in their order.
        has_header: the first line names them.

    Raises:
        InputError: the file cannot be read, has other columns or no rows, or a field is not of its
            column's type.
    """
    try:
        rows = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(column_names=None if has_header else list(columns)),
            parse_options=pacsv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pacsv.ConvertOptions(column_types=columns, null_values=[]),
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{path} must be the official file, with {' '.join(columns)} on a line, and reading it "
            f"gives: {error}; fetch it again, or name the folder that holds it"
        ) from error
    if rows.column_names != list(columns):
        raise InputError(
            f"{path}: the first line must be {' '.join(columns)!r}, got "
            f"{' '.join(rows.column_names)!r}; fetch the file again"
        )
    if not len(rows):
        raise InputError(f"{path} must list images, and is empty; fetch the file again")
    return rows


def _one_set(
    name: str,
    folder: Path,
    levels: tuple[Level, ...],
    split: tuple[pa.Table, pa.Table],
    *,
    recall_at: tuple[int, ...],
    names: Mapping[str, str] | None = None,
) -> RetrievalData:
    """Returns the images to train on, and those of which each searches all others."""
    train, test = split
    return RetrievalData(
        name=name,
        folder=folder,
        levels=levels,
        train=train,
        queries=test,
        index=test,
        is_one_set=True,
        names=names or {},
        recall_at=recall_at,
    )


def _categories(folder: Path) -> dict[int, Mapping[str, str]]:
    """Returns what is known of each category of iNaturalist, by its id."""
    path = folder / "categories.json"
    if not path.is_file():
        path = folder / "train2018.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content if path.name == "categories.json" else content["categories"]
        names = ("supercategory", *_RANKS)
        found = [(row["id"], {name: str(row[name]) for name in names}) for row in rows]
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} must be an official file of iNaturalist 2018, and reading it gives {error!r}; "
            f"fetch it again"
        ) from error
    require_once(path, "category", (one for one, _ in found))
    return dict(found)


def _images(
    path: Path, categories: Mapping[int, Mapping[str, str]], levels: Sequence[Level]
) -> pa.Table:
    """Returns the images of a list of Brown et al."""
    paths = read_rows(path, {"path": pa.string()})["path"].to_pylist()
    columns: dict[str, list[object]] = {level.column: [] for level in levels}
    for one in paths:
        found = _IMAGE.fullmatch(one)
        category = int(found[1]) if found else -1
        if category not in categories:
            raise InputError(
                f"{path}: image {one} must be a path with one of the {len(categories):,} "
                f"categories, such as train_val2018/Aves/3/x.jpg; all files must be of one release"
            )
        for name, values in columns.items():
            values.append(category if name == _SPECIES.column else categories[category][name])
    return pa.table({"image_id": paths, "path": paths, **columns})
