"""The result of a search, as one HTML page that asks no server for anything."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hgld.errors import PictureError
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.plots.pages import page_template
from hgld.training.index.finding import LEVEL_TITLES, FoundPictures
from hgld.training.index.folder import EmbeddedIndex

_SIDE = 320
"""Pixels of the longer side of a picture: sharp at the size it is shown on a dense screen."""
_QUALITY = 78


def search_page(index: EmbeddedIndex, searches: Sequence[FoundPictures]) -> str:
    """Returns the page of some searches; a picture whose file is gone by now is a frame."""
    files = {found.file for one in searches for found in one.found}
    files |= {one.query for one in searches}
    return page_template("hgld.training.index", "search.html.j2").render(
        index=index,
        searches=searches,
        titles=LEVEL_TITLES,
        pictures={file: _shown(file) for file in sorted(files)},
    )


def _shown(file: Path) -> tuple[str, str]:
    """Returns a small JPEG in a data URI, or an empty text and why there is none."""
    try:
        image = decode_picture(file.read_bytes(), max_pixels=MOST_PIXELS, min_side=_SIDE)
    except (OSError, PictureError) as error:
        return "", str(getattr(error, "strerror", None) or error).lower()
    image.thumbnail((_SIDE, _SIDE))
    return jpeg_uri(image, _QUALITY), ""


def jpeg_uri(image: Image.Image, quality: int) -> str:
    """Returns an image as a JPEG in a data URI."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
