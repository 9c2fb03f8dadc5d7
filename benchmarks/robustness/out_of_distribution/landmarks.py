"""A build's landmarks as a data set with classes to hold out."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.benchmarks.robustness.out_of_distribution.embedding import OTHER_KINDS
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.problems import ClassRows
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, EXCLUDED, IMAGE_FILES

OTHER_TITLES = dict(zip(OTHER_KINDS, ("crops of a flower", "digits as pictures"), strict=True))


def landmark_rows(
    workspace: Workspace, embeddings: Path, others: Path | None, *, name: str = "GLDv2"
) -> ClassRows:
    """Reads the embeddings of a build's pictures, with their super-categories.

    Training rows are those of the training split; queries are the test and the index images,
    which are of other landmarks. Far are the test images of no landmark, as GLDv2 has many and its
    small copies may have none, and the pictures of `others`.

    Args:
        workspace: a build with annotations; nothing in it is changed.
        embeddings: folder with `train`, `index` and `test.parquet`, of any model.
        others: folder with what `embedding` wrote: `other.parquet`, and `spread-SPLIT.parquet`,
            by which rows have spreads; None: neither.
        name: of the data set, for the reader.

    Returns:
        The rows.

    Raises:
        MissingInputError: the build has no annotations yet.
        InputError: a file is missing, damaged, or lacks an image.
    """
    label = "hierarchical_label"
    tables = {split: workspace.read(one, ["image_id", label]) for split, one in ANNOTATIONS.items()}
    names = np.unique(np.concatenate([table[label].to_numpy() for table in tables.values()]))

    def rows(split: str, ids: list[str], labels: NDArray[np.int64] | None) -> FrozenRows:
        vectors = read_embeddings(embeddings / f"{split}.parquet", ids, split=split)
        return FrozenRows(vectors.double().numpy(), labels, _spreads(others, split, ids))

    parts = {}
    for split, table in tables.items():
        numbers = np.searchsorted(names, table[label].to_numpy())
        parts[split] = rows(split, table["image_id"].to_pylist(), numbers)
    far = {}
    nothing = _without_landmark(workspace)
    if nothing:
        far["queries of no landmark"] = rows("test", nothing, None)
    if others is not None:
        far |= _others(others)
    return ClassRows(
        title=name, train=parts["train"], queries=_joined(parts["test"], parts["index"]), far=far
    )


def _spreads(folder: Path | None, split: str, ids: list[str]) -> NDArray[np.float64] | None:
    if folder is None:
        return None
    vectors = read_embeddings(folder / f"spread-{split}.parquet", ids, split=split)
    return np.asarray(vectors.double().numpy())


def _without_landmark(workspace: Workspace) -> list[str]:
    """Returns the test images without a landmark that have a picture."""
    excluded = workspace.read(EXCLUDED, ["split", "image_id", "reason"])
    of_none = excluded.filter(
        pc.and_(pc.equal(excluded["split"], "test"), pc.equal(excluded["reason"], "no_landmark"))
    )
    files = workspace.read(IMAGE_FILES["test"], ["image_id", "status"])
    there = set(files.filter(pc.equal(files["status"], "ok"))["image_id"].to_pylist())
    return sorted(there.intersection(of_none["image_id"].to_pylist()))


def _others(folder: Path) -> dict[str, FrozenRows]:
    import pyarrow.parquet as pq

    path = folder / "other.parquet"
    every = pq.read_table(path, columns=["image_id"])["image_id"].to_pylist()
    found = {}
    for kind, title in OTHER_TITLES.items():
        ids = [one for one in every if one.startswith(kind)]
        vectors = read_embeddings(path, ids, split="other").double().numpy()
        found[title] = FrozenRows(vectors, None, _spreads(folder, "other", ids))
    return found


def _joined(one: FrozenRows, other: FrozenRows) -> FrozenRows:
    spreads = None
    if one.spreads is not None:
        spreads = np.concatenate([one.spreads, other.required_spreads()])
    return FrozenRows(
        np.concatenate([one.features, other.features]),
        np.concatenate([one.required_labels(), other.required_labels()]),
        spreads,
    )
