"""Which pictures there are to embed: those of a folder, or of a split of a build."""

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
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
)
"""Endings of the names of pictures, in any case; their content decides whether they are any."""

LISTING_SCHEMA = pa.schema(
    [
        # of GLDv2; in a folder the path, which names a picture there
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # relative to the folder, or to the build; null: no file
        pa.field("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),  # only in a folder, where it shows a change
        pa.field("sha256", pa.string()),  # only of a split, as recorded
        pa.field("error", pa.string()),  # why it cannot be embedded; null: nothing known yet
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
            DamagedError: their records changed since they were written.
        """
        table = self._of_split() if self.split else self._of_folder()
        if not len(table):
            endings = ", ".join(sorted(PICTURE_SUFFIXES))
            what = f"{self} holds no picture to embed"
            raise InputError(f"{what}; those of a folder end in {endings}")
        return table.sort_by("image_id")

    def picture(self, path: str, size_bytes: int, sha256: str) -> PictureFile:
        """Returns a file of it, to be checked against its record when it is read."""
        mend = "run the same again"
        if self.split:
            command = Workspace(self.folder).command(f"images --split {self.split}")
            mend = f"run {command}, which fetches it again"
        return PictureFile(path=self.folder / path, size_bytes=size_bytes, sha256=sha256, mend=mend)

    def _of_folder(self) -> pa.Table:
        if not self.folder.is_dir():
            what = f"--images must be a folder of pictures, got {self.folder}"
            raise InputError(f"{what}; check the path")
        columns = [list(column) for column in zip(*_pictures_in(self.folder), strict=True)]
        table = pa.table(columns or [[]] * 5, [*LISTING_SCHEMA.names[:4], "error"])
        none = pa.nulls(len(table), pa.string())
        return table.append_column("sha256", none).select(LISTING_SCHEMA.names).cast(LISTING_SCHEMA)

    def _of_split(self) -> pa.Table:
        columns = ["image_id", "path", "size_bytes", "sha256", "status", "error"]
        table = Workspace(self.folder).read(IMAGE_FILES[self.split], columns)
        # A row without id stands for a whole tar, or for a file in it that is no image.
        table = table.filter(pc.not_equal(table["image_id"], ""))
        why = pc.coalesce(table["error"], table["status"])
        is_ok = pc.equal(table["status"], "ok")
        error = pc.if_else(is_ok, pa.scalar(None, pa.string()), why)
        table = table.set_column(table.schema.get_field_index("error"), "error", error)
        table = table.append_column("modified_ns", pa.nulls(len(table), pa.int64()))
        return table.select(LISTING_SCHEMA.names).cast(LISTING_SCHEMA)


def picture_source(workspace: Workspace, images: Path | None, split: str | None) -> PictureSource:
    """Returns what is to be embedded: a folder of pictures, or a split of the build.

    Raises:
        InputError: neither is given, or both, or there is no such split.
    """
    if (images is None) == (split is None):
        what = "only one of the two can be" if images is not None else "what to embed must be"
        raise InputError(
            f"{what} given: --images FOLDER for the pictures of a folder, or --split train, index "
            f"or test for those of {workspace.root}"
        )
    if images is not None:
        return PictureSource(folder=images.resolve())
    if split not in IMAGE_FILES:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    return PictureSource(folder=workspace.root.resolve(), split=split)


_Row = tuple[str, str | None, int | None, int | None, str | None]


def _pictures_in(folder: Path) -> Iterator[_Row]:
    """Yields the pictures under a folder, also in linked folders, without hidden ones."""
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        there = Path(place).stat()
        if (there.st_dev, there.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((there.st_dev, there.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of millions
            if suffix in PICTURE_SUFFIXES and not name.startswith("."):
                yield _row(f"{place}/{name}", folder)


def _row(path: str, folder: Path) -> _Row:
    """Returns image id, path, size, time and error of a picture in a folder."""
    relative = os.path.relpath(path, folder)
    name = relative.encode("utf-8", "backslashreplace").decode()
    if name != relative:
        return name, None, None, None, "has a name that is not UTF-8; rename it"
    try:
        found = os.stat(path)  # noqa: PTH116 - of millions
    except OSError as error:  # such as a link that leads nowhere
        return name, None, None, None, f"cannot be read: {error.strerror}"
    return name, name, found.st_size, found.st_mtime_ns, None
