"""Pictures made small, and none from outside of their folder."""

import functools
import hashlib
import io
import logging
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hgld.pictures import PictureFile, decode_picture

logger = logging.getLogger(__name__)

SIDE = 240
"""Pixels of the longest side of a thumbnail."""
_KEPT = 600
_QUALITY = 80


class Thumbnails:
    """Pictures made small, the last few kept. May be used by many threads."""

    def __init__(self, file_of: Callable[[str], PictureFile | None], root: Path) -> None:
        """Takes where a picture lies, by its name, and the folder out of which none may lead."""
        self._file_of, self._root = file_of, root.resolve()
        self._small = functools.lru_cache(_KEPT)(_small_picture)

    def of(self, image_id: str) -> bytes | None:
        """Returns a picture made small, as JPEG; None where the build shows no such picture.

        That is also where its file lies outside of the build, by whatever link.

        Raises:
            DamagedError: its file is not what was recorded.
            PictureError: it cannot be decoded.
        """
        file = self._file_of(image_id)
        if file is None:
            return None
        if not file.path.resolve().is_relative_to(self._root):
            logger.warning("%s leads out of the build; it is not shown", file)
            return None
        return self._small(file)


def _small_picture(file: PictureFile) -> bytes:
    image = decode_picture(file.read(), min_side=SIDE)
    image.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def picture_answer(small: bytes, request: Request) -> Response:
    """Returns the answer to a request for a thumbnail, which a browser keeps by its tag."""
    tag = hashlib.sha256(small).hexdigest()[:16]
    headers = {"etag": f'"{tag}"', "cache-control": "private, no-cache"}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(small, media_type="image/jpeg", headers=headers)
