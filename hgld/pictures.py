"""What is a picture, and how it becomes pixels: one place for every stage that looks at one.

A picture is a JPEG, PNG, WebP, GIF, TIFF or BMP, by its content and not by its name; anything else
that Pillow knows (EPS starts Ghostscript) is none. It is decoded to its end, so that a truncated
one is an error, and becomes upright RGB of 8 bits:

- turned by its EXIF orientation, 1 to 8; EXIF data that cannot be read turns nothing;
- of several frames or pages, the first;
- grey, black and white, palettes, YCbCr and LAB as Pillow converts them, CMYK and YCCK too, with
  the inversion that Adobe writes in JPEG; colour profiles are not applied;
- what is transparent is laid on white;
- of 16 bits a channel the high byte. Greys of 32 bits are taken where they fit into 16, and refused
  where they do not, as are greys of floating point: nothing says which of them is white.
"""

import contextlib
import hashlib
import io
import logging
import os
import re
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hgld.errors import DamagedError, InputError, PictureError

if TYPE_CHECKING:
    from PIL import Image

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
MAX_PIXELS = 64_000_000
"""More than a full-frame camera's 61 million. They take 4 bytes each, 256 MB in all."""
MOST_PIXELS = 178_956_970
"""Pillow's own limit, above which it opens no picture."""

MOST_SCANS = 100
"""Of a JPEG: each is decoded over all of its pixels. Encoders write 20 at most; 100 of 64 million
pixels took 5 s, and a file of 414 kB can hold a thousand."""
MOST_SECONDS = 10.0
"""Of a processor, for decoding a picture: 64 million pixels take one or two."""

DECODING = 1
"""Raised when the same bytes become other pixels, so that what was made of the old is known."""

IS_GONE = "is gone"
MODIFIED = "was modified since"

_ORIENTATION = 0x0112
_TILE_SIDES = (322, 323)
# Everything that Pillow's decoders have been seen to raise on damaged bytes, and related errors.
_DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error),
)


def decode_picture(
    content: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = 0
) -> "Image.Image":
    """Decodes the bytes of a picture to upright RGB.

    Args:
        content: of a whole file.
        max_pixels: width x height of the largest picture that is decoded; looked up in the header.
        min_side: a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as
            its shorter side keeps so many pixels; 0: at its full size.

    Raises:
        PictureError: it is none, is damaged or cut short, or is too large. The text says what the
            picture is, in one line, and goes after a name.
    """
    with _told_in_words(content):
        image = _opened(content, max_pixels)
        if min_side:
            image.draft(None, (min_side, min_side))
        return _upright_rgb(image)


def measure_picture(content: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Returns width and height of a picture, after decoding it to its end to see that it can be.

    They are those of the file, before its EXIF orientation turns it.

    A JPEG is decoded at an eighth of its size: all of its bytes are read for that too, and of 6,000
    damaged pictures the same ones were found as at full size.

    Raises:
        PictureError: as `decode_picture`.
    """
    with _told_in_words(content):
        image = _opened(content, max_pixels)
        size = image.size
        image.draft(None, (1, 1))
        _upright_rgb(image)
        return size


def convert_picture(image: "Image.Image", *, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """Makes upright RGB of an image of Pillow's, which may not have been read to its end yet.

    Raises:
        PictureError: it is closed, too large, has no pixels, or cannot be read to its end.
    """
    with _told_in_words():
        _check_size(image, max_pixels)
        return _upright_rgb(image)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A picture of a build as it was recorded, which is read if it still is that."""

    path: Path
    size_bytes: int
    sha256: str
    mend: str
    """What to do where it is not, for an error's text."""

    def __str__(self) -> str:
        """Returns where it lies."""
        return str(self.path)

    def read(self) -> bytes:
        """Returns the bytes, which are those that were recorded and, by that, can be decoded.

        Raises:
            DamagedError: the file is gone, or has other bytes.
            InputError: it cannot be read.
        """
        try:
            size = self.path.stat().st_size  # that of a FIFO, which is never read to its end, is 0
            content = self.path.read_bytes() if size == self.size_bytes else b""
        except FileNotFoundError as error:
            raise DamagedError(f"{self.path} is gone; {self.mend}") from error
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {error.strerror}; mend that") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            what = (
                f"{self.path} has other bytes ({size:,}) than were recorded ({self.size_bytes:,})"
            )
            raise DamagedError(f"{what}; delete it, then {self.mend}")
        return content


def compare_files(
    paths: Iterable[Path | str], sizes: Iterable[int], since_ns: int | None = None
) -> Iterator[tuple[int, str]]:
    """Looks whether files are there and as large as they were, without reading them.

    Args:
        paths: N files.
        sizes: what each was recorded with, in bytes.
        since_ns: when they were recorded, in nanoseconds; None: does not look when they changed.

    Yields:
        The position and, in words, the state of each that is not: `IS_GONE`, its sizes, or
        `MODIFIED` where it is as large, and changed since.
    """
    for position, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        try:
            found = os.stat(path)  # noqa: PTH116 - of millions, of which a Path takes half the time
        except (FileNotFoundError, NotADirectoryError):
            yield position, IS_GONE
            continue
        if found.st_size != size:
            yield position, f"has {found.st_size:,} bytes, not the {size:,} that were written"
        elif since_ns is not None and found.st_mtime_ns > since_ns:
            yield position, MODIFIED


def _opened(content: bytes, max_pixels: int) -> "Image.Image":
    from PIL import Image

    image = Image.open(_TimedFile(content), formats=PICTURE_FORMATS)
    _check_size(image, max_pixels)
    # The marker stands nowhere in pixels; a preview in the EXIF data may add one or two.
    if image.format in {"JPEG", "MPO"} and (scans := content.count(b"\xff\xda")) > MOST_SCANS:
        raise PictureError(f"has {scans:,} scans, more than {MOST_SCANS}")
    return image


class _TimedFile(io.BytesIO):
    """The bytes of a picture, which a decoder may read only for so long.

    Pillow reads JPEG, PNG, GIF and BMP in blocks of 64 KB and looks here before each. It is the
    time of this thread, and not of the clock, so that a busy machine makes no picture bad.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._ends = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.thread_time() > self._ends:
            raise PictureError(f"takes more than {MOST_SECONDS:g} s to decode")
        return super().read(size)


def _check_size(image: "Image.Image", max_pixels: int) -> None:
    width, height = image.size
    if not width or not height:
        raise PictureError(f"has no pixels, {width} x {height}")
    if width * height > max_pixels:
        raise PictureError(f"has {width:,} x {height:,} pixels, more than {max_pixels:,}")
    # A tile is decoded whole, however little of it lies in the picture.
    tags = getattr(image, "tag_v2", {})
    tile_width, tile_height = (tags.get(tag, 1) for tag in _TILE_SIDES)
    if tile_width * tile_height > max_pixels:
        raise PictureError(f"has tiles of {tile_width:,} x {tile_height:,} pixels")


def _upright_rgb(image: "Image.Image") -> "Image.Image":
    # Before its EXIF data are looked at: they may come after the pixels, and TIFF turns itself.
    image.load()
    turn = _turn_of(image)
    upright = _rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _turn_of(image: "Image.Image") -> "Image.Transpose | None":
    from PIL.Image import Transpose

    turns = (
        *(Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM),
        *(Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    )
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
        return dict(enumerate(turns, start=2)).get(orientation)
    except _DAMAGE:
        return None


def _rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "F":
        raise PictureError("has grey values of floating point; it is not known which is white")
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _high_byte(image.convert("I"))
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _high_byte(image: "Image.Image") -> "Image.Image":
    """Makes 8 bits of the greys of an image of mode I."""
    least, greatest = image.getextrema()
    if not (isinstance(least, int | float) and isinstance(greatest, int | float)):
        raise TypeError(f"the greys of mode {image.mode} must be numbers, got {least!r}")
    if least < 0 or greatest > 0xFFFF:  # noqa: PLR2004 - what fits into 16 bits
        what = f"has grey values from {least} to {greatest}"
        raise PictureError(f"{what}; it is not known which is white, except with 16 bits")
    return image.point(lambda grey: grey * (1 / 256)).convert("L")


class _Quiet:
    """Silences Pillow's warnings and log while any thread of the process decodes.

    What they say is either an error here as well, or of no interest. `warnings.catch_warnings`
    alone is not for threads: two that overlap may leave the filters of the first behind.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decoding = 0
        self._before = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._decoding:
                self._before.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module=r"PIL\.")
                log = logging.getLogger("PIL")
                self._before.callback(log.setLevel, log.level)
                log.setLevel(logging.CRITICAL)
            self._decoding += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._decoding -= 1
            if not self._decoding:
                self._before.close()


_quiet = _Quiet()


@contextlib.contextmanager
def _told_in_words(content: bytes | None = None) -> Iterator[None]:
    """Turns whatever a decoder raises into a `PictureError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _quiet:
            yield
    except UnidentifiedImageError as error:
        begins = f" that begin with {content[:12]!r}" if content else ""
        what = f"{len(content or b''):,} bytes{begins}"
        raise PictureError(f"is no JPEG, PNG, WebP, GIF, TIFF or BMP, but {what}") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"has more than {MOST_PIXELS:,} pixels") from error
    except _DAMAGE as error:
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        # An object's address would make two runs differ.
        line = re.sub(r" at 0x[0-9a-f]+", "", line)
        raise PictureError(f"cannot be decoded: {line[:200]}") from error
