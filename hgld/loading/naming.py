"""The names of a level, whose positions are the ids that losses and metrics take.

Of a release they are those of `hierarchy.parquet` and `landmarks.parquet`, so that a label has one
id in every split, shard and filter, whether its images are there or not. Landmark ids of train and
of index are different spaces, each with names of its own; a query is of the index.

Where labels that were filled are read, too, what they alone have stands after that of the classes:
an id is the same with them and without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from hgld.errors import InputError
from hgld.loading.reading import RowSource
from hgld.tables import BY_CLASS

LANDMARK, SUPERCATEGORY, SIDE = "landmark_id", "hierarchical_label", "natural_or_human_made"
RELEASE_LEVELS = (LANDMARK, SUPERCATEGORY, SIDE)
"""Levels of a release, finest first."""

_ORIGIN = "method"
_TREE = frozenset({SUPERCATEGORY, SIDE})


def level_names(levels: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns of levels.

    Raises:
        TypeError: they are one text, which is a sequence of its letters.
        ValueError: there are none.
    """
    if isinstance(levels, str):
        raise TypeError(f"levels must be several names, got one text: write ({levels!r},)")
    if not levels:
        raise ValueError("levels must name one column or more, got none")
    return tuple(levels)


def sorted_names(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Returns the values of some columns, each once, in their order; nulls are none.

    Raises:
        InputError: they are neither texts nor whole numbers.
    """
    chunks = [chunk for column in columns for chunk in as_names(column).chunks]
    if not chunks:
        return pa.array([], pa.string())
    kinds = {chunk.type for chunk in chunks}
    if len(kinds) > 1:
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


@dataclass(slots=True)
class ReleaseNames:
    """Names from the tables of a release."""

    hierarchy: RowSource
    landmarks: RowSource
    has_fills: bool = False
    """Whether labels that were filled are read."""
    _known: dict[tuple[str, str], pa.Array] = field(default_factory=dict, init=False)

    def of(self, split: str, column: str) -> pa.Array | None:
        """Returns the names of a level, None where no table has that column.

        Args:
            split: train, index or test.
            column: of its rows.
        """
        space = ("train" if split == "train" else "index") if column == LANDMARK else ""
        if (space, column) not in self._known:
            found = self._found(space, column)
            if found is None:
                return None
            self._known[space, column] = found
        return self._known[space, column]

    def labels_of(self, split: str, landmarks: Sequence[str | int]) -> list[str]:
        """Returns the super-categories of some landmarks.

        Args:
            split: train, index or test.
            landmarks: their ids; those without a label, or unknown ones, have none.
        """
        space = "train" if split == "train" else "index"
        rows = self.landmarks.table([LANDMARK, SUPERCATEGORY], pc.field("split") == space)
        numbers = [one for one in landmarks if isinstance(one, int)]
        wanted = pc.is_in(rows[LANDMARK], value_set=pa.array(numbers, pa.int64()))
        labels = pc.unique(rows.filter(wanted)[SUPERCATEGORY]).drop_null()
        return [str(one) for one in labels.to_pylist()]

    def _found(self, space: str, column: str) -> pa.Array | None:
        is_of_tree = column in _TREE
        if is_of_tree and not self.has_fills:
            return sorted_names([self.hierarchy.table([column])[column]])
        if column not in self.landmarks.schema.names:
            return None
        by_class, filled = self._by_origin(space, column)
        if is_of_tree:
            by_class = self.hierarchy.table([column])[column]
        names = sorted_names([by_class])
        if not self.has_fills:
            return names
        more = sorted_names([filled])
        return pa.concat_arrays([names, more.filter(pc.invert(pc.is_in(more, value_set=names)))])

    def _by_origin(self, space: str, column: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Returns a column of the landmarks whose label a class gives, and of those filled.

        In a release of an earlier version, where no label says that a class gave it, they count as
        one.
        """
        chosen = pc.field(SUPERCATEGORY).is_valid()
        if space:
            chosen &= pc.field("split") == space
        tells = _ORIGIN in self.landmarks.schema.names
        columns = dict.fromkeys((column, *((_ORIGIN,) if tells else ())))
        rows = self.landmarks.table(list(columns), chosen)
        is_by_class = pc.equal(rows[_ORIGIN], BY_CLASS) if tells else None
        if is_by_class is None or not pc.any(is_by_class, min_count=0).as_py():
            return rows[column], rows[column].slice(0, 0)
        is_by_class = pc.fill_null(is_by_class, fill_value=False)
        return tuple(rows[column].filter(one) for one in (is_by_class, pc.invert(is_by_class)))


@dataclass(slots=True)
class OwnNames:
    """Names from the rows of all splits."""

    columns: Callable[[str], Sequence[pa.ChunkedArray]]
    """Gives a column of every split."""
    _known: dict[str, pa.Array] = field(default_factory=dict, init=False)

    def of(self, split: str, column: str) -> pa.Array:  # noqa: ARG002 - one space for all
        """Returns the names of a level."""
        if column not in self._known:
            self._known[column] = sorted_names(self.columns(column))
        return self._known[column]
