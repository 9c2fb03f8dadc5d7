"""iNaturalist 2018: 461,939 labelled pictures of 8,142 species, with seven levels of taxonomy.

The split of retrieval (Brown et al.): 325,846 pictures of 5,690 species to train on, and 136,093 of
2,452 others, each of which searches all others of these. An image is named by its path, such as
`train_val2018/Aves/3/x.jpg`, which all files have.

Source: Van Horn et al.: The iNaturalist Species Classification and Detection Dataset, CVPR 2018;
the split of retrieval: Brown, Xie, Kalogeiton, Zisserman: Smooth-AP: Smoothing the Path Towards
Large-Scale Image Retrieval, ECCV 2020; its levels: Ramzi et al.: Hierarchical Average Precision
Training for Pertinent Image Retrieval, ECCV 2022.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.datasets.rows import read_rows, require_once, require_some
from hgld.engine.dataset import Level
from hgld.errors import InputError

SPLIT_FILE = "Inat_dataset_splits/Inaturalist_{}_set1.txt"
"""The lists of Brown et al., of `train` and of `test`."""

_RANKS = ("genus", "family", "order", "class", "phylum", "kingdom")
_SPECIES = Level("category_id", "species", "species", "same species")
# Not checked to be a tree: *Morus* is a genus of mulberries and one of gannets, which share no
# level, since a level counts only where all coarser ones are shared.
_TAXONOMY = (
    _SPECIES,
    *(Level(rank, rank, rank, f"same {rank}") for rank in _RANKS),
)
_TWO_LEVELS = (
    _SPECIES,
    Level("supercategory", "supercategory", "super-category", "same super-category"),
)
_IMAGE = re.compile(r"[^/]+/[^/]+/([0-9]+)/[^/]+")
"""Of the category's number: train_val2018/Aves/3/x.jpg."""


def read_inaturalist(folder: Path, *, taxonomy: bool = True) -> RetrievalData:
    """Reads iNaturalist 2018.

    Args:
        folder: with `categories.json` (or `train2018.json`, which has the categories too), the
            pictures in `train_val2018/`, and `Inat_dataset_splits/`.
        taxonomy: levels are species, genus, family, order, class, phylum and kingdom; else species
            and the super-category, of which there are 14.

    Raises:
        InputError: a file cannot be read or lacks something, or an image is listed twice or is of
            a category that there is not.
    """
    categories = _categories(folder)
    levels = _TAXONOMY if taxonomy else _TWO_LEVELS
    named = [folder / SPLIT_FILE.format(one) for one in ("train", "test")]
    train, test = (_images(path, categories, levels) for path in named)
    both = [*train["path"].to_pylist(), *test["path"].to_pylist()]
    require_once(folder, f"image of {named[0].name} and {named[1].name}", both)
    return RetrievalData(
        name="inat2018" if taxonomy else "inat2018-base",
        folder=folder,
        levels=levels,
        train=train,
        queries=test,
        index=test,
        is_one_set=True,
        recall_at=(1, 4, 16, 32),
    )


def _categories(folder: Path) -> dict[int, Mapping[str, str]]:
    """Returns what is known of each category, by its id."""
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
    require_some(path, found)
    require_once(path, "category", (one for one, _ in found))
    return dict(found)


def _images(
    path: Path, categories: Mapping[int, Mapping[str, str]], levels: Sequence[Level]
) -> pa.Table:
    """Returns the images of a list of Brown et al."""
    paths = read_rows(path, {"path": pa.string()})["path"].to_pylist()
    require_once(path, "image", paths)
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
