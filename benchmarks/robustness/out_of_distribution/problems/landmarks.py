"""A build's landmarks as a data set with classes to hold out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.benchmarks.robustness.data_sets.embedding import OTHER_KINDS
from hgld.benchmarks.robustness.out_of_distribution.frozen import FrozenRows
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import ClassRows
from hgld.engine.dataset import read_csv
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, EXCLUDED, IMAGE_FILES

NO_LANDMARK = "queries of no landmark"
NOTHING_RELEVANT = "queries with nothing to find"
"""By the retrieval solution: of no landmark, or of one that the index lacks."""
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


def queries_without_answer(path: Path) -> tuple[str, list[str]]:
    """Reads the test images of no landmark from one of GLDv2's official solutions.

    `recognition_solution_v2.1.csv` has `id`, `landmarks` (blank where a picture shows none) and
    `Usage`; `retrieval_solution_v2.1.csv` has `id`, `images` (blank or `None` where the index has
    nothing relevant) and `Usage`.

    Args:
        path: either file, told apart by its columns.

    Returns:
        What the images are called, and their ids, sorted.

    Raises:
        InputError: the file is of another kind, cannot be read, or has an image twice.
    """
    try:
        rows = read_csv(path, {"id": pa.string(), "landmarks": pa.string()}, unique="id")
    except InputError as without_landmarks:
        try:
            rows = read_csv(path, {"id": pa.string(), "images": pa.string()}, unique="id")
        except InputError:
            raise without_landmarks from None
    kind = NO_LANDMARK if "landmarks" in rows.column_names else NOTHING_RELEVANT
    answers = pc.utf8_trim_whitespace(rows.column(1).combine_chunks())
    is_blank = pc.is_in(answers, pa.array(["", "None"]))
    return kind, sorted(rows["id"].combine_chunks().filter(is_blank).to_pylist())


def landmark_class_rows(
    workspace: Workspace,
    files: Mapping[str, Path],
    others: Path | None,
    *,
    name: str,
    solutions: Sequence[Path] = (),
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
        solutions: official solutions, which say what test images are of no landmark; without one
            those are that the build has nothing relevant for. What the build has no picture of is
            left out.

    Returns:
        The rows.

    Raises:
        MissingInputError: as for `read_super_categories`.
        InputError: as for `read_super_categories`.
    """
    parts = read_super_categories(workspace, files, others)
    far = {}
    for kind, nothing in _without_landmark(workspace, solutions).items():
        vectors = read_embeddings(files["test"], nothing, split="test").double().numpy()
        far[kind] = FrozenRows(vectors, None, _spreads(others, "test", nothing))
    if others is not None:
        far |= _others(others)
    return ClassRows(
        title=name, train=parts["train"], queries=_joined(parts["test"], parts["index"]), far=far
    )


def _spreads(folder: Path | None, split: str, ids: list[str]) -> NDArray[np.float64] | None:
    """Returns the std of images as it was written: its length tells too, and is kept.

    Raises:
        InputError: the file is missing, damaged, or lacks an image.
    """
    if folder is None:
        return None
    path = folder / f"spread-{split}.parquet"
    again = "embed again: python -m hgld.benchmarks.robustness.data_sets.embedding"
    try:
        table = pq.read_table(path, columns=["image_id", "embedding"])
        rows = pc.index_in(pa.array(ids, pa.string()), table["image_id"].combine_chunks())
        if rows.null_count:
            raise InputError(f"{path} lacks {rows.null_count} images of {split}; {again}")
        column = table["embedding"].combine_chunks().take(rows)
        flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise InputError(f"cannot read {path}: {error}; {again}") from error
    return np.asarray(flat.reshape(len(ids), -1))


def _without_landmark(workspace: Workspace, solutions: Sequence[Path]) -> dict[str, list[str]]:
    """Returns the test images without a landmark that have a picture, by what they are called.

    Raises:
        InputError: a solution has such images, and the build has a picture of none of them.
    """
    files = workspace.read(IMAGE_FILES["test"], ["image_id", "status"])
    there = set(files.filter(pc.equal(files["status"], "ok"))["image_id"].to_pylist())
    found: dict[str, list[str]] = {}
    for path in solutions:
        kind, every = queries_without_answer(path)
        found[kind] = sorted(there.intersection(every))
        if every and not found[kind]:
            raise InputError(
                f"{path} has {len(every)} {kind}, and the build has a picture of none of them; "
                f"fetch the test images: hgld images"
            )
    if not solutions:
        excluded = workspace.read(EXCLUDED, ["split", "image_id", "reason"])
        is_test = pc.equal(excluded["split"], "test")
        excluded = excluded.filter(pc.and_(is_test, pc.equal(excluded["reason"], "no_landmark")))
        found[NO_LANDMARK] = sorted(there.intersection(excluded["image_id"].to_pylist()))
    return {kind: ids for kind, ids in found.items() if ids}


def _others(folder: Path) -> dict[str, FrozenRows]:
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
