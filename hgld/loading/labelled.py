"""The result of `hgld.load`: the splits of a data set, with labels as numbers."""

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.errors import InputError, did_you_mean, needing
from hgld.loading.reading import LANDMARK, SUPERCATEGORY, RowSource, as_names, levels_of

if TYPE_CHECKING:
    import pandas as pd

    from hgld.loading.torch_dataset import LabelledPictures

_QUERY = "test"
_FEW = 32
_DEPTH = 3


def gldv2_place(image_id: str) -> str:
    """Returns the path of a picture in the folder of its split, as in GLDv2's tars.

    Raises:
        ValueError: the id is too short.

    Example:
        >>> gldv2_place("0123456789abcdef")
        '0/1/2/0123456789abcdef.jpg'
    """
    if len(image_id) < _DEPTH:
        mend = "for your own pictures give place=, such as place=str if the ids are paths"
        raise ValueError(f"an image id of GLDv2 must have 16 characters, got {image_id!r}; {mend}")
    return "/".join((*image_id[:_DEPTH], f"{image_id}.jpg"))


@dataclass(frozen=True, slots=True)
class LabelledSplit:
    """The images of one split, or those that meet a condition; rows are read on demand."""

    name: str
    """train, index or test, or a name in the user's own table."""
    levels: tuple[str, ...]
    """Columns of its labels, finest first."""
    image_column: str
    source: RowSource = field(repr=False)
    names_of: Callable[[str, str], pa.Array | None] = field(repr=False)
    """Split and column to the names of a level; None if the column is not a level."""
    labels_of: Callable[[str, Sequence[str | int]], list[str]] | None = field(
        default=None, repr=False
    )
    """Split and landmarks to their super-categories, if rows are sorted by super-category."""
    chosen: pc.Expression | None = None

    def __len__(self) -> int:
        """Returns N, the number of images."""
        return self.source.count(self.chosen)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.source.schema.names)

    def of(self, **values: str | int | Sequence[str | int]) -> "LabelledSplit":
        """Selects images by label: `split.of(hierarchical_label="church")`.

        Args:
            values: column to the value it must have, or to several allowed values.

        Raises:
            ValueError: there is no such column, or no such name in a level.
        """
        split = self
        for column, wanted in values.items():
            several = [wanted] if isinstance(wanted, str | int) else list(wanted)
            self._require_known(column, several)
            if column == LANDMARK and self.labels_of:
                # Rows are sorted by super-category: a landmark id rules out no row group.
                labels = self.labels_of(self.name, several)
                split = split.where(_is_one_of(SUPERCATEGORY, labels))
            split = split.where(_is_one_of(column, several))
        return split

    def where(self, condition: pc.Expression) -> "LabelledSplit":
        """Selects images by an Arrow expression, such as `pyarrow.compute.field("in_clean")`.

        Raises:
            TypeError: the condition is not an Arrow expression.
        """
        if not isinstance(condition, pc.Expression):
            like = "such as pyarrow.compute.field('in_clean')"
            raise TypeError(f"condition must be an Arrow expression {like}, got {condition!r}")
        both = condition if self.chosen is None else self.chosen & condition
        return dataclasses.replace(self, chosen=both)

    def image_ids(self) -> list[str]:
        """Returns the N image ids in the order of the rows."""
        ids = self.to_arrow([self.image_column])[self.image_column]
        return [str(one) for one in ids.to_pylist()]

    def labels(self, levels: Sequence[str] | None = None) -> NDArray[np.int64]:
        """Returns the labels for losses and metrics (use `torch.from_numpy`).

        Args:
            levels: L columns, finest first; None: `self.levels`.

        Returns:
            (N, L) int64, in the order of the rows. An id is the position of a label in `names`; -1
            stands for a label that an image does not have, at any level but the finest.

        Raises:
            ValueError: an image has no label at the finest level, or there is no such level.
            InputError: a label of an image is not in the hierarchy.
        """
        wanted = levels_of(self.levels if levels is None else levels)
        rows = self.to_arrow(list(dict.fromkeys(wanted)))
        ids = np.empty((len(rows), len(wanted)), dtype=np.int64)
        for place, column in enumerate(wanted):
            found = self._ids(rows[column], column, may_lack=place > 0)
            ids[:, place] = found.to_numpy()
        return ids

    def names(self, level: str) -> tuple[str, ...]:
        """Returns the name of each id of a level; landmark ids as text.

        Raises:
            ValueError: there is no such level.
        """
        return tuple(str(one) for one in self._names(level).to_pylist())

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows as an Arrow table; None: all columns.

        Raises:
            ValueError: there is no such column.
            HgldError: a file cannot be read.
        """
        for column in columns or ():
            self._require(column)
        return self.source.table(columns, self.chosen)

    def to_pandas(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Returns the rows as a pandas frame; None: all flat columns (nested ones repeat them).

        Raises:
            ValueError: there is no such column.
            HgldError: a file cannot be read.
        """
        if columns is None:
            schema = self.source.schema
            columns = [one.name for one in schema if not pa.types.is_nested(one.type)]
        frame: pd.DataFrame = self.to_arrow(columns).to_pandas()
        return frame

    def torch(
        self,
        images: str | Path,
        transform: Callable[[Any], Any] | None = None,
        *,
        levels: Sequence[str] | None = None,
        place: Callable[[str], str] = gldv2_place,
    ) -> "LabelledPictures":
        """Returns the pictures with their labels as a `torch.utils.data.Dataset`.

        Args:
            images: folder of the pictures, or parent folder of the splits.
            transform: converts an upright RGB Pillow image, for example to a tensor; None: items
                hold the image itself. Spawned workers pickle it.
            levels: see `labels`.
            place: maps an image id to the path of its file in the folder.

        Raises:
            InputError: the folder or the first picture is missing.
            ValueError: see `labels`.
            ModuleNotFoundError: torch is not installed.
        """
        with needing("train", "LabelledSplit.torch", kind=ModuleNotFoundError):
            from hgld.loading.torch_dataset import LabelledPictures

        own = Path(images) / self.name
        files = [place(one) for one in self.image_ids()]
        folder = own if own.is_dir() else Path(images)
        return LabelledPictures(folder, files, self.labels(levels), transform)

    def _ids(self, column: pa.ChunkedArray, level: str, *, may_lack: bool) -> pa.ChunkedArray:
        if column.null_count and not may_lack:
            what = f"{column.null_count:,} of {len(column):,} images of {self.name} have no {level}"
            mend = f".where(pyarrow.compute.field({level!r}).is_valid())"
            raise ValueError(f"{what}; select those that have one: {mend}")
        values = as_names(column)
        ids = pc.index_in(values, value_set=self._names(level))
        if ids.null_count > values.null_count:
            foreign = values.filter(pc.and_(pc.is_null(ids), pc.is_valid(values)))[0].as_py()
            what = f"{level} {foreign!r} of {self.name} is not in the tables of the hierarchy"
            raise InputError(f"{what}; files of different releases are mixed: fetch them again")
        return pc.fill_null(ids, -1)

    def _names(self, level: str) -> pa.Array:
        self._require(level)
        names = self.names_of(self.name, level)
        if names is None:
            raise ValueError(f"{level!r} is not a level; levels are {', '.join(self.levels)}")
        return names

    def _require_known(self, column: str, wanted: Sequence[str | int]) -> None:
        """Checks that the column exists and, if it is a level, has these names."""
        self._require(column)
        names = self.names_of(self.name, column) if column in self.levels else None
        known = set(wanted if names is None else names.to_pylist())
        for one in wanted:
            if one not in known:
                hint = did_you_mean(one, known)
                raise ValueError(f"{column} must be one of {len(known):,} names, got {one!r}{hint}")

    def _require(self, column: str) -> None:
        if column not in self.columns:
            there = ", ".join(self.columns)
            raise ValueError(f"{self.name} has no column {column!r}; it has {there}")


def _is_one_of(column: str, values: Sequence[str | int]) -> pc.Expression:
    """Returns a condition for which Arrow skips row groups.

    With `isin`, some versions of Arrow (17) do not skip any.
    """
    if not values:
        return pc.scalar(False)
    if len(values) > _FEW:
        return pc.field(column).isin(list(values))
    return functools.reduce(operator.or_, (pc.field(column) == value for value in values))


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The splits of a data set, with the tree of its labels; returned by `hgld.load`."""

    where: str
    """Name of the source, for errors."""
    splits: Mapping[str, LabelledSplit]
    hierarchy_source: RowSource | None = field(default=None, repr=False)
    landmarks_source: RowSource | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> LabelledSplit:
        """Returns a split by its name; `query` is `test`.

        Raises:
            InputError: there is no such split.
        """
        split = self.splits.get(_QUERY if name == "query" else name)
        if split is None:
            raise InputError(f"{self.where} has no split {name!r}; it has {', '.join(self.splits)}")
        return split

    @property
    def train(self) -> LabelledSplit:
        """The training images."""
        return self["train"]

    @property
    def index(self) -> LabelledSplit:
        """The searched images."""
        return self["index"]

    @property
    def query(self) -> LabelledSplit:
        """The query images, GLDv2's test split."""
        return self["query"]

    @property
    def hierarchy(self) -> pa.Table:
        """The labels that come from classes, one row each, with their counts.

        Raises:
            InputError: the source has no hierarchy.
        """
        return self._table(self.hierarchy_source, "hierarchy")

    @property
    def landmarks(self) -> pa.Table:
        """All landmarks, one row each, with or without a label; `rule` is filled for fills.

        Raises:
            InputError: the source has no table of landmarks.
        """
        return self._table(self.landmarks_source, "table of landmarks")

    def _table(self, source: RowSource | None, what: str) -> pa.Table:
        if source is None:
            raise InputError(f"{self.where} has no {what}; load the folder of a build or release")
        return source.table()
