"""Load Google's published CSV files of H-GLDv2 like a release.

Google publishes the labels of landmarks. GLDv2's own tables in the same folder have the images:
those in `train_clean.csv` for train (the published filter: 970,981 images of 46,593 landmarks in 78
super-categories), all for index, and the relevant images for the queries. Rows are sorted like a
release, by label, landmark and image.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds

from hgld.engine.dataset import first_repeated, read_csv
from hgld.errors import InputError
from hgld.loading.labelled import LabelledSet, LabelledSplit
from hgld.loading.reading import LANDMARK, SIDE, SUPERCATEGORY, ReleaseNames, RowSource, levels_of
from hgld.metadata.rows import images_of
from hgld.tables import BY_CLASS

LABEL_FILE = "{}_label_to_hierarchical.csv"
SPACES = ("train", "index")
_LABELS = {
    LANDMARK: pa.int64(),
    **dict.fromkeys(("category", "supercategory", SUPERCATEGORY, SIDE), pa.string()),
}
_SPLITS = {"train": "train", "index": "index", "test": "index"}


def official_set(folder: Path, levels: Sequence[str] | None = None) -> LabelledSet:
    """Returns the splits that a folder of GLDv2's CSV files has labels for, read on demand.

    Args:
        folder: has `train_label_to_hierarchical.csv`, that of index, or both; also
            `train_clean.csv` for train, `index_image_to_landmark.csv` for index, and `test.csv` and
            `retrieval_solution_v2.1.csv` for the queries.
        levels: columns of the labels, finest first; None: all three of a release.
    """
    spaces = [space for space in SPACES if (folder / LABEL_FILE.format(space)).is_file()]
    landmarks = RowSource([str(folder)], partial(_landmarks, folder, spaces))
    tree = RowSource([str(folder)], partial(_tree, landmarks))
    names = ReleaseNames(tree, landmarks)
    splits = {}
    for split in (split for split, space in _SPLITS.items() if space in spaces):
        source = RowSource([str(folder)], partial(_opened, folder, split, landmarks))
        splits[split] = LabelledSplit(split, levels_of(levels), "image_id", source, names.of)
    return LabelledSet(str(folder), splits, tree, landmarks)


def _landmarks(folder: Path, spaces: list[str]) -> pds.Dataset:
    """Returns the landmarks of both label spaces; a missing label is null."""
    tables = []
    for space in spaces:
        rows = read_csv(folder / LABEL_FILE.format(space), _LABELS, unique=LANDMARK)
        names = (name for name in _LABELS if name != LANDMARK)
        texts = {one: pc.if_else(pc.equal(rows[one], ""), None, rows[one]) for one in names}
        constant = {"split": pa.repeat(space, len(rows)), "method": pa.repeat(BY_CLASS, len(rows))}
        tables.append(pa.table({**constant, LANDMARK: rows[LANDMARK], **texts}))
    return pds.dataset(pa.concat_tables(tables))


def _tree(landmarks: RowSource) -> pds.Dataset:
    keys = [SUPERCATEGORY, SIDE]
    labelled = landmarks.table(keys, pc.field(SUPERCATEGORY).is_valid())
    counts = labelled.group_by(keys).aggregate([([], "count_all")])
    order = [(key, "ascending") for key in keys]
    return pds.dataset(counts.sort_by(order).rename_columns([*keys, "landmarks"]))


def _opened(folder: Path, split: str, landmarks: RowSource) -> pds.Dataset:
    labels = landmarks.table(None, pc.field("split") == _SPLITS[split])
    images = _clean(folder) if split == "train" else images_of(folder, split)
    row = pc.index_in(images[LANDMARK], value_set=labels[LANDMARK])
    rows = labels.take(row).drop_columns(["split", "method", LANDMARK])
    for name in (LANDMARK, "image_id"):
        rows = rows.add_column(0, name, images[name])
    rows = rows.filter(pc.is_valid(rows[SUPERCATEGORY]))
    order = [(name, "ascending") for name in (SUPERCATEGORY, LANDMARK, "image_id")]
    return pds.dataset(rows.sort_by(order).combine_chunks())


def _clean(folder: Path) -> pa.Table:
    """Returns the images of train_clean.csv with their landmarks."""
    path = folder / "train_clean.csv"
    rows = read_csv(path, {LANDMARK: pa.int64(), "images": pa.string()})
    lists = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(rows["images"])).combine_chunks()
    landmarks = rows[LANDMARK].take(pc.list_parent_indices(lists))
    table = pa.table({"image_id": pc.list_flatten(lists), LANDMARK: landmarks})
    table = table.filter(pc.not_equal(table["image_id"], ""))
    if twice := first_repeated(table["image_id"]):
        raise InputError(f"{path}: image {twice} is listed more than once; keep one")
    return table
