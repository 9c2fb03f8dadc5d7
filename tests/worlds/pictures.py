"""Pictures of every kind that is read, and what is done to them."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image
from PIL.Image import Exif

ORIENTATION = 0x0112
SIZE = (60, 40)


def drawing() -> Image.Image:
    """Returns a picture whose four quarters differ, so that every turn of it is another picture."""
    image = Image.new("RGB", SIZE, (200, 30, 30))
    image.paste((30, 200, 30), (30, 0, 60, 20))
    image.paste((30, 30, 200), (0, 20, 30, 40))
    image.paste((220, 220, 220), (30, 20, 60, 40))
    return image


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    """Returns an image as a file of a kind that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def exif(orientation: int) -> Exif:
    """Returns EXIF data that say how a picture lies."""
    data = Exif()
    data[ORIENTATION] = orientation
    return data


def every_kind() -> dict[str, bytes]:
    """Returns a picture of each format in each of the ways that damage could tell apart."""
    noisy = np.random.default_rng(1).integers(0, 60, (*SIZE[::-1], 3)) + np.asarray(drawing()) // 2
    image = Image.fromarray(noisy.astype("uint8"))
    palette = image.convert("P")
    grey = Image.fromarray(noisy[..., 0].astype("uint16") * 257)
    return {
        "jpeg": encoded(image, "JPEG", exif=exif(6)),
        "progressive jpeg": encoded(image, "JPEG", progressive=True),
        "CMYK jpeg": encoded(image.convert("CMYK"), "JPEG"),
        "png": encoded(image, "PNG", exif=exif(3)),
        "palette png": encoded(palette, "PNG", transparency=3),
        "16-bit png": encoded(grey, "PNG"),
        "webp": encoded(image, "WEBP", exif=exif(8)),
        "lossless webp": encoded(image, "WEBP", lossless=True),
        "gif": encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]),
        "tiff": encoded(image, "TIFF", exif=exif(5)),
        "lzw tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "bmp": encoded(image, "BMP"),
        "palette bmp": encoded(palette, "BMP"),
    }


def damaged(content: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Yields damaged copies: flipped bits, many in the headers, cuts, lost and wild runs."""
    chance = random.Random(seed)
    for _ in range(count):
        copy = bytearray(content)
        way = chance.random()
        place = chance.randrange(min(len(copy), chance.choice((300, len(copy)))))
        if way < 0.5:
            for _ in range(chance.choice((1, 1, 3, 20))):
                copy[(place + chance.randrange(64)) % len(copy)] ^= 1 << chance.randrange(8)
        elif way < 0.75:
            del copy[place:]
        elif way < 0.9:
            del copy[place : place + chance.randrange(1, 200)]
        else:
            copy[place : place + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
        if copy != content:
            yield bytes(copy)


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """Returns a PNG of these chunks, with right checksums."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def png_claiming(width: int, height: int) -> bytes:
    """Returns a PNG of a hundred bytes that says it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_of((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))


def tiff_of(tags: dict[int, tuple[int, int, int]]) -> bytes:
    """Returns a little-endian TIFF: tag to its type, count and value; the pixels come after."""
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + bytes(4 + 1000)
