"""Extract pictures from one of GLDv2's tars without trusting it.

This module reads the headers itself, because `tarfile` obeys them: an extended header can rename
the next member, declare a sparse file of 3 GB in 10 KB, or be 1 GB itself. An image needs only a
plain header, so a member that an extended header would change is refused.
"""

import hashlib
import io
import math
import os
import re
import tarfile
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hgld.engine.files import atomic_file, writing
from hgld.errors import PictureError
from hgld.images.config import ImagesConfig
from hgld.pictures import decode_picture, measure_picture

_THREADS = 4  # that decode and write pictures
_AHEAD = 2 * _THREADS  # enough that no thread waits for the tar, few enough for memory
_MOST_MEMBERS = 100_000  # of a tar, with folders; GLDv2's have about 8,300 images
_QUALITY = 90  # of a shrunk JPEG
MOST_PICTURE_BYTES = 50_000_000
"""Maximum size of one picture, which is held in memory; GLDv2's have about 120 kB."""

# Members have the prefix `./` if tar packed the folder `.`.
_MEMBER = re.compile(r"(?:\./)?([0-9a-f])/([0-9a-f])/([0-9a-f])/(\1\2\3[0-9a-f]{13})\.jpg")
_BLOCK_BYTES = 512
_EXTENDED = (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_MOST_EXTENDED_BYTES = 65_536
"""Maximum size of an extended header; an image needs less."""
_RECORD_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")
_CHANGING = re.compile(rb"[0-9]+ (?:path|linkpath|size|GNU\.sparse\.)")
_WITHOUT_CONTENT = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.DIRTYPE, tarfile.FIFOTYPE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """A member of a tar: the bytes of an image, or why it is not one."""

    image_id: str = ""
    """Empty if the member is not an image in its right place."""
    content: bytes = b""
    error: str | None = None


def image_path(split: str, image_id: str) -> str:
    """Returns the path of an image, relative to the workspace.

    Example:
        >>> image_path("train", "0123456789abcdef")
        'images/train/0/1/2/0123456789abcdef.jpg'
    """
    return f"images/{split}/{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"


def read_members(path: Path) -> Iterator[TarMember]:
    """Reads the members of a tar in order.

    A member does not decide where it is written: only its id does. One that is not a regular file
    at the path of its id (`../evil.jpg`, a link, a sparse file) is refused, and so is a duplicate.

    Args:
        path: an uncompressed tar.

    Yields:
        An item for each member except folders.

    Raises:
        tarfile.TarError: it is not a tar, cannot be read to its end, or has too many members;
            earlier items are valid.
    """
    seen: set[str] = set()
    tar_bytes = path.stat().st_size
    is_changed = are_changed = False
    with path.open("rb") as file:
        for number, header in enumerate(_headers(file, tar_bytes), start=1):
            if number > _MOST_MEMBERS:
                raise tarfile.ReadError(f"more than {_MOST_MEMBERS:,} members")
            if header.type in _EXTENDED:
                is_changed |= not _is_harmless(header, file)
                are_changed |= is_changed and header.type == tarfile.XGLTYPE
                continue
            if not header.isdir():
                is_fit = header.isreg() and not is_changed and not are_changed
                yield _member(header, file, is_fit=is_fit, seen=seen)
            is_changed = False


def _headers(file: IO[bytes], tar_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Yields each header, with the file positioned after it; the caller may read on or not."""
    place = 0
    while True:
        file.seek(place)
        block = file.read(_BLOCK_BYTES)
        if block == bytes(_BLOCK_BYTES):
            return  # end of the tar
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"no valid header at byte {place:,}: {error}") from error
        size = 0 if header.type in _WITHOUT_CONTENT else header.size
        left = tar_bytes - place - _BLOCK_BYTES
        if not 0 <= size <= left:
            what = f"{header.name[:100]!r} at byte {place:,}"
            raise tarfile.ReadError(f"{what} has {size:,} bytes, but {left:,} are left")
        if header.type == tarfile.GNUTYPE_SPARSE:
            # Its map may continue in blocks that cannot be skipped without trusting it.
            raise tarfile.ReadError(f"{header.name[:100]!r} at byte {place:,} is a sparse file")
        yield header
        place += _BLOCK_BYTES + -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def _is_harmless(header: tarfile.TarInfo, file: IO[bytes]) -> bool:
    """Says whether an extended header does not change name, size and type of the next member."""
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return True  # only the target of a link, and links are refused
    if header.type == tarfile.GNUTYPE_LONGNAME or header.size > _MOST_EXTENDED_BYTES:
        return False
    content = file.read(header.size)
    while content:
        length = _RECORD_LENGTH.match(content)
        if length is None or _CHANGING.match(content):
            return False
        content = content[int(length[1]) :]
    return True


def _member(header: tarfile.TarInfo, file: IO[bytes], *, is_fit: bool, seen: set[str]) -> TarMember:
    match = _MEMBER.fullmatch(header.name)
    if match is None or not is_fit or match[4] in seen:
        must = "a unique regular file a/b/c/<16 hex digits>.jpg, changed by no extended header"
        return TarMember(error=f"member {header.name!r} must be {must}; it was not extracted")
    seen.add(match[4])
    if header.size > MOST_PICTURE_BYTES:
        must = f"at most {MOST_PICTURE_BYTES:,} bytes, got {header.size:,}"
        return TarMember(error=f"member {header.name!r} must have {must}; it was not extracted")
    return TarMember(image_id=match[4], content=file.read(header.size))


@dataclass(frozen=True, slots=True)
class Extracted:
    """An image on the disk, or why it was not written; fields as in IMAGE_FILES."""

    status: str
    image_id: str = ""
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    error: str | None = None


def extract_images(
    tar: Path, split: str, root: Path, config: ImagesConfig, wanted: Collection[str] | None = None
) -> Iterator[Extracted]:
    """Writes the pictures of a tar, each atomically.

    A picture that cannot be decoded is not written, and an earlier copy of it is removed. When the
    iterator ends, all pictures are on the disk.

    Args:
        tar: an uncompressed tar.
        split: `train`, `index` or `test`.
        root: the workspace.
        config: the settings.
        wanted: ids of the pictures to write; None: all.

    Yields:
        An item for each wanted picture and each refused member, in the order of the tar.

    Raises:
        tarfile.TarError: see `read_members`; earlier pictures are written and yielded.
        InputError: an image cannot be written.
    """
    pending: deque[Future[Extracted]] = deque()
    damage: tarfile.TarError | None = None
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for member in read_members(tar):
                if member.image_id and wanted is not None and member.image_id not in wanted:
                    continue
                pending.append(pool.submit(keep_picture, member, split, root, config, flush=False))
                if len(pending) > _AHEAD:
                    yield pending.popleft().result()
        except tarfile.TarError as error:
            damage = error
        while pending:
            yield pending.popleft().result()
    os.sync()
    if damage:
        raise damage


def keep_picture(
    member: TarMember, split: str, root: Path, config: ImagesConfig, *, flush: bool = True
) -> Extracted:
    """Writes a picture atomically, or returns why not.

    Args:
        member: the picture.
        split: `train`, `index` or `test`.
        root: the workspace.
        config: the settings.
        flush: whether to flush it to the disk; otherwise the caller does so for many at once
            (`os.sync`), because four million calls of fsync would take hours.

    Raises:
        InputError: it cannot be written.
    """
    if member.error:
        return Extracted("failed", member.image_id, error=member.error)
    relative = image_path(split, member.image_id)
    target, content = root / relative, member.content
    try:
        size = measure_picture(content)
        if 0 < config.longest_side < max(size):
            content = _shrunk(content, size, config.longest_side)
    except PictureError as error:
        with writing(target):
            target.unlink(missing_ok=True)
        return Extracted("bad", member.image_id, error=str(error))
    with writing(target), atomic_file(target, flush=flush) as temporary:
        temporary.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Extracted("ok", member.image_id, relative, len(content), sha256)


def _shrunk(content: bytes, size: tuple[int, int], longest_side: int) -> bytes:
    """Shrinks a picture to this longest side: an upright RGB JPEG without metadata.

    With the same version of Pillow, the same input gives the same bytes.
    """
    from PIL import Image

    shortest = math.ceil(min(size) * longest_side / max(size))
    # Decode a JPEG at a reduced size if that leaves at least twice the pixels to filter.
    image = decode_picture(content, min_side=2 * shortest)
    scale = longest_side / max(image.size)
    small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    file = io.BytesIO()
    image.resize(small, Image.Resampling.LANCZOS).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
