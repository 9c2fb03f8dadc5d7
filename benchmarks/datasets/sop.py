"""Stanford Online Products: 120,053 pictures of 22,634 products in 12 super-classes.

The official split is by products: 59,551 pictures of 11,318 products to train on, and 60,502 of
11,316 others, each of which searches all others of these.

Source: Song, Xiang, Jegelka, Savarese: Deep Metric Learning via Lifted Structured Feature
Embedding, CVPR 2016; the two levels as in Ramzi et al.: Hierarchical Average Precision Training for
Pertinent Image Retrieval, ECCV 2022.
"""

from pathlib import Path

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.datasets.rows import read_rows, require_once, require_tree
from hgld.engine.dataset import Level

TRAIN_FILE, TEST_FILE = "Ebay_train.txt", "Ebay_test.txt"

_LEVELS = (
    Level("class_id", "product", "product", "same product"),
    Level("super_class_id", "super_class", "super-class", "same super-class"),
)
_COLUMNS = {
    "image_id": pa.string(),
    "class_id": pa.int64(),
    "super_class_id": pa.int64(),
    "path": pa.string(),
}


def read_sop(folder: Path) -> RetrievalData:
    """Reads Stanford Online Products.

    Args:
        folder: `Stanford_Online_Products`, with both lists and the folders of pictures.

    Raises:
        InputError: a list cannot be read or lacks a column, an image is listed twice, or a product
            lies in two super-classes.
    """
    train, test = (
        read_rows(folder / name, _COLUMNS, has_header=True) for name in (TRAIN_FILE, TEST_FILE)
    )
    both = pa.concat_tables([train, test])
    for name in ("image_id", "path"):
        require_once(folder, f"{name} of its two lists", both[name].to_pylist())
    require_tree(folder, both, "class_id", "super_class_id")
    return RetrievalData(
        name="sop",
        folder=folder,
        levels=_LEVELS,
        train=train,
        queries=test,
        index=test,
        is_one_set=True,
        recall_at=(1, 10, 100, 1000),
    )
