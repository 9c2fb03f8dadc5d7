"""Pictures made small, and none from outside of their folder."""

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hgld.pictures import PictureFile, decode_picture

logger = logging.getLogger(__name__)

SIDE = 240
"""Pixels of the longest side of a thumbnail."""
_KEPT = 600
_QUALITY = 80


class SmallPicture(NamedTuple):
    """A thumbnail."""

    content: bytes
    """JPEG."""
    tag: str
    """Differs where the picture does."""


class Thumbnails:
    """Pictures made small, the last few kept. May be used by many threads."""

    def __init__(self, file_of: Callable[[str], PictureFile | None], root: Path) -> None:
        """Takes where a picture lies, by its name, and the folder out of which none may lead."""
        self._file_of, self._root = file_of, root.resolve()
        self._kept: OrderedDict[str, SmallPicture] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, image_id: str) -> SmallPicture | None:
        """Returns a picture made small; None where the build shows no such picture.

        That is also where its file lies outside of the build, by whatever link.

        Raises:
            DamagedError: its file is not what was recorded.
            PictureError: it cannot be decoded.
        """
        file = self._file_of(image_id)
        if file is None:
            return None
        with self._lock:
            if image_id in self._kept:
                self._kept.move_to_end(image_id)
                return self._kept[image_id]
        if not file.path.resolve().is_relative_to(self._root):
            logger.warning("%s leads out of the build; it is not shown", file)
            return None
        small = SmallPicture(small_picture(file.read()), file.sha256[:16])
        with self._lock:
            self._kept[image_id] = small
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return small


def small_picture(content: bytes) -> bytes:
    """Returns a picture as a JPEG of at most `SIDE` pixels a side.

    Raises:
        PictureError: it cannot be decoded.
    """
    image = decode_picture(content, min_side=SIDE)
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
