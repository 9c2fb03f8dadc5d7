"""Stage `metadata`: GLDv2's CSV files, checked and turned into landmarks and images.

The files are fetched once into `metadata/csv/` and kept. Their bytes, not their address, decide
the rows. `metadata/csv/SOURCE` names the base address they came from: under another one all of
them are fetched again, and replace the old ones together once the last has come. A folder's files
are also fetched again when they differ from the copies. Files put there by hand, without a
`SOURCE`, count as coming from the first base address used. `index.csv` is not needed: its images
are those of `index_image_to_landmark.csv`.

Source of the layout: https://github.com/cvdfoundation/google-landmark (README).
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import not_in_rows, row_settings
from hgld.engine.dataset import read_csv
from hgld.engine.files import atomic_file, write_text
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, NotFoundError
from hgld.http.download import Source, check_base, open_source
from hgld.tables import IMAGES, LANDMARKS

_FOLDER = "metadata/csv"
_SOLUTION = "retrieval_solution_v2.1.csv"
FILES = (
    "train_label_to_category.csv",
    "train.csv",
    "train_clean.csv",
    "index_label_to_category.csv",
    "index_image_to_landmark.csv",
    "test.csv",
    _SOLUTION,
)
"""The CSV files of GLDv2 that a build reads."""

STAGE = Stage(
    name="metadata",
    version=1,
    input_files=tuple(f"{_FOLDER}/{name}" for name in FILES),
    outputs=(LANDMARKS, IMAGES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataConfig:
    """Settings of the stage `metadata`."""

    base_url: str = not_in_rows("https://s3.amazonaws.com/google-landmark/metadata")
    """An http(s) URL or a folder."""

    def __post_init__(self) -> None:
        """Checks the settings."""
        check_base(self.base_url)


def run_metadata(workspace: Workspace, config: MetadataConfig) -> StageReport:
    """Fetches the CSV files that are not there yet, and writes LANDMARKS and IMAGES.

    Args:
        workspace: the build.
        config: where the files come from.

    Returns:
        The report; the landmarks and images are in the order of the files.

    Raises:
        FetchError: a file is missing, or the base address cannot be reached.
        InputError: a file lacks a column, or contradicts itself or another file.
    """
    folder = workspace.path(_FOLDER)
    _fetch_files(config.base_url, folder)
    try:
        return run_stage(
            workspace, STAGE, row_settings(config), lambda writer: _produce(writer, folder)
        )
    except InputError as error:
        raise InputError(
            f"{error} (mend the base's file, or delete {folder} to fetch all again; then rerun)"
        ) from error


def query_landmarks(relevant: pa.Array, index: pa.Table) -> pa.Array:
    """Returns the landmark of each test image, which GLDv2 itself does not state.

    The rule: the landmark of a test image is the one that most of its relevant index images show;
    of equally frequent ones, that with the smallest id. Without a relevant image it is null.

    Args:
        relevant: for each test image its relevant index images, separated by spaces; `None`, as
            GLDv2 writes for images it ignores, and an empty text are no images.
        index: columns `id` and `landmark_id` of the index images.

    Returns:
        An int64 array as long as `relevant`.

    Raises:
        InputError: a relevant image is no index image.

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
        raise InputError(
            f"{_SOLUTION}: image {_first_null(row, votes['image'])} is relevant to a test image, "
            f"so it must be in index_image_to_landmark.csv; both must be of the same release"
        )
    counts = (
        pa.table({"query": votes["query"], "landmark": index["landmark_id"].take(row)})
        .group_by(["query", "landmark"])
        .aggregate([([], "count_all")])
        .sort_by([("query", "ascending"), ("count_all", "descending"), ("landmark", "ascending")])
    )
    # index_in finds the first of equal values, here the best landmark of each test image.
    best = pc.index_in(pa.array(range(len(relevant)), counts["query"].type), counts["query"])
    return counts["landmark"].combine_chunks().take(best)


def _fetch_files(base: str, folder: Path) -> None:
    """Brings every file into `folder`, as the docstring of the module says."""
    marker = folder / "SOURCE"
    for leftover in folder.glob(".*.tmp"):  # of a run that was killed, up to half a gigabyte
        leftover.unlink()
    with open_source(base) as source:
        if not marker.exists():
            write_text(marker, f"{source.base}\n")
        if marker.read_text(encoding="utf-8").strip() == source.base:
            _complete(source, folder)
        else:
            _replace_all(source, folder)


def _complete(source: Source, folder: Path) -> None:
    """Fetches the files that are not there, or not any more as the source has them."""
    wanted = [name for name in FILES if not _is_kept(source, name, folder / name)]
    with progress("metadata: files", len(wanted)) as advance:
        for name in wanted:
            with atomic_file(folder / name) as temporary:
                _fetch(source, name, temporary)
            advance(1)


def _replace_all(source: Source, folder: Path) -> None:
    """Fetches all files, then puts them in the place of those of another base address."""
    marker = folder / "SOURCE"
    with (
        progress("metadata: files", len(FILES)) as advance,
        contextlib.ExitStack() as renamed_at_the_end,
    ):
        for name in FILES:
            temporary = renamed_at_the_end.enter_context(atomic_file(folder / name))
            _fetch(source, name, temporary)
            advance(1)
        # Killed between two renames, the folder holds files of both: no base may claim it.
        write_text(marker, "being replaced\n")
    write_text(marker, f"{source.base}\n")


def _is_kept(source: Source, name: str, kept: Path) -> bool:
    return kept.exists() and not any(source.has_changed(place, kept) for place in _places(name))


def _fetch(source: Source, name: str, temporary: Path) -> None:
    first, *others = _places(name)
    try:
        source.fetch(first, temporary)
    except NotFoundError:
        if not others:
            raise
        source.fetch(others[0], temporary)


def _places(name: str) -> tuple[str, ...]:
    # The official bucket keeps the solution beside `metadata/`, not in it.
    return (name, f"../ground_truth/{name}") if name == _SOLUTION else (name,)


def _produce(writer: StageWriter, folder: Path) -> None:
    for split in ("train", "index"):
        if not writer.has(LANDMARKS, split):
            writer.write(LANDMARKS, split, _landmarks(folder, split))
    makers = {"train": _train_images, "index": _index_images, "test": _test_images}
    for split, make in makers.items():
        if not writer.has(IMAGES, split):
            writer.write(IMAGES, split, make(folder))


def _landmarks(folder: Path, split: str) -> pa.Table:
    path = folder / f"{split}_label_to_category.csv"
    columns = {"landmark_id": pa.int64(), "category": pa.string()}
    rows = read_csv(path, columns, unique="landmark_id")
    _refuse_nulls(path, rows, "landmark_id")
    return rows.add_column(0, "split", _constant(split, len(rows)))


def _train_images(folder: Path) -> pa.Table:
    path, clean_path = folder / "train.csv", folder / "train_clean.csv"
    rows = _read_images(path)
    lists = read_csv(clean_path, {"images": pa.string()})["images"]
    clean = pc.list_flatten(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lists)))
    clean = clean.filter(pc.not_equal(clean, ""))
    is_known = pc.is_in(clean, rows["id"])
    if not pc.all(is_known, min_count=0).as_py():
        unknown = clean.filter(pc.invert(is_known))[0]
        raise InputError(
            f"{clean_path}: image {unknown} must be in {path.name} too; "
            f"both must be of the same release"
        )
    if pc.count_distinct(clean).as_py() != len(clean):
        counts = pc.value_counts(clean)
        twice = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"]
        raise InputError(f"{clean_path}: image {twice} is listed more than once; keep one")
    return _images("train", rows["id"], rows["landmark_id"], in_clean=pc.is_in(rows["id"], clean))


def _index_images(folder: Path) -> pa.Table:
    rows = _read_images(folder / "index_image_to_landmark.csv")
    return _images("index", rows["id"], rows["landmark_id"])


def _test_images(folder: Path) -> pa.Table:
    path, solution_path = folder / "test.csv", folder / _SOLUTION
    ids = _read_images(path, has_landmark=False)["id"]
    columns = dict.fromkeys(("id", "images", "Usage"), pa.string())
    solution = read_csv(solution_path, columns, unique="id")
    row = pc.index_in(solution["id"], ids)
    if row.null_count:
        raise InputError(
            f"{solution_path}: image {_first_null(row, solution['id'])} must be in {path.name} "
            f"too; both must be of the same release"
        )
    index = _read_images(folder / "index_image_to_landmark.csv")
    landmarks = query_landmarks(solution["images"].combine_chunks(), index)
    row = pc.index_in(ids, solution["id"])  # null: a test image the solution does not list
    return _images("test", ids, landmarks.take(row), usage=solution["Usage"].take(row))


def _read_images(path: Path, *, has_landmark: bool = True) -> pa.Table:
    """Reads image ids, checked to be unique and 16 hex digits, and their landmarks."""
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
