"""Read rows on demand, only the needed columns and row groups, and assign ids to labels.

It uses `pyarrow.dataset`. Every page is checked against its checksum, if the file has any, and
errors name the file.

The id of a label, for losses and metrics, is the position of its name. The names of a release come
from `hierarchy.parquet` and `landmarks.parquet`, so a label has the same id in every split and
selection, with or without images there. Train and index use the same numbers for different
landmarks, so their landmarks get separate ids; queries use those of the index. Names that only
filled labels have come last, so that ids are the same with and without fills.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
import pyarrow.fs

from hgld.errors import DamagedError, HgldError, InputError
from hgld.tables import BY_CLASS

LANDMARK, SUPERCATEGORY, SIDE = "landmark_id", "hierarchical_label", "natural_or_human_made"
RELEASE_LEVELS = (LANDMARK, SUPERCATEGORY, SIDE)
"""Levels of a release, finest first."""

_OPTIONS = pds.ParquetFragmentScanOptions(pre_buffer=True, page_checksum_verification=True)
PARQUET = pds.ParquetFileFormat(default_fragment_scan_options=_OPTIONS)
"""Parquet format that reads nearby ranges at once and verifies checksums."""


@dataclass(slots=True)
class RowSource:
    """The rows of some files or of a table, opened on demand."""

    files: Sequence[str]
    """Names of the files or of the table, for errors, in the order of the rows."""
    opener: Callable[[], pds.Dataset]
    _opened: pds.Dataset | None = field(default=None, init=False)

    @property
    def schema(self) -> pa.Schema:
        """The columns; opens the first file if needed.

        Raises:
            HgldError: it cannot be read.
        """
        return self._dataset().schema

    def count(self, chosen: pc.Expression | None) -> int:
        """Returns the number of rows, or of those that meet a condition.

        Raises:
            HgldError: a file cannot be read.
        """
        with self._told(None, chosen):
            return int(self._dataset().count_rows(filter=chosen))

    def table(
        self, columns: Sequence[str] | None = None, chosen: pc.Expression | None = None
    ) -> pa.Table:
        """Returns rows, in their order.

        Args:
            columns: names; None: all.
            chosen: a condition; row groups that cannot meet it are not read.

        Raises:
            HgldError: a file cannot be read.
        """
        names = None if columns is None else list(columns)
        with self._told(names, chosen):
            return self._dataset().to_table(columns=names, filter=chosen)

    def _dataset(self) -> pds.Dataset:
        if self._opened is None:
            with self._told(None, None):
                self._opened = self.opener()
        return self._opened

    @contextlib.contextmanager
    def _told(self, columns: list[str] | None, chosen: pc.Expression | None) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            raise unreadable(self._culprit(columns, chosen), error) from error

    def _culprit(self, columns: list[str] | None, chosen: pc.Expression | None) -> str:
        """Finds the file that cannot be read, which Arrow's errors do not always name."""
        if self._opened is None:
            return self.files[0]
        fragments = self._opened.get_fragments()
        for name, fragment in zip(self.files, fragments, strict=False):
            try:
                fragment.to_table(columns=columns, filter=chosen)
            except (pa.ArrowInvalid, OSError):
                return name
        return ", ".join(self.files)


def parquet_rows(files: Sequence[str], opened: Callable[[], Sequence[object]]) -> RowSource:
    """Returns the rows of parquet files with one schema.

    Args:
        files: their names, for errors; one or more.
        opened: returns the path of each file, or the open file.
    """

    def opener() -> pds.Dataset:
        local = pa.fs.LocalFileSystem()
        there = ((one, local if isinstance(one, str) else None) for one in opened())
        fragments = [PARQUET.make_fragment(*one) for one in there]
        return pds.FileSystemDataset(fragments, fragments[0].physical_schema, PARQUET)

    return RowSource(files, opener)


def unreadable(name: str, error: Exception) -> HgldError:
    """Translates an error of Arrow for a file."""
    text = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name} does not exist; check the path")
    if "magic bytes" in text or "Parquet file size is" in text:
        return InputError(f"{name} is not a parquet file, or is incomplete; fetch it again")
    return DamagedError(f"{name} is damaged ({text[:300]}); fetch it or make it again")


def levels_of(levels: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the columns of levels; None: those of a release.

    Raises:
        TypeError: levels is a single text, which would be a sequence of its letters.
        ValueError: levels is empty.
    """
    if levels is None:
        return RELEASE_LEVELS
    if isinstance(levels, str):
        raise TypeError(f"levels must be a sequence of names, got one text: write ({levels!r},)")
    if not levels:
        raise ValueError("levels must name at least one column, got none")
    return tuple(levels)


def sorted_names(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Returns the distinct values of some columns, sorted, without nulls.

    Raises:
        InputError: they are neither text nor integers.
    """
    chunks = [chunk for column in columns for chunk in as_names(column).chunks]
    if not chunks:
        return pa.array([], pa.string())
    if len({chunk.type for chunk in chunks}) > 1:
        raise InputError("a level must be text in every split or integers in every split")
    values = pc.unique(pa.chunked_array(chunks)).drop_null()
    return values.take(pc.sort_indices(values))


def as_names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns labels as strings or int64, from any Arrow type of text, integer or boolean.

    Raises:
        InputError: they are neither text nor integers.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) or is_text(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(kind).cast(pa.int64())
    raise InputError(f"a level must have text or integers, got {kind}")


def is_text(kind: pa.DataType) -> bool:
    """Says whether a type is text."""
    views = pa.types.is_string_view(kind)
    return bool(views or pa.types.is_string(kind) or pa.types.is_large_string(kind))


@dataclass(frozen=True, slots=True)
class ReleaseNames:
    """Names from the tables of a release."""

    hierarchy: RowSource
    landmarks: RowSource
    has_fills: bool = False
    """Whether filled labels are read."""
    _known: dict[tuple[str, str], pa.Array | None] = field(default_factory=dict, init=False)

    def of(self, split: str, column: str) -> pa.Array | None:
        """Returns the names of a level, or None if no table has that column.

        Args:
            split: train, index or test.
            column: the column of the level.
        """
        key = (_space(split) if column == LANDMARK else "", column)
        if key not in self._known:
            self._known[key] = self._found(*key)
        return self._known[key]

    def labels_of(self, split: str, landmarks: Sequence[str | int]) -> list[str]:
        """Returns the super-categories of some landmarks.

        Args:
            split: train, index or test.
            landmarks: their ids; unknown or unlabelled ones are ignored.
        """
        is_wanted = pc.field(LANDMARK).isin(pa.array(landmarks, pa.int64()))
        is_wanted &= pc.field("split") == _space(split)
        rows = self.landmarks.table([SUPERCATEGORY], is_wanted)
        return [str(one) for one in pc.unique(rows[SUPERCATEGORY]).drop_null().to_pylist()]

    def _found(self, space: str, column: str) -> pa.Array | None:
        is_by_class = pc.field("method") == BY_CLASS
        if column in (SUPERCATEGORY, SIDE):
            names = sorted_names([self.hierarchy.table([column])[column]])
        elif column in self.landmarks.schema.names:
            names = self._of_landmarks(space, column, is_by_class)
        else:
            return None
        if not self.has_fills:
            return names
        filled = self._of_landmarks(space, column, ~is_by_class)
        more = filled.filter(pc.invert(pc.is_in(filled, value_set=names)))
        return pa.concat_arrays([names, more])

    def _of_landmarks(self, space: str, column: str, chosen: pc.Expression) -> pa.Array:
        """Returns the names in a column of the labelled landmarks."""
        chosen &= pc.field(SUPERCATEGORY).is_valid()
        if space:
            chosen &= pc.field("split") == space
        return sorted_names([self.landmarks.table([column], chosen)[column]])


def _space(split: str) -> str:
    """Returns the label space of a split."""
    return "train" if split == "train" else "index"
