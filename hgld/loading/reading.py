"""Rows that are read when they are asked for: only the columns and the row groups that are wanted.

Underneath is `pyarrow.dataset`. Every page that is read is compared with its checksum, where the
file has any, and what goes wrong is told with the name of the file.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
import pyarrow.fs

from hgld.errors import DamagedError, HgldError, InputError

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
