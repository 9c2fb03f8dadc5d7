import io
import logging
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from hgld.errors import PictureError
from hgld.pictures import MAX_PIXELS, convert_picture, decode_picture, measure_picture
from tests.worlds import pictures
from tests.worlds.pictures import SIZE, drawing, encoded, every_kind, exif, png_claiming

TURNS = (
    *("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE"),
    *("ROTATE_90", "TRANSVERSE", "ROTATE_270"),
)
"""How a camera stores the drawing that was held so that the orientation is 2, 3 and so on."""


def is_near(image: Image.Image, other: Image.Image) -> bool:
    """Compares the middle of each quarter."""
    width, height = image.size
    first, second = (np.asarray(one).astype(int) for one in (image, other))
    middles = np.s_[height // 4 :: height // 2, width // 4 :: width // 2]
    return first.shape == second.shape and bool((abs(first - second)[middles] <= 12).all())


@pytest.mark.fault(68, "picture of an unusual kind")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [*range(10), 65535])
def test_a_picture_stands_upright_whichever_way_it_was_stored(kind: str, orientation: int) -> None:
    stored = drawing()
    if 1 < orientation < 9:  # every other one turns nothing
        stored = stored.transpose(Image.Transpose[TURNS[orientation - 2]])
    settings = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(stored, kind, exif=exif(orientation), **settings)
    with Image.open(io.BytesIO(content)) as image:
        assert image.getexif()[pictures.ORIENTATION] == orientation
    assert is_near(decode_picture(content), drawing())
    reduced = drawing().resize((30, 20)) if kind == "JPEG" else drawing()
    assert is_near(decode_picture(content, min_side=20), reduced)


@pytest.mark.fault(78, "broken EXIF data")
def test_broken_exif_data_fail_no_picture() -> None:
    whole = exif(6).tobytes()
    for broken in (b"Exif\0\0", b"Exif\0\0XX*\0junk", whole[:15], whole[:-4], b"", b"\xff" * 900):
        for kind in ("JPEG", "PNG", "WEBP"):
            image = decode_picture(encoded(drawing(), kind, exif=broken))
            assert image.size in {SIZE, SIZE[::-1]}


@pytest.mark.fault(68, "picture of an unusual kind")
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_the_colours_it_stands_for(kind: str) -> None:
    # Pillow writes the JPEG as Adobe does, inverted, and the TIFF as it is.
    assert is_near(decode_picture(encoded(drawing().convert("CMYK"), kind)), drawing())


@pytest.mark.fault(68, "picture of an unusual kind")
def test_sixteen_bits_become_their_high_byte() -> None:
    values = np.array([[0, 255, 256, 0x1234, 0x80FF, 0xFFFF]], dtype="uint16")
    grey = Image.fromarray(values)
    assert grey.mode == "I;16"
    expected = [0, 0, 1, 0x12, 0x80, 0xFF]
    big = Image.frombytes("I;16B", (6, 1), values.astype(">u2").tobytes())
    contents = [encoded(grey, "PNG"), encoded(grey, "TIFF"), encoded(big, "TIFF")]
    images = [*map(decode_picture, contents), convert_picture(grey.convert("I"))]
    for image in images:
        assert np.asarray(image).tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize(
    "image",
    [Image.new("F", (4, 4), 0.5), Image.new("I", (4, 4), 70_000), Image.new("I", (4, 4), -1)],
)
def test_greys_without_a_white_are_refused(image: Image.Image) -> None:
    with pytest.raises(PictureError, match="grey"):
        decode_picture(encoded(image, "TIFF"))


@pytest.mark.fault(68, "picture of an unusual kind")
def test_what_is_transparent_is_laid_on_white() -> None:
    white, half_red = (255, 255, 255), (255, 127, 127)
    red = Image.new("RGBA", (4, 2), (255, 0, 0, 0))
    red.paste((255, 0, 0, 128), (2, 0, 4, 2))
    palette = Image.new("P", (4, 2), 1)
    palette.putpalette([0, 0, 255, 9, 9, 9])
    palette.paste(0, (2, 0, 4, 2))
    keyed = Image.new("RGB", (4, 2), (1, 2, 3))
    for content, right in (
        (encoded(red, "PNG"), half_red),
        (encoded(palette, "PNG", transparency=1), (0, 0, 255)),
        (encoded(keyed, "PNG", transparency=(1, 2, 3)), white),
    ):
        image = decode_picture(content)
        assert image.getpixel((0, 0)) == white
        assert image.getpixel((3, 0)) == right
    assert convert_picture(Image.new("La", (1, 1))).getpixel((0, 0)) == white


@pytest.mark.fault(79, "file of another format named as a picture")
@pytest.mark.parametrize("kind", ["EPS", "ICO", "JPEG2000", "PPM", "PDF", "TGA"])
def test_other_formats_are_no_pictures(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    content = encoded(drawing(), kind)
    with pytest.raises(PictureError, match="JPEG"):
        decode_picture(content)
    assert started == []


@pytest.mark.fault(65, "pixel bomb")
def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    assert MAX_PIXELS < 9000 * 8000
    with pytest.raises(PictureError, match="9,000 x 8,000"):
        decode_picture(png_claiming(9000, 8000))
    with pytest.raises(PictureError, match="2,399"):
        decode_picture(encoded(drawing(), "BMP"), max_pixels=2399)
    assert decode_picture(encoded(drawing(), "BMP"), max_pixels=2400).size == SIZE
    tags = {256: (3, 1, 64), 257: (3, 1, 64), 258: (3, 1, 8), 259: (3, 1, 5), 262: (3, 1, 1)}
    tags |= {277: (3, 1, 1), 322: (4, 1, 30_000), 323: (4, 1, 30_000)}
    with pytest.raises(PictureError, match="tiles"):
        measure_picture(pictures.tiff_of(tags | {324: (4, 1, 200), 325: (4, 1, 900)}))


def scanned(side: int, scans: int) -> bytes:
    """Returns a progressive JPEG that repeats its last scan."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * (scans - content.count(b"\xff\xda")) + content[-2:]


@pytest.mark.parametrize("decode", [measure_picture, decode_picture])
def test_a_picture_has_only_so_many_scans_and_so_much_time(
    decode: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode(scanned(16, 100))
    with pytest.raises(PictureError, match="101 scans"):
        decode(scanned(16, 101))
    content = scanned(1000, 90)
    decode(content)
    monkeypatch.setattr("hgld.pictures.MOST_SECONDS", 0.0)
    with pytest.raises(PictureError, match="to decode"):
        decode(content)


@pytest.mark.fault(66, "damaged picture bytes")
@pytest.mark.parametrize("kind", every_kind())
def test_damaged_bytes_are_a_picture_or_one_error(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = every_kind()[kind]
    assert decode_picture(content).mode == "RGB"
    errors: list[str] = []
    for copy in pictures.damaged(content, seed=7, count=60):
        try:
            image = decode_picture(copy)
        except PictureError as error:
            errors.append(str(error))
            # The quick look of the images stage sees what the whole picture shows.
            with pytest.raises(PictureError):
                measure_picture(copy)
        else:
            assert sorted(measure_picture(copy)) == sorted(image.size)
    assert len(errors) > 8
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
