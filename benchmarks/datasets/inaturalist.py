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
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.datasets.rows import require_once, require_some, require_tree, text_lines
from hgld.engine.dataset import Level
from hgld.errors import InputError

SPLIT_FILE = "Inat_dataset_splits/Inaturalist_{}_set1.txt"
"""The lists of Brown et al., of `train` and of `test`."""

_RANKS = ("genus", "family", "order", "class", "phylum", "kingdom")
_SPECIES = Level(column="category_id", name="species", title="species", shared="same species")
# Not checked to be a tree: *Morus* is a genus of mulberries and one of gannets, which share no
# level, since a level counts only where all coarser ones are shared.
_TAXONOMY = (
    _SPECIES,
    *(Level(column=rank, name=rank, title=rank, shared=f"same {rank}") for rank in _RANKS),
)
_TWO_LEVELS = (
    _SPECIES,
    Level(
        column="supercategory",
        name="supercategory",
        title="super-category",
        shared="same super-category",
    ),
)
# <folder>/<super-category>/<category>/<file>
_PARTS = 4


def read_inaturalist(folder: Path, *, taxonomy: bool = True) -> RetrievalData:
    """Reads iNaturalist 2018.

    Args:
        folder: with `categories.json` (or `train2018.json`, which has the categories too), the
            pictures in `train_val2018/`, and `Inat_dataset_splits/`.
        taxonomy: levels are species, genus, family, order, class, phylum and kingdom; else species
            and the super-category, of which there are 14.

    Raises:
        InputError: a file cannot be read or lacks something, an image is listed twice, is of a
            category that there is not, or a category lies in two super-categories.
    """
    categories = _categories(folder)
    named = [folder / SPLIT_FILE.format(one) for one in ("train", "test")]
    listed = [(path, _listed(path)) for path in named]
    levels = _TAXONOMY if taxonomy else _TWO_LEVELS
    train, test = (_images(path, rows, categories, levels) for path, rows in listed)
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
    text = "\n".join(text_lines(path))
    try:
        content = json.loads(text)
        rows = content if path.name == "categories.json" else content["categories"]
        names = ("supercategory", *_RANKS)
        found = [(row["id"], {name: str(row[name]) for name in names}) for row in rows]
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} must be an official file of iNaturalist 2018, and reading it gives {error!r}; "
            f"fetch it again"
        ) from error
    require_some(path, found)
    require_once(path, "category", (one for one, _ in found))
    return dict(found)


def _listed(path: Path) -> list[tuple[str, int]]:
    """Returns paths and categories of a list of Brown et al."""
    rows = []
    for place, line in enumerate(text_lines(path), 1):
        if line.strip():
            parts = line.strip().split("/")
            if len(parts) != _PARTS or not (parts[2].isascii() and parts[2].isdecimal()):
                raise InputError(
                    f"{path}:{place} must be a path such as train_val2018/Aves/3/x.jpg, got "
                    f"{line.strip()!r}; fetch the file again"
                )
            rows.append((line.strip(), int(parts[2])))
    return rows


def _images(
    path: Path,
    rows: Sequence[tuple[str, int]],
    categories: Mapping[int, Mapping[str, str]],
    levels: Sequence[Level],
) -> pa.Table:
    require_some(path, rows)
    paths = [name for name, _ in rows]
    require_once(path, "image", paths)
    for name, category in rows:
        if category not in categories:
            raise InputError(
                f"{path}: image {name} must be of one of the {len(categories):,} categories, got "
                f"{category}; all files must be of iNaturalist 2018"
            )
    coarser = {
        level.column: [categories[category][level.column] for _, category in rows]
        for level in levels[1:]
    }
    of_rows = {"image_id": paths, "path": paths, "category_id": [one for _, one in rows]}
    table = pa.table({**of_rows, **coarser})
    # The folders say the super-category too.
    folders = pa.array([name.split("/")[1] if "/" in name else "" for name in paths])
    require_tree(path, table.append_column("folder", folders), "category_id", "folder")
    return table
