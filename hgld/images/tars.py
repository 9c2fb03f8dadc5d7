"""What lies in one of GLDv2's tars, and how it gets out without trusting the tar."""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hgld.engine.files import atomic_file, writing

# `./` is how tar names the members of a folder that it was told to pack as `.`.
_MEMBER = re.compile(r"(?:\./)?([0-9a-f])/([0-9a-f])/([0-9a-f])/(\1\2\3[0-9a-f]{13})\.jpg")
_BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A member of a tar: an image on the disk, or why it was refused."""

    image_id: str = ""
    """Empty where the member is no image."""
    path: str | None = None
    """Relative to the workspace."""
    error: str | None = None


def image_path(split: str, image_id: str) -> str:
    """Returns where an image lies, relative to the workspace.

    Example:
        >>> image_path("train", "0123456789abcdef")
        'images/train/0/1/2/0123456789abcdef.jpg'
    """
    return f"images/{split}/{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"


def extract_images(path: Path, split: str, root: Path) -> Iterator[Extracted]:
    """Writes the images of a tar to their places, each whole or not at all.

    No member decides where it is written: the place is made from the id, and a member that is not
    a regular file named by that place (`../evil.jpg`, a link) is refused, as is the second of a
    name. When the iterator ends, all images are on the disk.

    Args:
        path: an uncompressed tar.
        split: `train`, `index` or `test`.
        root: the workspace.

    Yields:
        An item for each member but the folders.

    Raises:
        tarfile.TarError: it is no tar, or cannot be read to its end; what came before is written.
        InputError: an image cannot be written.
    """
    seen: set[str] = set()
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if member.isdir():
                continue
            match = _MEMBER.fullmatch(member.name)
            content = archive.extractfile(member) if member.isreg() else None
            if match is None or content is None or match[4] in seen:
                yield Extracted(error=_refusal(member))
                continue
            image_id = match[4]
            seen.add(image_id)
            target = image_path(split, image_id)
            with content:
                _write(content, root / target)
            yield Extracted(image_id=image_id, path=target)
        # To tarfile, a header that is damaged or cut short is the end of the tar.
        file.seek(archive.offset)
        if file.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES):
            raise tarfile.ReadError(f"no valid header at byte {archive.offset}")
    os.sync()


def _refusal(member: tarfile.TarInfo) -> str:
    return (
        f"member {member.name!r} must be a regular file a/b/c/<16 hex digits>.jpg, in the folders "
        f"of its first letters and only once; it was not extracted, tell the tar's publisher"
    )


def _write(content: IO[bytes], target: Path) -> None:
    # Flushed once a tar and not once an image: 4 million calls of fsync would take hours.
    with (
        writing(target),
        atomic_file(target, flush=False) as temporary,
        temporary.open("wb") as file,
    ):
        shutil.copyfileobj(content, file)
