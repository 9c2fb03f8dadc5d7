"""Which pictures there are to embed: those of a folder, or of a split of a build."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pictures import PictureFile
from hgld.tables import IMAGE_FILES

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .tif .tiff .bmp".split()  # noqa: SIM905 - a word each
)
"""Of the names of pictures, in any case; what is in them decides whether they are any."""

_AT_A_TIME = 50_000

LISTING_SCHEMA = pa.schema(
    [
        # of GLDv2; of a folder the path, which names a picture there
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # relative to the folder, or to the build's; null: none
        pa.field("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),  # of a folder, by which a change is seen
        pa.field("sha256", pa.string()),  # of a split, as recorded
        pa.field("error", pa.string()),  # why it cannot be embedded; null: that remains to be seen
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSource:
    """Where the pictures of an index come from."""

    folder: Path
    """Absolute: the folder of pictures, or of the build."""
    split: str = ""
    """Of the build; empty: a folder of pictures."""

    def __str__(self) -> str:
        """Returns what it is, in words."""
        return f"the split {self.split} of {self.folder}" if self.split else str(self.folder)

    def listing(self) -> pa.Table:
        """Returns its pictures, by name, as `LISTING_SCHEMA`.

        Raises:
            InputError: there is no such folder, or no picture.
            MissingInputError: the images of the split have not been fetched yet.
            DamagedError: their records are not as they were written.
        """
        table = self._of_split() if self.split else self._of_folder()
        if not len(table):
            raise InputError(
                f"{self} holds no picture to embed; "
                f"those of a folder end in {', '.join(sorted(PICTURE_SUFFIXES))}"
            )
        return table.sort_by("image_id").combine_chunks()

    def picture(self, path: str, size_bytes: int, sha256: str) -> PictureFile:
        """Returns a file of it as it was recorded or, in a folder, is now."""
        mend = "put it there again"
        if self.split:
            command = Workspace(self.folder).command(f"images --split {self.split}")
            mend = f"run {command}, which fetches it again"
        return PictureFile(path=self.folder / path, size_bytes=size_bytes, sha256=sha256, mend=mend)

    def _of_folder(self) -> pa.Table:
        if not self.folder.is_dir():
            raise InputError(
                f"--images must be a folder of pictures, got {self.folder}; check the path"
            )
        rows = _found(self.folder)
        tables = [LISTING_SCHEMA.empty_table()]
        # So many at a time, as rows of Python's take ten times the room.
        while some := list(itertools.islice(rows, _AT_A_TIME)):
            tables.append(pa.Table.from_pylist(some, LISTING_SCHEMA))
        return pa.concat_tables(tables)

    def _of_split(self) -> pa.Table:
        columns = ["image_id", "path", "size_bytes", "sha256", "status", "error"]
        table = Workspace(self.folder).read(IMAGE_FILES[self.split], columns)
        # A row without id stands for a whole tar, or for a file in it that is no image.
        table = table.filter(pc.not_equal(table["image_id"], ""))
        why = pc.coalesce(table["error"], table["status"])
        error = pc.if_else(pc.equal(table["status"], "ok"), pa.scalar(None, pa.string()), why)
        modified = pa.nulls(len(table), pa.int64())
        table = table.drop_columns(["status", "error"])
        table = table.append_column("error", error).append_column("modified_ns", modified)
        return table.select(LISTING_SCHEMA.names).cast(LISTING_SCHEMA)


def _found(folder: Path) -> Iterator[dict[str, object]]:
    """Yields the pictures under a folder, those in linked folders too, hidden ones left out."""
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        there = os.stat(place)  # noqa: PTH116 - of many folders
        if (there.st_dev, there.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((there.st_dev, there.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of millions
            if suffix in PICTURE_SUFFIXES and not name.startswith("."):
                yield _row(os.path.join(place, name), folder)  # noqa: PTH118 - of millions


def _row(path: str, folder: Path) -> dict[str, object]:
    relative = os.path.relpath(path, folder)
    row: dict[str, object] = dict.fromkeys(LISTING_SCHEMA.names) | {"image_id": relative}
    try:
        relative.encode()
    except UnicodeEncodeError:
        shown = relative.encode("utf-8", "backslashreplace").decode()
        return row | {"image_id": shown, "error": "has a name that is not UTF-8; rename it"}
    row["path"] = relative
    try:
        found = os.stat(path)  # noqa: PTH116 - of millions
    except OSError as error:  # such as a link that leads nowhere
        return row | {"path": None, "error": f"cannot be read: {error.strerror}"}
    return row | {"size_bytes": found.st_size, "modified_ns": found.st_mtime_ns}
