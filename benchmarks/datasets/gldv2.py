"""H-GLDv2, wherever its labels are from: a build, a release, or the files that Google published.

Queries are the test images, and the index is the index images, that have a landmark and a
super-category. gldv2_mini has the layout of Google's files.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.errors import InputError
from hgld.labels.fills.lexicon import name_of_category
from hgld.loading import load
from hgld.loading.labelled import LabelledSplit, gldv2_place
from hgld.loading.official import LABEL_FILE
from hgld.tables import ANNOTATIONS

_LEVELS = ANNOTATIONS["index"].levels


def read_h_gldv2(folder: Path) -> RetrievalData:
    """Reads H-GLDv2.

    Args:
        folder: of a build or a release (pictures in `images/`), of Google's CSV files, or the one
            above them where these are in `metadata/`, as GLDv2's downloader has it. Beside the CSV
            files, or beside `metadata/`, pictures are in `train/`, `index/` and `test/`, out of
            their tars.

    Raises:
        InputError: there are no such files, one of them is wrong, or no image of index or test has
            a label.
    """
    inner = folder / "metadata"
    is_above = (inner / LABEL_FILE.format("index")).is_file()
    labelled = load(inner if is_above else folder)
    is_official = is_above or (folder / LABEL_FILE.format("index")).is_file()
    columns = ["image_id", *(level.column for level in _LEVELS)]
    tables, left_out = {}, {}
    for split in labelled.splits:
        every = labelled[split].to_arrow(columns)
        rows = every.drop_null()
        if split != "train":
            left_out[f"{split} images without a label at every level"] = len(every) - len(rows)
        place = split if is_official else f"images/{split}"
        paths = [f"{place}/{gldv2_place(one)}" for one in rows["image_id"].to_pylist()]
        tables[split] = rows.add_column(1, "path", pa.array(paths, pa.string()))
    for split in ("test", "index"):
        if not len(tables.get(split, ())):
            raise InputError(
                f"{folder} must label images of {split}, and labels none; put the files of the "
                f"index there too, such as {LABEL_FILE.format('index')}"
            )
    return RetrievalData(
        name="h-gldv2",
        folder=folder,
        levels=_LEVELS,
        train=tables.get("train", tables["index"].slice(0, 0)),
        queries=tables["test"],
        index=tables["index"],
        # Ids of the training split are those of other landmarks.
        names=_names([labelled["test"], labelled["index"]]),
        left_out=left_out,
    )


def _names(splits: Sequence[LabelledSplit]) -> dict[str, str]:
    """Returns what landmarks are called, by their ids; two of one category have the id as well."""
    finest = _LEVELS[0].column
    rows = pa.concat_tables([one.to_arrow([finest, "category"]) for one in splits]).drop_null()
    known = rows.group_by(finest).aggregate([("category", "min")])
    ids, categories = map(str, known[finest].to_pylist()), known["category_min"].to_pylist()
    names = dict(zip(ids, map(name_of_category, categories), strict=True))
    several = {name for name, count in Counter(names.values()).items() if count > 1}
    return {id_: f"{one} ({id_})" if one in several else one for id_, one in names.items()}
