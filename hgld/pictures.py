"""Decode pictures: the one place for all stages that read them.

A picture is a JPEG, PNG, WebP, GIF, TIFF or BMP, by content and not by name; Pillow's other formats
are refused (EPS starts Ghostscript). It is decoded to its end, so that a truncated file is an
error, and becomes upright 8-bit RGB:

- EXIF orientations 1 to 8 are applied; unreadable EXIF data is ignored;
- only the first of several frames or pages is used;
- grey, black and white, palettes, YCbCr, LAB, CMYK and YCCK are converted by Pillow, with the
  inversion that Adobe writes in JPEG; colour profiles are not applied;
- transparent pictures are put on white;
- 16-bit channels keep their high byte. 32-bit greys are accepted if they fit into 16 bits; others,
  and floating-point greys, are refused because their white point is unknown.
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
"""Above the 61 million of a full-frame camera; at 4 bytes each, 256 MB."""
MOST_PIXELS = 178_956_970
"""Pillow's own limit, above which it opens no picture."""

MOST_SCANS = 100
"""Maximum scans of a JPEG, each of which decodes all pixels. Encoders write at most 20; 100 scans
of 64 million pixels take 5 s, and a file of 414 kB can have a thousand."""
MOST_SECONDS = 10.0
"""Maximum CPU time to decode a picture: 64 million pixels take one or two."""

DECODING = 1
"""Version of the decoding; raise it if the same bytes give other pixels."""

IS_GONE = "is gone"
MODIFIED = "was modified since"

_ORIENTATION = 0x0112
_TILE_SIDES = (322, 323)
# All errors that Pillow's decoders were seen to raise on damaged bytes, and related ones.
_DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error),
)


def decode_picture(
    content: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = 0
) -> "Image.Image":
    """Decodes the bytes of a picture to upright RGB.

    Args:
        content: the whole file.
        max_pixels: largest width x height to decode, checked in the header.
        min_side: allows decoding a JPEG at a half, quarter or eighth of its size, as long as its
            shorter side keeps this many pixels; 0: full size.

    Raises:
        PictureError: it is not a picture, is damaged or truncated, or is too large. The message is
            one line, to put after a name.
    """
    with _told_in_words(content):
        image = _opened(content, max_pixels)
        if min_side:
            image.draft(None, (min_side, min_side))
        return _upright_rgb(image)


def measure_picture(content: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Decodes a picture to its end as a check, and returns its width and height.

    They are those of the file, before the EXIF orientation is applied.

    A JPEG is decoded at an eighth of its size, which still reads all bytes: on 6,000 damaged
    pictures it found the same errors as at full size.

    Raises:
        PictureError: see `decode_picture`.
    """
    with _told_in_words(content):
        image = _opened(content, max_pixels)
        size = image.size
        image.draft(None, (1, 1))
        _upright_rgb(image)
        return size


def convert_picture(image: "Image.Image", *, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """Converts a Pillow image, which may not be fully read yet, to upright RGB.

    Raises:
        PictureError: it is closed, too large, has no pixels, or cannot be read to its end.
    """
    with _told_in_words():
        _check_size(image, max_pixels)
        return _upright_rgb(image)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A recorded picture of a build, checked against its record when it is read."""

    path: Path
    size_bytes: int
    sha256: str
    mend: str
    """What to do if it does not match, for the error."""

    def __str__(self) -> str:
        """Returns the path."""
        return str(self.path)

    def read(self) -> bytes:
        """Returns the recorded bytes, which can be decoded.

        Raises:
            DamagedError: the file is gone, or has other bytes.
            InputError: it cannot be read.
        """
        try:
            size = self.path.stat().st_size  # 0 for a FIFO, which must not be read
            content = self.path.read_bytes() if size == self.size_bytes else b""
        except FileNotFoundError as error:
            raise DamagedError(f"{self.path} is gone; {self.mend}") from error
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {error.strerror}; fix that") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            what = f"{self.path} differs from its record ({size:,} bytes, not {self.size_bytes:,})"
            raise DamagedError(f"{what}; delete it, then {self.mend}")
        return content


def compare_files(
    paths: Iterable[Path | str], sizes: Iterable[int], since_ns: int | None = None
) -> Iterator[tuple[int, str]]:
    """Checks existence, size and time of files, without reading them.

    Args:
        paths: N files.
        sizes: recorded size of each, in bytes.
        since_ns: time of the record, in nanoseconds; None: does not check times.

    Yields:
        The position and state of each file that differs: `IS_GONE`, its sizes, or `MODIFIED` if it
        has the same size but was modified since.
    """
    for position, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        try:
            # An entry of os.scandir asks the system for each file too: 1.6 times as slow.
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
    # The marker cannot occur in pixel data; a preview in the EXIF data may add one or two.
    if image.format in {"JPEG", "MPO"} and (scans := content.count(b"\xff\xda")) > MOST_SCANS:
        raise PictureError(f"has {scans:,} scans, more than {MOST_SCANS}")
    return image


class _TimedFile(io.BytesIO):
    """The bytes of a picture, which a decoder may read only for a limited time.

    Pillow reads JPEG, PNG, GIF and BMP in blocks of 64 KB, and each read checks the time. It is CPU
    time of this thread, so that a busy machine does not make pictures bad.
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
    # A tile is decoded completely, even if only a small part of it is in the picture.
    tags = getattr(image, "tag_v2", {})
    tile_width, tile_height = (tags.get(tag, 1) for tag in _TILE_SIDES)
    if tile_width * tile_height > max_pixels:
        raise PictureError(f"has tiles of {tile_width:,} x {tile_height:,} pixels")


def _upright_rgb(image: "Image.Image") -> "Image.Image":
    # Load before reading EXIF data, which may come after the pixels; and TIFF turns itself.
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
        raise PictureError("has floating-point grey values, whose white point is unknown")
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _high_byte(image.convert("I"))
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _high_byte(image: "Image.Image") -> "Image.Image":
    """Converts the greys of an image of mode I to 8 bits."""
    least, greatest = image.getextrema()
    if not (isinstance(least, int | float) and isinstance(greatest, int | float)):
        raise TypeError(f"the greys of mode {image.mode} must be numbers, got {least!r}")
    if least < 0 or greatest > 0xFFFF:  # noqa: PLR2004 - what fits into 16 bits
        what = f"has grey values from {least} to {greatest}"
        raise PictureError(f"{what}; the white point is only known for 16 bits")
    return image.point(lambda grey: grey * (1 / 256)).convert("L")


class _Quiet:
    """Silences Pillow's warnings and log while any thread of the process decodes.

    They are either also errors here or irrelevant. `warnings.catch_warnings` is not thread-safe: if
    two overlap, the filters of the first may stay in effect.
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
    """Turns all errors of a decoder into `PictureError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _quiet:
            yield
    except UnidentifiedImageError as error:
        begins = f" that begin with {content[:12]!r}" if content else ""
        what = f"{len(content or b''):,} bytes{begins}"
        raise PictureError(f"is not a JPEG, PNG, WebP, GIF, TIFF or BMP, but {what}") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"has more than {MOST_PIXELS:,} pixels") from error
    except _DAMAGE as error:
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        # An object's address would make two runs differ.
        line = re.sub(r" at 0x[0-9a-f]+", "", line)
        raise PictureError(f"cannot be decoded: {line[:200]}") from error
