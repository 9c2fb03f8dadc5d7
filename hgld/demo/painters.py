"""A dozen painters, and the scenes in `scenes.toml` that combine them.

A painter fills the unit square of its pen. It is called once per landmark, so its random choices
(number of windows, pitch of a roof) are the look of that landmark.
"""

import math
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from hgld.demo.pen import Pen, Point

Range = tuple[int, int]
Stroke = Sequence[Any]
"""A colour, then x and y of each corner."""

_ROOFS: dict[str, Sequence[Point]] = {
    "gable": ((0, 1), (0.5, 0), (1, 1)),
    "spire": ((0.1, 1), (0.5, 0), (0.9, 1)),
    "eaves": ((-0.1, 1), (0.22, 0), (0.78, 0), (1.1, 1)),
    "battlements": (
        *((0, 1), (0, 0.3), (0.2, 0.3), (0.2, 0.7), (0.4, 0.7), (0.4, 0.3), (0.6, 0.3)),
        *((0.6, 0.7), (0.8, 0.7), (0.8, 0.3), (1, 0.3), (1, 1)),
    ),
}
_HOLES = {  # rows, columns, share of the wall between them, whether they are arched
    "windows": ((2, 5), (3, 7), 0.45, False),
    "arches": ((1, 1), (4, 7), 0.35, True),
    "columns": ((1, 1), (4, 8), 0.5, False),
    "slits": ((2, 3), (1, 1), 0.6, True),
    "portal": ((1, 1), (1, 1), 0.4, True),
    "none": ((0, 0), (1, 1), 0.0, False),
}


def ground(pen: Pen, colour: str, lines: str = "", width: float = 0.005, foam: int = 0) -> None:
    """Land or water: lines that run to the horizon (slabs, furrows), or ripples and tufts."""
    pen.rect(colour)
    if lines:
        for line in range(count := pen.few(8, 13)):
            x = line / (count - 1)
            pen.line([(0.5 + (x - 0.5) * 0.6, 0), (x * 2 - 0.5, 1)], lines, width)
    for _ in range(0 if lines else 18):
        x, y, long = pen.vary(0, 0.9), pen.vary(0.02, 0.95), pen.vary(0.03, 0.12)
        pen.part(x, y, x + long, y + 0.03).oval(colour, pen.vary(0.8, 1.25))
    for wave in range(foam):
        y = 0.2 + 0.22 * wave
        pen.line([(x / 12, y + 0.03 * math.sin(x * 1.9 + wave)) for x in range(13)], "snow")


def hills(pen: Pen, colour: str = "green") -> None:
    """Rounded hills behind each other, or rocks."""
    for nearer in range(pen.few(2, 4)):
        x, top = pen.vary(-0.3, 0.4), 0.12 * nearer + pen.vary(0.0, 0.2)
        pen.part(x, top, x + pen.vary(0.7, 1.1), top + 1.4).oval(colour, 1.15 - 0.15 * nearer)


def peak(pen: Pen, *, crater: bool = False) -> None:
    """A jagged mountain with snow, or a smooth one with a crater, lava and smoke."""
    summit, rough = (0.5, 0.01) if crater else (pen.vary(0.35, 0.65), 0.09)
    crest = []
    for step in range(17):
        x = step / 16
        climb = x / summit if x < summit else (1 - x) / (1 - summit)
        crest.append((x, 1 - climb ** (1.5 if crater else 1) + pen.vary(-rough, rough)))
    crest = [(x, max(y, 0.12 if crater else 0.0)) for x, y in crest]
    pen.shape([(0, 1), *crest, (1, 1)], "stone", 0.85)
    pen.shape([*(one for one in crest if one[0] >= summit), (1, 1), (0.55, 1)], "stone", 0.6)
    if crater:
        pen.part(0.42, 0.08, 0.58, 0.17).oval("lava")
        pen.line([(0.5, 0.14), (0.46, 0.4), (pen.vary(0.4, 0.6), 0.8)], "lava", 0.025)
        for puff in range(pen.few(1, 4)):
            pen.part(0.4 + 0.07 * puff, -0.06 - 0.08 * puff, 0.6, 0.08).oval("smoke")
        return
    line = pen.vary(0.3, 0.5)
    snow = [one for one in crest if one[1] < line]
    pen.shape([*snow, *((x, line + pen.vary(-0.05, 0.08)) for x, _ in reversed(snow))], "snow")


def building(  # noqa: PLR0913 - the differences between a church and a pagoda
    pen: Pen,
    roof: str = "",
    holes: str = "windows",
    *,
    wall: str = "wall",
    band: str = "",
    tiers: int = 1,
    taper: float = 0.0,
    pitch: float = 0.35,
) -> None:
    """A building, a tower or a pyramid: tiers, each narrower than the one below, and a roof.

    Args:
        pen: of the building.
        roof: one of `_ROOFS`, `dome`, or empty for none.
        holes: one of `_HOLES`.
        wall: colour of the wall.
        band: colour of every second tier, if it differs.
        tiers: number of tiers; with eaves, each has its own roof.
        taper: how much narrower the top is, as a share of the width.
        pitch: share of the height, or with eaves of each tier, for the roof.
    """
    top = 0.0 if roof in ("", "eaves") else pitch * pen.vary(0.85, 1.15)
    cover = pen.part(taper / 2, 0, 1 - taper / 2, top)
    if roof == "dome":
        cover.part(0.48, -0.3, 0.52, 0.5).rect("trim")
        cover.part(0, 0, 1, 2).oval("roof")
    elif top:
        cover.shape(_ROOFS[roof], wall if roof == "battlements" else "roof")
    height = (1 - top) / tiers
    for tier in range(tiers):
        inset = taper / 2 * (1 - tier / tiers)
        body = pen.part(inset, top + tier * height, 1 - inset, top + (tier + 1) * height)
        if roof == "eaves":
            body.part(0, 0, 1, pitch).shape(_ROOFS[roof], "roof")
            body = body.part(0.12, pitch, 0.88, 1)
        body.rect(band if band and tier % 2 else wall, 1.0 if band or tier % 2 == 0 else 0.85)
        _open(body, *_HOLES[holes])


def _open(pen: Pen, rows: Range, across: Range, gap: float, is_arched: bool) -> None:
    """Paints windows, arches, or the dark spaces between columns."""
    count, columns = pen.few(*rows), pen.few(*across)
    for floor in range(count):
        top, bottom = (0.22, 1.0) if count == 1 else (0.2, 0.85)
        band = pen.part(0.04, (floor + top) / count, 0.96, (floor + bottom) / count)
        for cell in band.columns(columns, gap):
            cell.part(0, 0.3 if is_arched else 0, 1, 1).rect("dark")
            if is_arched:
                cell.part(0, 0, 1, 0.6).oval("dark")


def row(pen: Pen, thing: str, count: Range, gap: float = 0.1) -> None:
    """Several copies of a part side by side, with different heights."""
    for cell in pen.columns(pen.few(*count), gap):
        paint(cell.part(0, pen.vary(0, 0.25), 1, 1), thing)


def tree(pen: Pen, *, palm: bool = False) -> None:
    """A broad-leaved tree, a fir, or a palm."""
    pen.part(0.45, 0.4, 0.55, 1).rect("wood")
    if palm:
        for leaf in range(7):
            angle = math.pi * leaf / 6
            tip = (0.5 + 0.8 * math.cos(angle), 0.35 - 0.3 * math.sin(angle))
            pen.line([(0.5, 0.4), tip], "green", 0.014)
    elif pen.vary(0, 1) < 0.4:  # noqa: PLR2004 - a fir
        for tier in range(3):
            pen.part(0.2 - 0.05 * tier, 0.2 * tier, 0.8 + 0.05 * tier, 0.35 + 0.2 * tier).shape(
                _ROOFS["gable"], "green", 0.75
            )
    else:
        pen.part(0.05, 0, 0.95, 0.75).oval("green")
        pen.part(0.2, 0.05, 0.6, 0.45).oval("green", 1.2)


def way(pen: Pen, colour: str, near: float, bend: float = 0.3, dashes: str = "") -> None:
    """A road, path or river that runs to the horizon; `near` is half its width in front."""
    turn = pen.vary(0.5, 1) * bend * (1 if pen.few(0, 1) else -1)
    middle = [(0.5, 0.0), (0.5 + turn, 0.3), (0.5 - turn, 0.6), (0.5 + turn / 2, 1.0)]
    widths = [near * share for share in (0.12, 0.25, 0.5, 1.0)]
    left = [(x - width, y) for (x, y), width in zip(middle, widths, strict=True)]
    right = [(x + width, y) for (x, y), width in zip(middle, widths, strict=True)]
    pen.shape([*left, *reversed(right)], colour)
    for dash in range(6 if dashes else 0):
        y = 0.2 + 0.13 * dash
        pen.line([(0.5, y), (0.5, y + 0.07)], dashes, 0.006 + 0.003 * dash)


def falls(pen: Pen, wall: str, count: Range, width: float) -> None:
    """A wall of rock or concrete with water falling over it into a pool."""
    pen.shape([(0, 0.1), (1, 0.1), (0.9, 0.9), (0.1, 0.9)], wall, 0.75)
    for fall in pen.part(0.12, 0, 0.88, 1).columns(pen.few(*count), 0.25):
        x = pen.vary(0, 1 - width)
        fall.shape([(x, 0.1), (x + width, 0.1), (x + width + 0.08, 0.9), (x - 0.08, 0.9)], "snow")
        for streak in range(1, 4):
            fall.line([(x + width * streak / 4, 0.12), (x + width * streak / 4, 0.88)], "water")
    pen.part(-0.1, 0.84, 1.1, 1).rect("water")
    pen.part(0.1, 0.8, 0.9, 0.9).oval("snow")


def wheel(pen: Pen, spokes: Range, width: float, *, cabins: bool) -> None:
    """The spokes of a Ferris wheel with its cabins, or the sails of a mill."""
    turn, count = pen.vary(0, math.pi / 2), pen.few(*spokes)
    rim = [turn + 2 * math.pi * spoke / count for spoke in range(count + 1)]
    ends = [(0.5 + 0.5 * math.cos(angle), 0.5 + 0.5 * math.sin(angle)) for angle in rim]
    for x, y in ends:
        pen.line([(0.5, 0.5), (x, y)], "trim", width)
        if cabins:
            pen.part(x - 0.06, y - 0.06, x + 0.06, y + 0.06).oval("roof")
    if cabins:
        pen.line(ends, "dark", 0.012)


def spots(pen: Pen, count: Range, size: Point, colour: str = "") -> None:
    """Scattered flowers, fruit or umbrellas, in several colours unless one is given."""
    for spot in range(pen.few(*count)):
        x, y = pen.vary(0, 1 - size[0]), pen.vary(0, 1 - size[1])
        own = ("red", "lava", "snow", "roof", "trim")[spot % 5]
        pen.part(x, y, x + size[0], y + size[1]).oval(colour or own, pen.vary(0.8, 1.2))


def sketch(
    pen: Pen, shapes: Sequence[Stroke] = (), lines: Sequence[Stroke] = (), width: float = 0.012
) -> None:
    """Polygons and lines over them: a colour, then x and y of each corner, in hundredths.

    Each corner is moved slightly at random.
    """
    for strokes, spread in ((shapes, 3), (lines, 2)):
        for colour, *numbers in strokes:
            moved = [(one + pen.vary(-spread, spread)) / 100 for one in numbers]
            points = list(zip(moved[::2], moved[1::2], strict=True))
            if strokes is lines:
                pen.line(points, colour, width)
            else:
                pen.shape(points, colour)


def blob(pen: Pen, colour: str, shade: float = 1.0) -> None:
    """An oval: a pool, a pitch, the mouth of a cave."""
    pen.part(0, 0, 1, pen.vary(0.9, 1.0)).oval(colour, shade)


_ALL = (blob, building, falls, ground, hills, peak, row, sketch, spots, tree, way, wheel)
_PAINTERS: dict[str, Callable[..., None]] = {one.__name__: one for one in _ALL}


@cache
def scenes() -> dict[str, Any]:
    """Returns `scenes.toml`: `parts`, and `scenes` by super-category."""
    return tomllib.loads(files("hgld.demo").joinpath("scenes.toml").read_text(encoding="utf-8"))


def paint(pen: Pen, part: str | dict[str, Any]) -> None:
    """Paints a part of a scene over the whole square of the pen.

    Args:
        pen: the pen of the landmark.
        part: its name in `parts`, or its painter and options.
    """
    options = _options(part)
    options.pop("at", None)
    _PAINTERS[options.pop("paint")](pen, **options)


def _options(part: str | dict[str, Any]) -> dict[str, Any]:
    """Returns the painter, place and options of a part, including those of its base part."""
    own = {"part": part} if isinstance(part, str) else dict(part)
    name = own.pop("part", None)
    return own if name is None else _options(scenes()["parts"][name]) | own


def draw_scene(pen: Pen, hierarchical_label: str) -> None:
    """Draws a landmark of a super-category with the pen's random choices.

    Args:
        pen: a pen with an empty canvas.
        hierarchical_label: the super-category.

    Raises:
        ValueError: the super-category has no scene.
    """
    parts = scenes()["scenes"].get(hierarchical_label)
    if parts is None:
        raise ValueError(f"hierarchical_label must have a scene, got {hierarchical_label!r}")
    for part in parts:
        left, top, right, bottom = (one / 100 for one in _options(part)["at"])
        # Vary place and proportions for each landmark, except for parts that fill the canvas.
        spread = 0.12 * (right - left) if right - left < 1 else 0.0
        rise = 0.15 * (bottom - top) if spread else 0.0
        edges = ((left, spread), (top, rise), (right, spread))
        left, top, right = (edge + pen.vary(-most, most) for edge, most in edges)
        paint(pen.part(left, top, right, bottom), part)
