"""The demo's pictures: shape by super-category, look by landmark, view by image.

These are drawings, and results on them say nothing about photographs. They replace GLDv2's images
for a build without downloads. As in GLDv2, the pictures of a landmark differ in view, light,
weather and foreground, and landmarks of a super-category share a shape. All randomness is seeded by
names: the same landmark and image give the same picture in every process.
"""

import io
import random
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from hgld.demo.painters import draw_scene
from hgld.demo.pen import RGB, Pen

IMAGE_SIZE = 128
"""Width and height of a picture, in pixels."""

_CANVAS = 224
_NOISE_SIZE = 256
_MOST_CLUTTER = 5
_BLURRED = 0.3  # share of the views

Pixels = NDArray[np.float32]  # (height, width, 3), 0 to 255


def draw_landmark(qid: str, hierarchical_label: str) -> Image.Image:
    """Draws a landmark without a view.

    Args:
        qid: its Q-id, which determines its look.
        hierarchical_label: its super-category, which determines its shape.

    Returns:
        An RGBA image, transparent where the sky is.

    Raises:
        ValueError: the super-category has no scene.
    """
    image = Image.new("RGBA", (_CANVAS, _CANVAS), (0, 0, 0, 0))
    rng = random.Random(f"look of {qid}")  # noqa: S311 - a drawing, no secret
    draw_scene(Pen(image, rng), hierarchical_label)
    return image


def draw_view(landmark: Image.Image | None, image_id: str) -> bytes:
    """Draws a picture of a landmark from some viewpoint, in some weather, behind some clutter.

    Args:
        landmark: from `draw_landmark`, or None for a picture with only clutter.
        image_id: determines the view.

    Returns:
        A JPEG file of `IMAGE_SIZE` x `IMAGE_SIZE` pixels.
    """
    rng = random.Random(f"view {image_id}")  # noqa: S311 - a drawing, no secret
    picture = _sky(rng)
    if landmark is not None:
        seen = landmark.transform(
            picture.size, Image.Transform.AFFINE, _camera(rng), Image.Resampling.BILINEAR
        )
        picture.paste(seen, (0, 0), seen)
    _draw_clutter(picture, rng, pieces=rng.randint(0, _MOST_CLUTTER) if landmark else 9)
    if rng.random() < _BLURRED:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.3)))
    lit = _light(np.asarray(picture, dtype=np.float32), rng)
    buffer = io.BytesIO()
    Image.fromarray(lit.astype(np.uint8)).save(buffer, "JPEG", quality=rng.randint(60, 90))
    return buffer.getvalue()


def _sky(rng: random.Random) -> Image.Image:
    """Returns a sky: clear, clouded, at dusk or at night, with clouds and a far skyline."""
    skies: list[tuple[RGB, RGB]] = [
        ((90, 150, 220), (190, 215, 240)),
        ((150, 160, 170), (205, 208, 210)),
        ((120, 90, 140), (250, 180, 120)),
        ((40, 50, 90), (90, 90, 120)),
        ((170, 195, 215), (235, 235, 230)),
    ]
    upper, lower = rng.choice(skies)
    strip = Image.new("RGB", (1, 2))
    strip.putpixel((0, 0), upper)
    strip.putpixel((0, 1), lower)
    picture = strip.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.randint(0, 5)):
        x, y, width = rng.randint(-30, 110), rng.randint(-10, 60), rng.randint(20, 70)
        draw.ellipse((x, y, x + width, y + width / 3), fill=_toned((225, 228, 232), rng, 30))
    horizon = rng.randint(70, 110)
    haze = _toned((130, 140, 135), rng, 50)
    for x in range(0, IMAGE_SIZE, 16):
        draw.rectangle((x, horizon - rng.randint(0, 18), x + 16, IMAGE_SIZE), fill=haze)
    return picture


def _camera(rng: random.Random) -> tuple[float, float, float, float, float, float]:
    """Returns the affine map from a picture's pixels to the landmark's canvas."""
    zoom = _CANVAS / IMAGE_SIZE / rng.uniform(0.85, 1.7)
    squeeze, shear = rng.uniform(0.75, 1.3), rng.uniform(-0.2, 0.2)
    tilt = np.deg2rad(rng.gauss(0, 5))
    cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
    a, b = zoom * squeeze * cos, zoom * (shear - sin)
    d, e = zoom * sin, zoom * cos
    middle = IMAGE_SIZE / 2
    slack = 0.14 * _CANVAS
    x = _CANVAS / 2 + rng.uniform(-slack, slack)
    y = _CANVAS / 2 + rng.uniform(-slack, slack)
    return (a, b, x - (a + b) * middle, d, e, y - (d + e) * middle)


def _draw_clutter(picture: Image.Image, rng: random.Random, *, pieces: int) -> None:
    """Puts people, poles, bushes, cars and branches in front."""
    draw = ImageDraw.Draw(picture)
    for _ in range(pieces):
        x, y = rng.randint(0, IMAGE_SIZE), rng.randint(70, IMAGE_SIZE)
        size = rng.randint(8, 34)
        colour = (rng.randint(20, 220), rng.randint(20, 220), rng.randint(20, 220))
        match rng.randrange(5):
            case 0:  # a person
                draw.ellipse((x, y - size, x + size / 3, y - size * 0.7), fill=(205, 165, 140))
                draw.rectangle((x - 2, y - size * 0.7, x + size / 3 + 2, y + size), fill=colour)
            case 1:  # a pole
                draw.rectangle((x, 0, x + 2 + size / 10, IMAGE_SIZE), fill=(60, 60, 65))
            case 2:  # a bush
                green = _toned((60, 110, 50), rng, 30)
                draw.ellipse((x - size, y - size / 2, x + size, y + size), fill=green)
            case 3:  # a car
                draw.rectangle((x, y, x + size * 1.6, y + size / 2), fill=colour)
                draw.ellipse((x + 2, y + size / 3, x + size / 2, y + size * 0.7), fill=(25, 25, 25))
            case _:  # a branch from above
                green = _toned((50, 90, 45), rng, 30)
                draw.ellipse((x - size, -size, x + size, size * 0.8), fill=green)


def _light(pixels: Pixels, rng: random.Random) -> Pixels:
    """Returns the picture with some brightness, warmth, contrast, shadow and grain."""
    gain = np.array([rng.uniform(0.7, 1.3) for _ in range(3)], dtype=np.float32)
    strength = rng.uniform(0.75, 1.15)
    contrast, middle = rng.uniform(0.6, 1.15), rng.uniform(95, 150)
    ramp = np.linspace(rng.uniform(0.7, 1.05), rng.uniform(0.8, 1.15), IMAGE_SIZE, dtype=np.float32)
    shadow = ramp.reshape(rng.choice([(-1, 1, 1), (1, -1, 1)]))  # from above, or from a side
    lit = ((pixels - middle) * contrast + middle) * (gain / gain.mean() * strength) * shadow
    x, y = rng.randrange(_NOISE_SIZE - IMAGE_SIZE), rng.randrange(_NOISE_SIZE - IMAGE_SIZE)
    grain = _noise()[y : y + IMAGE_SIZE, x : x + IMAGE_SIZE]
    graded: Pixels = np.clip(lit + grain * rng.uniform(2, 16), 0, 255)
    return graded


@cache
def _noise() -> Pixels:
    """Returns noise with unit standard deviation; every picture uses a part of it as grain."""
    generator = np.random.default_rng(0)
    uniform = generator.random((_NOISE_SIZE, _NOISE_SIZE, 3), dtype=np.float32)
    return (uniform - 0.5) * np.float32(np.sqrt(12))


def _toned(colour: RGB, rng: random.Random, most: int) -> RGB:
    red, green, blue = (channel + rng.randint(-most, most) for channel in colour)
    return (red, green, blue)
