"""How the pictures of a tar come to their places: decoded once, digested, written whole."""

import hashlib
import io
import math
import os
import tarfile
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hgld.engine.files import atomic_file, writing
from hgld.errors import PictureError
from hgld.images.tars import TarLimits, TarMember, image_path, read_members
from hgld.pictures import decode_picture, measure_picture

# Of each thread: enough that none waits for the tar, few enough to hold in memory.
_AHEAD = 2
NOT_WANTED = "not wanted"
"""Status of a picture that was only looked up; no table holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """Which pictures of a tar are taken, as what, and how many threads look at them."""

    limits: TarLimits
    max_pixels: int
    max_bad_share: float
    """Of the pictures of a split."""
    workers: int
    longest_side: int = 0
    """In pixels; a larger picture is made that small. 0: none is."""
    quality: int = 90
    """Of the JPEG that it then becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A member of a tar: an image on the disk, or why it is not there. Fields as in IMAGE_FILES."""

    status: str
    image_id: str = ""
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    pixels: int | None = None
    error: str | None = None
    offset: int = 0
    """This and the next two: of the member in its tar, as in TAR_INDEX."""
    member_size: int = 0
    member_sha256: str = ""
    source_pixels: int | None = None
    """As it came; None unless ok."""


def extract_images(
    tar: Path, split: str, root: Path, rules: PictureRules, wanted: Collection[str] | None = None
) -> Iterator[Extracted]:
    """Writes the pictures of a tar to their places, each whole or not at all.

    What cannot be decoded is not written, and removed where an earlier tar left it. When the
    iterator ends, all pictures are on the disk.

    Args:
        tar: an uncompressed tar.
        split: `train`, `index` or `test`.
        root: the workspace.
        rules: which pictures are taken.
        wanted: ids of the only ones that are written; None: all.

    Yields:
        An item for each member but the folders, in the order of the tar.

    Raises:
        tarfile.TarError: as `read_members`; what came before is written, and has been yielded.
        InputError: an image cannot be written.
    """
    pending: deque[Future[Extracted]] = deque()
    damage: tarfile.TarError | None = None
    with ThreadPoolExecutor(rules.workers) as pool:
        try:
            for member in read_members(tar, rules.limits):
                is_wanted = wanted is None or not member.image_id or member.image_id in wanted
                work = _keep_for_now if is_wanted else _look_up
                pending.append(pool.submit(work, member, split, root, rules))
                if len(pending) > _AHEAD * rules.workers:
                    yield pending.popleft().result()
        except tarfile.TarError as error:
            damage = error
        while pending:
            yield pending.popleft().result()
    os.sync()
    if damage:
        raise damage


def keep_picture(
    member: TarMember, split: str, root: Path, rules: PictureRules, *, flush: bool = True
) -> Extracted:
    """Writes a picture to its place, whole or not at all, or says why not.

    Args:
        member: the picture.
        split: `train`, `index` or `test`.
        root: the workspace.
        rules: as what it is taken.
        flush: whether it is on the disk then; else the caller does that for many at once
            (`os.sync`), since four million calls of fsync would take hours.

    Raises:
        InputError: it cannot be written.
    """
    if member.error:
        return Extracted(status="failed", image_id=member.image_id, error=member.error)
    relative = image_path(split, member.image_id)
    target = root / relative
    seen = _look_up(member, split, root, rules)
    try:
        size = measure_picture(member.content, max_pixels=rules.max_pixels)
        content, written = member.content, size
        if 0 < rules.longest_side < max(size):
            content, written = _shrunk(content, size, rules)
    except PictureError as error:
        with writing(target):
            target.unlink(missing_ok=True)
        return replace(seen, status="bad", pixels=error.pixels, error=str(error))
    with writing(target), atomic_file(target, flush=flush) as temporary:
        temporary.write_bytes(content)
    return replace(
        seen,
        status="ok",
        path=relative,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=math.prod(written),
        source_pixels=math.prod(size),
    )


def _keep_for_now(member: TarMember, split: str, root: Path, rules: PictureRules) -> Extracted:
    return keep_picture(member, split, root, rules, flush=False)


def _look_up(member: TarMember, _split: str, _root: Path, _rules: PictureRules) -> Extracted:
    return Extracted(
        status=NOT_WANTED,
        image_id=member.image_id,
        offset=member.offset,
        member_size=len(member.content),
        member_sha256=hashlib.sha256(member.content).hexdigest(),
    )


def _shrunk(
    content: bytes, size: tuple[int, int], rules: PictureRules
) -> tuple[bytes, tuple[int, int]]:
    """Returns a picture whose longest side is `rules.longest_side`, and its size.

    It is an upright RGB JPEG without metadata. The same bytes and settings give the same bytes,
    under the same Pillow.
    """
    from PIL import Image

    shortest = math.ceil(min(size) * rules.longest_side / max(size))
    # A JPEG may be decoded at a half or less, as long as twice the pixels are left to filter.
    image = decode_picture(content, max_pixels=rules.max_pixels, min_side=2 * shortest)
    scale = rules.longest_side / max(image.size)
    small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    file = io.BytesIO()
    image.resize(small, Image.Resampling.LANCZOS).save(file, "JPEG", quality=rules.quality)
    return file.getvalue(), small
