"""A pen that draws in unit squares: what every primitive of the demo's drawings draws with."""

import colorsys
import random
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]


class Box(NamedTuple):
    """A part of the canvas: x to the right, y down, both from 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def at(self, point: Point) -> Point:
        """Returns where a point of the unit square lies when the square is laid on the box."""
        x, y = point
        return (
            self.left + x * (self.right - self.left),
            self.top + y * (self.bottom - self.top),
        )

    def part(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """Returns the box of a part of the unit square laid on this box."""
        return Box(*self.at((left, top)), *self.at((right, bottom)))

    def columns(self, count: int, gap: float = 0.0) -> list["Box"]:
        """Returns `count` boxes side by side; `gap` is the share of each that is left empty."""
        step = 1 / count
        return [
            self.part((i + gap / 2) * step, 0, (i + 1 - gap / 2) * step, 1) for i in range(count)
        ]


class Palette(NamedTuple):
    """The colours of one landmark."""

    wall: Colour
    roof: Colour
    trim: Colour
    dark: Colour
    stone: Colour
    green: Colour
    water: Colour
    sand: Colour

    @classmethod
    def of(cls, rng: random.Random) -> "Palette":
        """Draws the colours of a landmark; each keeps to the range its name says."""
        return cls(
            wall=_hsv(rng, (0.02, 0.14), (0.05, 0.5), (0.45, 0.95)),
            roof=_hsv(rng, (0.0, 1.0), (0.15, 0.6), (0.25, 0.7)),
            trim=_hsv(rng, (0.0, 0.2), (0.0, 0.4), (0.6, 1.0)),
            dark=_hsv(rng, (0.5, 0.8), (0.1, 0.5), (0.1, 0.3)),
            stone=_hsv(rng, (0.0, 0.15), (0.02, 0.45), (0.3, 0.75)),
            green=_hsv(rng, (0.2, 0.42), (0.3, 0.8), (0.25, 0.65)),
            water=_hsv(rng, (0.48, 0.64), (0.3, 0.8), (0.35, 0.85)),
            sand=_hsv(rng, (0.08, 0.14), (0.15, 0.5), (0.6, 0.95)),
        )


class Pen:
    """Draws one landmark on a transparent canvas, with the chances of that landmark."""

    def __init__(self, size: int, rng: random.Random) -> None:
        """Takes a new canvas of `size` x `size` pixels."""
        self.image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
        self.rng = rng
        self.colours = Palette.of(rng)
        self._draw = ImageDraw.Draw(self.image)
        self._size = size

    def shape(self, box: Box, points: Sequence[Point], colour: Colour) -> None:
        """Fills a polygon, given in the box's unit square."""
        self._draw.polygon([self._pixel(box.at(point)) for point in points], fill=colour)

    def rect(self, box: Box, colour: Colour) -> None:
        """Fills a box."""
        self._draw.rectangle(self._corners(box), fill=colour)

    def oval(self, box: Box, colour: Colour) -> None:
        """Fills the ellipse that touches a box from inside."""
        self._draw.ellipse(self._corners(box), fill=colour)

    def ring(self, box: Box, colour: Colour, width: float) -> None:
        """Draws the outline of an ellipse; `width` is a share of the canvas."""
        self._draw.ellipse(self._corners(box), outline=colour, width=self._width(width))

    def line(self, box: Box, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draws a line through points of the box's unit square; `width` as for `ring`."""
        pixels = [self._pixel(box.at(point)) for point in points]
        self._draw.line(pixels, fill=colour, width=self._width(width), joint="curve")

    def few(self, least: int, most: int) -> int:
        """Returns a whole number of the landmark's own, both ends included."""
        return self.rng.randint(least, most)

    def chance(self, share: float) -> bool:
        """Says whether something that befalls a share of all landmarks befalls this one."""
        return self.rng.random() < share

    def vary(self, low: float, high: float) -> float:
        """Returns a number of the landmark's own between two bounds."""
        return self.rng.uniform(low, high)

    def _pixel(self, point: Point) -> Point:
        return (point[0] * self._size, point[1] * self._size)

    def _corners(self, box: Box) -> list[Point]:
        left, right = sorted((box.left, box.right))
        top, bottom = sorted((box.top, box.bottom))
        return [self._pixel((left, top)), self._pixel((right, bottom))]

    def _width(self, share: float) -> int:
        return max(1, round(share * self._size))


def shaded(colour: Colour, factor: float) -> Colour:
    """Returns a colour made darker (factor < 1) or lighter (> 1)."""
    red, green, blue = (min(255, round(channel * factor)) for channel in colour)
    return (red, green, blue)


def _hsv(
    rng: random.Random,
    hue: tuple[float, float],
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> Colour:
    channels = colorsys.hsv_to_rgb(
        rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value)
    )
    red, green, blue = (round(channel * 255) for channel in channels)
    return (red, green, blue)
