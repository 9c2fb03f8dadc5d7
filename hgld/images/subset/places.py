"""Where in its tar a picture lies, by the index of an earlier run or of somebody else.

A run that reads a whole tar writes down where its pictures are (`images/tar_index/`). Whoever has
that, from a run of their own or from a release (`tar_index` in the settings), fetches one picture
of a tar of 1 GB by one request. It is believed only as far as the MD5 of the tar and the SHA-256
of the picture are right.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.images.bringing.fetch import PublishedTar
from hgld.images.rows import chosen, read_side, side_path
from hgld.tables import TAR_INDEX_SCHEMA

_COLUMNS = ["image_id", "tar", "offset", "size", "sha256", "tar_md5"]


@dataclass(slots=True)
class TarPlaces:
    """The indexes at hand."""

    workspace: Workspace
    given: Path | None = None
    """A parquet file, or a folder with such files; None: only what this build has found itself."""
    _given: pa.Table | None = field(default=None, init=False)

    def knows_all_of(self, tar: PublishedTar) -> bool:
        """Says whether every picture of a tar is known."""
        return self._own(tar) is not None

    def of(self, tar: PublishedTar, ids: Collection[str]) -> dict[str, dict[str, object]]:
        """Returns where pictures lie in a tar, by their ids; those that are not known are left out.

        Raises:
            InputError: the index that was given is none.
        """
        own = self._own(tar)
        table = self._of_given(tar) if own is None else own
        return {str(row["image_id"]): row for row in chosen(table, ids).to_pylist()}

    def sizes(self, split: str, ids: Collection[str]) -> dict[str, int]:
        """Returns how large pictures are, as far as an index tells, of whatever tars it is.

        Raises:
            InputError: the index that was given is none.
        """
        folder = self.workspace.path(f"images/tar_index/{split}")
        own = (read_side(path) for path in sorted(folder.glob("*.parquet")))
        given = [_read_index(self.given)] if self.given else []
        tables = [chosen(table, ids) for table in (*own, *given) if table is not None]
        return {
            image_id: size
            for table in tables
            for image_id, size in zip(
                *(table[name].to_pylist() for name in ("image_id", "size")), strict=True
            )
        }

    def _own(self, tar: PublishedTar) -> pa.Table | None:
        table = read_side(side_path(self.workspace, "tar_index", tar))
        is_of_it = table is not None and set(table["tar_md5"].unique().to_pylist()) == {tar.md5}
        return table if is_of_it else None

    def _of_given(self, tar: PublishedTar) -> pa.Table:
        if self._given is None:
            self._given = _read_index(self.given) if self.given else _empty()
        is_of_it = pc.and_(
            pc.equal(self._given["tar"], tar.name), pc.equal(self._given["tar_md5"], tar.md5 or "")
        )
        return self._given.filter(is_of_it)


def _empty() -> pa.Table:
    return TAR_INDEX_SCHEMA.empty_table().select(_COLUMNS)


def _read_index(path: Path) -> pa.Table:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    try:
        tables = [pq.read_table(file, columns=_COLUMNS, partitioning=None) for file in files]
        table = pa.concat_tables([table.select(_COLUMNS).cast(_empty().schema) for table in tables])
        offsets, sizes = table["offset"], table["size"]
        is_right = pc.and_(pc.greater_equal(offsets, 0), pc.greater(sizes, 0))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"tar_index must be a parquet file with the columns {', '.join(_COLUMNS)}, or a folder "
            f"of such files, got {path}: {next(iter(str(error).splitlines()), '')[:200]}"
        ) from error
    return table.filter(is_right)
