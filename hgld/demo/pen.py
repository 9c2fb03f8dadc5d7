"""The pen of all painters, which draws in a unit square (x to the right, y down)."""

import colorsys
import copy
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]

_RANGES = {  # ranges of hue, saturation and value
    "wall": ((0.02, 0.14), (0.05, 0.5), (0.45, 0.95)),
    "roof": ((0.0, 1.0), (0.15, 0.6), (0.25, 0.7)),
    "trim": ((0.0, 0.2), (0.0, 0.4), (0.6, 1.0)),
    "dark": ((0.5, 0.8), (0.1, 0.5), (0.1, 0.3)),
    "stone": ((0.0, 0.15), (0.02, 0.45), (0.3, 0.75)),
    "green": ((0.2, 0.42), (0.3, 0.8), (0.25, 0.65)),
    "water": ((0.48, 0.64), (0.3, 0.8), (0.35, 0.85)),
    "sand": ((0.08, 0.14), (0.15, 0.5), (0.6, 0.95)),
}
_FIXED: dict[str, RGB] = {
    "snow": (238, 242, 248),
    "wood": (105, 82, 58),
    "red": (190, 60, 40),
    "lava": (225, 90, 30),
    "smoke": (170, 165, 165),
}


class Pen:
    """Draws a part of one landmark, with that landmark's random choices and colours."""

    def __init__(self, image: Image.Image, rng: random.Random) -> None:
        """Takes the canvas, and the generator that determines the look of the landmark."""
        self.image, self.rng = image, rng
        self._corners: tuple[Point, Point] = ((0.0, 0.0), (1.0, 1.0))
        self._draw = ImageDraw.Draw(image)
        own = {name: [rng.uniform(*bounds) for bounds in _RANGES[name]] for name in _RANGES}
        self._colours = _FIXED | {name: _rgb(*values) for name, values in own.items()}

    def part(self, left: float, top: float, right: float, bottom: float) -> "Pen":
        """Returns a pen whose unit square is a part of this one's."""
        pen = copy.copy(self)
        pen._corners = (self._at((left, top)), self._at((right, bottom)))  # noqa: SLF001
        return pen

    def columns(self, count: int, gap: float = 0.0) -> list["Pen"]:
        """Returns `count` parts side by side; `gap` is the empty share of each."""
        edges = [((i + gap / 2) / count, (i + 1 - gap / 2) / count) for i in range(count)]
        return [self.part(left, 0, right, 1) for left, right in edges]

    def shape(self, points: Sequence[Point], colour: str, shade: float = 1.0) -> None:
        """Fills a polygon; a shade below 1 is darker, above it lighter."""
        self._draw.polygon(self._pixels(points), fill=self._shaded(colour, shade))

    def rect(self, colour: str, shade: float = 1.0) -> None:
        """Fills the whole square."""
        self.shape([(0, 0), (1, 0), (1, 1), (0, 1)], colour, shade)

    def oval(self, colour: str, shade: float = 1.0) -> None:
        """Fills the ellipse inscribed in the square."""
        self._draw.ellipse(self._pixels([(0, 0), (1, 1)]), fill=self._shaded(colour, shade))

    def line(self, points: Sequence[Point], colour: str, width: float = 0.01) -> None:
        """Draws a line through points; `width` is a share of the canvas."""
        pixels = max(1, round(width * self.image.width))
        self._draw.line(self._pixels(points), self._shaded(colour), pixels, joint="curve")

    def few(self, least: int, most: int) -> int:
        """Returns a random integer of the landmark, with both ends included."""
        return self.rng.randint(least, most)

    def vary(self, low: float, high: float) -> float:
        """Returns a random number of the landmark between two bounds."""
        return self.rng.uniform(low, high)

    def _at(self, point: Point) -> Point:
        (left, top), (right, bottom) = self._corners
        return (left + point[0] * (right - left), top + point[1] * (bottom - top))

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        width, height = self.image.size
        return [(x * width, y * height) for x, y in map(self._at, points)]

    def _shaded(self, colour: str, shade: float = 1.0) -> RGB:
        red, green, blue = (min(255, round(one * shade)) for one in self._colours[colour])
        return (red, green, blue)


def _rgb(hue: float, saturation: float, value: float) -> RGB:
    red, green, blue = (round(one * 255) for one in colorsys.hsv_to_rgb(hue, saturation, value))
    return (red, green, blue)
