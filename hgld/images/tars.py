"""What lies in one of GLDv2's tars, read without trusting the tar.

The headers are read here and not by `tarfile`, which follows what they say: an extended header may
rename what comes after it, declare 3 GB of a sparse file in 10 KB, or be a gigabyte itself. An
image needs a plain header, so that every extended one that would change it refuses the member.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# `./` is how tar names the members of a folder that it was told to pack as `.`.
_MEMBER = re.compile(r"(?:\./)?([0-9a-f])/([0-9a-f])/([0-9a-f])/(\1\2\3[0-9a-f]{13})\.jpg")
_BLOCK_BYTES = 512
_EXTENDED = (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_MOST_EXTENDED_BYTES = 65_536
"""Of an extended header; one that needs more is no image's."""
_RECORD_LENGTH = re.compile(rb"([1-9][0-9]{0,5}) ")
_CHANGING = re.compile(rb"[0-9]+ (?:path|linkpath|size|GNU\.sparse\.)")
_WITHOUT_CONTENT = (
    *(tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.DIRTYPE, tarfile.FIFOTYPE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TarLimits:
    """How much a tar may hold; what it declares is measured, before anything of it is read."""

    members: int
    """Images, folders and whatever else."""
    total_bytes: int
    """Of all images together."""
    picture_bytes: int
    """Of one image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """A member of a tar: the bytes of an image, or why it is none."""

    image_id: str = ""
    """Empty where the member is no image at its own place."""
    content: bytes = b""
    offset: int = 0
    """Of the content, in bytes from the start of the tar."""
    error: str | None = None


def image_path(split: str, image_id: str) -> str:
    """Returns where an image lies, relative to the workspace.

    Example:
        >>> image_path("train", "0123456789abcdef")
        'images/train/0/1/2/0123456789abcdef.jpg'
    """
    return f"images/{split}/{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"


def read_members(path: Path, limits: TarLimits) -> Iterator[TarMember]:
    """Reads a tar, one member after the other.

    No member decides where it is written: it is known by its id alone, and one that is not a
    regular file named by the place of its id (`../evil.jpg`, a link, a sparse file) is refused, as
    is the second of a name.

    Args:
        path: an uncompressed tar.
        limits: how much it may hold.

    Yields:
        An item for each member but the folders.

    Raises:
        tarfile.TarError: it is no tar, cannot be read to its end, or holds more than it may; what
            came before is right.
    """
    seen: set[str] = set()
    left, tar_bytes = limits.total_bytes, path.stat().st_size
    is_changed = are_changed = False
    with path.open("rb") as file:
        for number, header in enumerate(_headers(file, tar_bytes), start=1):
            if number > limits.members:
                raise tarfile.ReadError(f"more than {limits.members:,} members (max_members)")
            if header.type in _EXTENDED:
                is_changed |= not _is_harmless(header, file)
                are_changed |= is_changed and header.type == tarfile.XGLTYPE
                continue
            if not header.isdir():
                is_fit = header.isreg() and not is_changed and not are_changed
                member = _member(header, file, limits, is_fit=is_fit, seen=seen)
                left -= len(member.content)
                if left < 0:
                    raise tarfile.ReadError(
                        f"images of more than {limits.total_bytes:,} bytes (max_tar_bytes)"
                    )
                yield member
            is_changed = False


def _headers(file: IO[bytes], tar_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Yields each header, with the file at what follows it; that may be read or not."""
    place = 0
    while True:
        file.seek(place)
        block = file.read(_BLOCK_BYTES)
        if block == bytes(_BLOCK_BYTES):
            return  # the end of a tar
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"no valid header at byte {place:,}: {error}") from error
        size = 0 if header.type in _WITHOUT_CONTENT else header.size
        left = tar_bytes - place - _BLOCK_BYTES
        if not 0 <= size <= left:
            raise tarfile.ReadError(
                f"{header.name[:100]!r} at byte {place:,} has {size:,} bytes, and {left:,} are left"
            )
        if header.type == tarfile.GNUTYPE_SPARSE:
            # Its map may go on in blocks that only those who trust it can skip.
            raise tarfile.ReadError(f"{header.name[:100]!r} at byte {place:,} is a sparse file")
        yield header
        place += _BLOCK_BYTES + -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def _is_harmless(header: tarfile.TarInfo, file: IO[bytes]) -> bool:
    """Says whether an extended header leaves name, size and kind of the next member alone."""
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return True  # the target of a link, and links are refused
    if header.type == tarfile.GNUTYPE_LONGNAME or header.size > _MOST_EXTENDED_BYTES:
        return False
    content = file.read(header.size)
    while content:
        length = _RECORD_LENGTH.match(content)
        if length is None or _CHANGING.match(content):
            return False
        content = content[int(length[1]) :]
    return True


def _member(
    header: tarfile.TarInfo, file: IO[bytes], limits: TarLimits, *, is_fit: bool, seen: set[str]
) -> TarMember:
    match = _MEMBER.fullmatch(header.name)
    if match is None or not is_fit or match[4] in seen:
        return TarMember(
            error=f"member {header.name!r} must be a regular file a/b/c/<16 hex digits>.jpg, in "
            f"the folders of its first letters and only once, and no extended header may change "
            f"that; it was not extracted, tell the tar's publisher"
        )
    seen.add(match[4])
    if header.size > limits.picture_bytes:
        return TarMember(
            error=f"member {header.name!r} must have at most {limits.picture_bytes:,} bytes "
            f"(max_picture_bytes), got {header.size:,}; it was not extracted, raise that in "
            f"[images] where the picture is wanted"
        )
    offset = file.tell()
    return TarMember(image_id=match[4], content=file.read(header.size), offset=offset)
