"""What a search found, as one HTML page that asks no server for anything."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from hgld.errors import PictureError
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.training.index.finding.hierarchy import LEVEL_TITLES
from hgld.training.index.finding.looking import FoundPictures
from hgld.training.index.folder import EmbeddedIndex

_SIDE = 320
"""Pixels of the longer side of a picture: sharp at the size it is shown on a dense screen."""
_QUALITY = 78


class ShownPicture(NamedTuple):
    """A picture as the page has it."""

    uri: str
    """Of data; empty where there is no picture."""
    why: str
    """Why there is none."""


def search_page(index: EmbeddedIndex, searches: Sequence[FoundPictures]) -> str:
    """Returns the page of some searches; every name in it is escaped.

    A picture whose file is gone by now is a frame that says so.
    """
    environment = Environment(
        loader=PackageLoader("hgld.training.index.finding"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    files = {one.query for one in searches} | {
        found.file for one in searches for found in one.found
    }
    return environment.get_template("search.html").render(
        index=index,
        counts=index.counts(),
        searches=searches,
        titles=LEVEL_TITLES,
        pictures={file: shown_picture(file) for file in sorted(files)},
    )


def shown_picture(file: Path) -> ShownPicture:
    """Returns a picture made small, as a JPEG in a data URI."""
    try:
        image = decode_picture(file.read_bytes(), max_pixels=MOST_PIXELS, min_side=_SIDE)
    except OSError as error:
        return ShownPicture("", (error.strerror or "cannot be read").lower())
    except PictureError as error:
        return ShownPicture("", str(error))
    image.thumbnail((_SIDE, _SIDE))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY, optimize=True)
    content = base64.b64encode(written.getvalue()).decode("ascii")
    return ShownPicture(f"data:image/jpeg;base64,{content}", "")
