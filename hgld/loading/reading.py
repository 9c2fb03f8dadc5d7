"""Rows that are read when they are asked for: only the columns and the row groups that are wanted.

Underneath is `pyarrow.dataset`. Every page that is read is compared with its checksum, where the
file has any, and what goes wrong is told with the name of the file.

The ids of labels are here too: the position of a name is the id that losses and metrics take. The
names of a release are those of `hierarchy.parquet` and `landmarks.parquet`: a label has one id in
every split and selection, whether it has images there or not. Train and index have different
landmarks under the same numbers, so their landmark ids are numbered apart; a query's is one of the
index. Names that only filled labels have come last: an id is the same with fills and without.
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
"""How parquet files are read: ranges that lie near each other at once, checksums compared."""


@dataclass(slots=True)
class RowSource:
    """The rows of some files, or of a table; nothing is opened before it is needed."""

    files: Sequence[str]
    """Names of the files, or the one of the table, as an error tells them; in the order of rows."""
    opener: Callable[[], pds.Dataset]
    _opened: pds.Dataset | None = field(default=None, init=False)

    @property
    def schema(self) -> pa.Schema:
        """The columns; opens the first file, where that was not done.

        Raises:
            HgldError: it cannot be read.
        """
        return self._dataset().schema

    def count(self, chosen: pc.Expression | None) -> int:
        """Returns how many rows there are, or fulfil a condition.

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
            chosen: a condition; row groups that cannot fulfil it are not read.

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
        """Returns the file that cannot be read: Arrow says what is wrong, and not always where."""
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
    """Returns the rows of parquet files of one schema.

    Args:
        files: their names, for errors; one or more.
        opened: gives for each its path, or itself open.
    """

    def opener() -> pds.Dataset:
        local = pa.fs.LocalFileSystem()
        there = ((one, local if isinstance(one, str) else None) for one in opened())
        fragments = [PARQUET.make_fragment(*one) for one in there]
        return pds.FileSystemDataset(fragments, fragments[0].physical_schema, PARQUET)

    return RowSource(files, opener)


def unreadable(name: str, error: Exception) -> HgldError:
    """Returns what it means that Arrow cannot read a file."""
    text = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name} is not there; check the path")
    if "magic bytes" in text or "Parquet file size is" in text:
        return InputError(f"{name} is no parquet file, or was cut short; fetch it again")
    what = f"{name} is not what was written there ({text[:300]})"
    return DamagedError(f"{what}; fetch it or make it again")


def levels_of(levels: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the columns of levels; None: those of a release.

    Raises:
        TypeError: they are one text, which is a sequence of its letters.
        ValueError: there are none.
    """
    if levels is None:
        return RELEASE_LEVELS
    if isinstance(levels, str):
        raise TypeError(f"levels must be several names, got one text: write ({levels!r},)")
    if not levels:
        raise ValueError("levels must name one column or more, got none")
    return tuple(levels)


def sorted_names(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Returns the values of some columns, each once, in their order; nulls are left out.

    Raises:
        InputError: they are neither texts nor whole numbers.
    """
    chunks = [chunk for column in columns for chunk in as_names(column).chunks]
    if not chunks:
        return pa.array([], pa.string())
    if len({chunk.type for chunk in chunks}) > 1:
        raise InputError("a level must be texts in every split or whole numbers in every split")
    values = pc.unique(pa.chunked_array(chunks)).drop_null()
    return values.take(pc.sort_indices(values))


def as_names(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns labels as texts, or as int64, however they are kept.

    Raises:
        InputError: they are neither texts nor whole numbers.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) or is_text(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(kind).cast(pa.int64())
    raise InputError(f"a level must hold texts or whole numbers, got {kind}")


def is_text(kind: pa.DataType) -> bool:
    """Says whether a type is one of texts."""
    views = pa.types.is_string_view(kind)
    return bool(views or pa.types.is_string(kind) or pa.types.is_large_string(kind))


@dataclass(frozen=True, slots=True)
class ReleaseNames:
    """Names from the tables of a release."""

    hierarchy: RowSource
    landmarks: RowSource
    has_fills: bool = False
    """Whether labels that were filled are read."""
    _known: dict[tuple[str, str], pa.Array | None] = field(default_factory=dict, init=False)

    def of(self, split: str, column: str) -> pa.Array | None:
        """Returns the names of a level, None where no table has that column.

        Args:
            split: train, index or test.
            column: of its rows.
        """
        key = (_space(split) if column == LANDMARK else "", column)
        if key not in self._known:
            self._known[key] = self._found(*key)
        return self._known[key]

    def labels_of(self, split: str, landmarks: Sequence[str | int]) -> list[str]:
        """Returns the super-categories of some landmarks.

        Args:
            split: train, index or test.
            landmarks: their ids; those without a label, or unknown ones, have none.
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
        """Returns the names of a column of the landmarks that have a label."""
        chosen &= pc.field(SUPERCATEGORY).is_valid()
        if space:
            chosen &= pc.field("split") == space
        return sorted_names([self.landmarks.table([column], chosen)[column]])


def _space(split: str) -> str:
    """Returns in which space the landmarks of a split are numbered."""
    return "train" if split == "train" else "index"
