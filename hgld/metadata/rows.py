"""The landmarks and images in GLDv2's CSV files. Pure: files in, tables out."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import first_repeated, read_csv
from hgld.errors import InputError
from hgld.metadata.files import SOLUTION


def landmarks_of(folder: Path, split: str) -> pa.Table:
    """Reads the landmarks of a label space.

    Args:
        folder: with the CSV files.
        split: `train` or `index`.

    Returns:
        The rows of LANDMARKS, in the order of the file.

    Raises:
        InputError: the file lacks a column or an id, repeats an id, or has an invalid row.
    """
    path = folder / f"{split}_label_to_category.csv"
    columns = {"landmark_id": pa.int64(), "category": pa.string()}
    rows = read_csv(path, columns, unique="landmark_id")
    _refuse_nulls(path, rows, "landmark_id")
    below, open_quotes = pc.less(rows["landmark_id"], 0), pc.match_substring(rows["category"], "\n")
    for unclear, what in (
        (below, "landmark_id must be 0 or more"),
        (open_quotes, "category must be one line; close its quote"),
    ):
        if (row := pc.index(unclear, True).as_py()) >= 0:
            raise InputError(f"{path} line {row + 2}: {what}")  # line 1 is the header
    return rows.add_column(0, "split", _constant(split, len(rows)))


def images_of(folder: Path, split: str) -> pa.Table:
    """Reads the images of a split.

    Args:
        folder: with the CSV files.
        split: `train`, `index` or `test`.

    Returns:
        The rows of IMAGES, in the order of the file.

    Raises:
        InputError: a file lacks a column, or contradicts itself or another file.
    """
    make = {"train": _train_images, "index": _index_images, "test": _test_images}[split]
    return make(folder)


def query_landmarks(relevant: pa.Array, index: pa.Table) -> pa.Array:
    """Returns the landmark of each test image, which GLDv2 itself does not state.

    The rule: the landmark of a test image is the one that most of its relevant index images show;
    ties go to the smallest id. Without a relevant image it is null.

    Args:
        relevant: for each test image, its relevant index images, separated by spaces; an empty text
            or `None`, which GLDv2 writes for ignored images, means no images.
        index: columns `id` and `landmark_id` of the index images.

    Returns:
        An int64 array as long as `relevant`.

    Raises:
        InputError: a relevant image is not an index image.

    Example:
        >>> index = pa.table({"id": ["a", "b", "c"], "landmark_id": [7, 5, 5]})
        >>> query_landmarks(pa.array(["a b c", "b a", "None"]), index).to_pylist()
        [5, 5, None]
    """
    lists = pc.utf8_split_whitespace(relevant)
    votes = pa.table({"query": pc.list_parent_indices(lists), "image": pc.list_flatten(lists)})
    votes = votes.filter(pc.invert(pc.is_in(votes["image"], pa.array(["", "None"]))))
    row = pc.index_in(votes["image"], index["id"])
    if row.null_count:
        image = _first_null(row, votes["image"])
        what = f"image {image} is relevant to a test image, but not in index_image_to_landmark.csv"
        raise InputError(f"{SOLUTION}: {what}; both must be of the same release")
    counts = (
        pa.table({"query": votes["query"], "landmark": index["landmark_id"].take(row)})
        .group_by(["query", "landmark"])
        .aggregate([([], "count_all")])
        .sort_by([("query", "ascending"), ("count_all", "descending"), ("landmark", "ascending")])
    )
    # index_in finds the first of equal values, here the best landmark of each test image.
    best = pc.index_in(pa.array(range(len(relevant)), counts["query"].type), counts["query"])
    return counts["landmark"].combine_chunks().take(best)


def _train_images(folder: Path) -> pa.Table:
    path, clean_path = folder / "train.csv", folder / "train_clean.csv"
    rows = _read_images(path)
    lists = read_csv(clean_path, {"images": pa.string()})["images"]
    clean = pc.list_flatten(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lists)))
    clean = clean.filter(pc.not_equal(clean, ""))
    is_known = pc.is_in(clean, rows["id"])
    if not pc.all(is_known, min_count=0).as_py():
        unknown = clean.filter(pc.invert(is_known))[0]
        what = f"image {unknown} must be in {path.name} too"
        raise InputError(f"{clean_path}: {what}; both must be of the same release")
    if twice := first_repeated(clean):
        raise InputError(f"{clean_path}: image {twice} is listed more than once; keep one")
    return _images("train", rows["id"], rows["landmark_id"], in_clean=pc.is_in(rows["id"], clean))


def _index_images(folder: Path) -> pa.Table:
    rows = _read_images(folder / "index_image_to_landmark.csv")
    return _images("index", rows["id"], rows["landmark_id"])


def _test_images(folder: Path) -> pa.Table:
    path, solution_path = folder / "test.csv", folder / SOLUTION
    ids = _read_images(path, has_landmark=False)["id"]
    columns = dict.fromkeys(("id", "images", "Usage"), pa.string())
    solution = read_csv(solution_path, columns, unique="id")
    row = pc.index_in(solution["id"], ids)
    if row.null_count:
        what = f"image {_first_null(row, solution['id'])} must be in {path.name} too"
        raise InputError(f"{solution_path}: {what}; both must be of the same release")
    index = _read_images(folder / "index_image_to_landmark.csv")
    landmarks = query_landmarks(solution["images"].combine_chunks(), index)
    row = pc.index_in(ids, solution["id"])  # null: a test image the solution does not list
    return _images("test", ids, landmarks.take(row), usage=solution["Usage"].take(row))


def _read_images(path: Path, *, has_landmark: bool = True) -> pa.Table:
    """Reads image ids, which must be unique and 16 hex digits, and their landmarks."""
    columns = {"id": pa.string()} | ({"landmark_id": pa.int64()} if has_landmark else {})
    rows = read_csv(path, columns, unique="id")
    wrong = rows["id"].filter(pc.invert(pc.match_substring_regex(rows["id"], "^[0-9a-f]{16}$")))
    if len(wrong):
        raise InputError(f"{path}: an image id must be 16 hex digits, got {wrong[0].as_py()!r}")
    if has_landmark:
        _refuse_nulls(path, rows, "landmark_id")
    return rows


def _images(
    split: str,
    ids: pa.ChunkedArray,
    landmarks: pa.ChunkedArray | pa.Array,
    *,
    in_clean: pa.ChunkedArray | None = None,
    usage: pa.ChunkedArray | None = None,
) -> pa.Table:
    count = len(ids)
    return pa.table(
        {
            "split": _constant(split, count),
            "image_id": ids,
            "landmark_id": landmarks,
            "in_clean": pa.nulls(count, pa.bool_()) if in_clean is None else in_clean,
            "usage": pa.nulls(count, pa.string()) if usage is None else usage,
        }
    )


def _constant(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _refuse_nulls(path: Path, rows: pa.Table, column: str) -> None:
    if rows[column].null_count:
        # Line 1 is the header; a quoted line break before the row would shift the number.
        line = pc.index(pc.is_null(rows[column]), True).as_py() + 2
        raise InputError(f"{path}: {column} must not be empty, got none in row {line}; give one")


def _first_null(marks: pa.ChunkedArray, values: pa.ChunkedArray) -> str:
    return str(values.filter(pc.is_null(marks))[0].as_py())
