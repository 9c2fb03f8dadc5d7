"""A build's landmarks as a data set with classes to hold out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.problems.embedding import OTHER_KINDS
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import ClassRows
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, EXCLUDED, IMAGE_FILES

OTHER_TITLES = dict(zip(OTHER_KINDS, ("crops of a flower", "digits as pictures"), strict=True))


def read_super_categories(
    workspace: Workspace, files: Mapping[str, Path], others: Path | None = None
) -> dict[str, FrozenRows]:
    """Reads the embeddings of a build's labelled pictures, with their super-categories.

    Args:
        workspace: a build with annotations; nothing in it is changed.
        files: of `train`, `index` and `test`, of any model; by split.
        others: folder with `spread-SPLIT.parquet`, by which rows have spreads.

    Returns:
        The rows of each split, labels numbered alike in all.

    Raises:
        MissingInputError: the build has no annotations yet.
        InputError: a file is missing, damaged, or lacks an image.
    """
    label = "hierarchical_label"
    tables = {split: workspace.read(one, ["image_id", label]) for split, one in ANNOTATIONS.items()}
    names = np.unique(np.concatenate([table[label].to_numpy() for table in tables.values()]))
    parts = {}
    for split, table in tables.items():
        ids = table["image_id"].to_pylist()
        vectors = read_embeddings(files[split], ids, split=split).double().numpy()
        labels = np.searchsorted(names, table[label].to_numpy())
        parts[split] = FrozenRows(vectors, labels, _spreads(others, split, ids))
    return parts


def landmark_class_rows(
    workspace: Workspace, files: Mapping[str, Path], others: Path | None, *, name: str
) -> ClassRows:
    """Makes a build's landmarks a data set with classes to hold out.

    Training rows are those of the training split; queries are the test and the index images,
    which are of other landmarks. Far are the test images of no landmark, as GLDv2 has many and its
    small copies may have none, and the pictures of `others`.

    Args:
        workspace: as for `read_super_categories`.
        files: as for `read_super_categories`.
        others: folder with what `embedding` wrote: `other.parquet`, and `spread-SPLIT.parquet`,
            by which rows have spreads; None: neither.
        name: of the data set, for the reader.

    Returns:
        The rows.

    Raises:
        MissingInputError: as for `read_super_categories`.
        InputError: as for `read_super_categories`.
    """
    parts = read_super_categories(workspace, files, others)
    far = {}
    nothing = _without_landmark(workspace)
    if nothing:
        vectors = read_embeddings(files["test"], nothing, split="test").double().numpy()
        far["queries of no landmark"] = FrozenRows(vectors, None, _spreads(others, "test", nothing))
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
