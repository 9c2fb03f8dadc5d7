"""How the pictures of a tar come to their places: decoded once, digested, written whole."""

import hashlib
import os
import tarfile
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import atomic_file, writing
from hgld.errors import PictureError
from hgld.images.tars import TarLimits, TarMember, image_path, read_members
from hgld.pictures import count_pixels

# Of each thread: enough that none waits for the tar, few enough to hold in memory.
_AHEAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """Which pictures of a tar are taken, and how many threads look at them."""

    limits: TarLimits
    max_pixels: int
    max_bad_share: float
    """Of the pictures of a split."""
    workers: int


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
        wanted: ids of the only ones that are looked at; None: all.

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
                if wanted is None or member.image_id in wanted:
                    pending.append(pool.submit(_keep, member, split, root, rules.max_pixels))
                if len(pending) > _AHEAD * rules.workers:
                    yield pending.popleft().result()
        except tarfile.TarError as error:
            damage = error
        while pending:
            yield pending.popleft().result()
    os.sync()
    if damage:
        raise damage


def _keep(member: TarMember, split: str, root: Path, max_pixels: int) -> Extracted:
    if member.error:
        return Extracted(status="failed", error=member.error)
    relative = image_path(split, member.image_id)
    target = root / relative
    try:
        pixels = count_pixels(member.content, max_pixels=max_pixels)
    except PictureError as error:
        with writing(target):
            target.unlink(missing_ok=True)
        return Extracted(
            status="bad", image_id=member.image_id, pixels=error.pixels, error=str(error)
        )
    # Flushed once a tar and not once an image: 4 million calls of fsync would take hours.
    with writing(target), atomic_file(target, flush=False) as temporary:
        temporary.write_bytes(member.content)
    return Extracted(
        status="ok",
        image_id=member.image_id,
        path=relative,
        size_bytes=len(member.content),
        sha256=hashlib.sha256(member.content).hexdigest(),
        pixels=pixels,
    )
