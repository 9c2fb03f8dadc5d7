"""Primitives of land, water and plants: each fills a box and takes its own chances from the pen."""

import math

from hgld.demo.pictures.pen import Box, Colour, Pen, Point, shaded

SNOW: Colour = (238, 242, 248)


def meadow(pen: Pen, box: Box) -> None:
    """Grass."""
    pen.rect(box, pen.colours.green)
    for _ in range(12):
        x, y = pen.vary(0, 0.9), pen.vary(0, 0.9)
        pen.oval(box.part(x, y, x + 0.15, y + 0.1), shaded(pen.colours.green, pen.vary(0.8, 1.2)))


def pavement(pen: Pen, box: Box) -> None:
    """Paving in perspective."""
    pen.rect(box, pen.colours.sand)
    across = pen.few(6, 12)
    for line in range(across + 1):
        x = line / across
        pen.line(box, [(0.5 + (x - 0.5) * 0.5, 0), (x * 2 - 0.5, 1)], pen.colours.stone, 0.005)
    for row in (0.1, 0.25, 0.5, 0.8):
        pen.line(box, [(0, row), (1, row)], pen.colours.stone, 0.005)


def sand(pen: Pen, box: Box) -> None:
    """A beach with a wet edge."""
    edge = [(x / 8, pen.vary(0.0, 0.12)) for x in range(9)]
    pen.shape(box, [*edge, (1, 1), (0, 1)], pen.colours.sand)
    pen.line(box, edge, SNOW, 0.012)
    for _ in range(pen.few(0, 5)):
        x, y = pen.vary(0.05, 0.85), pen.vary(0.35, 0.8)
        pen.oval(box.part(x, y, x + 0.1, y + 0.1), pen.colours.roof)
        pen.line(box, [(x + 0.05, y + 0.05), (x + 0.05, y + 0.2)], pen.colours.dark, 0.006)


def water(pen: Pen, box: Box) -> None:
    """Open water with ripples."""
    pen.rect(box, pen.colours.water)
    for _ in range(18):
        x, y = pen.vary(0, 0.85), pen.vary(0.03, 0.97)
        pen.line(
            box,
            [(x, y), (x + pen.vary(0.05, 0.2), y)],
            shaded(pen.colours.water, pen.vary(0.8, 1.35)),
            0.006,
        )


def surf(pen: Pen, box: Box) -> None:
    """The sea with rows of breaking waves."""
    water(pen, box)
    for row in range(pen.few(2, 4)):
        y = 0.25 + 0.2 * row
        wave = [(x / 12, y + 0.03 * math.sin(x * 1.9 + row)) for x in range(13)]
        pen.line(box, wave, SNOW, 0.01)


def peak(pen: Pen, box: Box) -> None:
    """A jagged mountain with snow."""
    crest = ridge_line(pen, summit=pen.vary(0.3, 0.7), roughness=0.09)
    pen.shape(box, [(0, 1), *crest, (1, 1)], pen.colours.stone)
    top = min(crest, key=lambda point: point[1])
    lit = [point for point in crest if point[0] >= top[0]]
    pen.shape(
        box, [*lit, (1, 1), (top[0] + pen.vary(-0.1, 0.1), 1)], shaded(pen.colours.stone, 0.7)
    )
    line = pen.vary(0.25, 0.5)
    snow = [point for point in crest if point[1] < line]
    if len(snow) > 1:
        hem = [(x, line + pen.vary(-0.05, 0.08)) for x, _ in reversed(snow)]
        pen.shape(box, [*snow, *hem], SNOW)


def ridge_line(pen: Pen, *, summit: float, roughness: float) -> list[Point]:
    """Returns a crest from the left foot over a summit to the right foot."""
    points = []
    for step in range(1, 16):
        x = step / 16
        climb = x / summit if x < summit else (1 - x) / (1 - summit)
        points.append((x, max(0.0, 1 - climb + pen.vary(-roughness, roughness))))
    return points


def cone(pen: Pen, box: Box) -> None:
    """A volcano: a smooth cone with a crater, and often smoke or lava."""
    left, right, spread = pen.vary(0.38, 0.44), pen.vary(0.54, 0.62), pen.vary(0.2, 0.32)
    outline = [(0, 1), (spread, 0.62), (left, 0.12), (right, 0.12), (1 - spread, 0.62), (1, 1)]
    pen.shape(box, outline, shaded(pen.colours.stone, 0.75))
    pen.shape(
        box,
        [(0.52, 0.12), (right, 0.12), (1 - spread, 0.62), (1, 1), (0.6, 1)],
        shaded(pen.colours.stone, 0.55),
    )
    pen.oval(box.part(left, 0.07, right, 0.17), pen.colours.dark)
    if pen.chance(0.5):
        flow = [(0.5, 0.14), (0.47, 0.35), (0.54, 0.55), (pen.vary(0.4, 0.6), 0.85)]
        pen.line(box, flow, (225, 90, 30), 0.02)
    else:
        pen.shape(box, [(left, 0.12), (right, 0.12), (right + 0.06, 0.3), (left - 0.06, 0.3)], SNOW)
    for puff in range(pen.few(0, 4)):
        x, y = 0.48 + 0.06 * puff, -0.02 - 0.06 * puff
        pen.oval(box.part(x - 0.08, y - 0.06, x + 0.1, y + 0.08), (170, 165, 165))


def hills(pen: Pen, box: Box) -> None:
    """Rounded hills behind each other."""
    for row in range(pen.few(2, 4)):
        x, top = pen.vary(-0.3, 0.5), 0.12 * row + pen.vary(0.0, 0.2)
        pen.oval(
            box.part(x, top, x + pen.vary(0.6, 1.1), top + 1.4),
            shaded(pen.colours.green, 1.15 - 0.15 * row),
        )


def falls(pen: Pen, box: Box) -> None:
    """A wall of rock with water falling over it into a pool."""
    pen.shape(box, [(0, 0.1), (1, 0.1), (1, 0.9), (0, 0.9)], shaded(pen.colours.stone, 0.7))
    for _ in range(pen.few(1, 4)):
        left = pen.vary(0.08, 0.6)
        right = left + pen.vary(0.1, 0.35)
        pen.shape(box, [(left, 0.1), (right, 0.1), (right + 0.05, 0.9), (left - 0.05, 0.9)], SNOW)
        for _ in range(6):
            x = pen.vary(left, right)
            pen.line(box, [(x, 0.12), (x, 0.88)], pen.colours.water, 0.005)
    pen.rect(box.part(0, 0.84, 1, 1), pen.colours.water)
    pen.oval(box.part(0.1, 0.8, 0.9, 0.9), SNOW)


def stream(pen: Pen, box: Box) -> None:
    """A river that winds to the horizon."""
    bend = pen.vary(-0.3, 0.3)
    middle = [(0.5, 0.0), (0.5 + bend, 0.25), (0.5 - bend, 0.5), (0.5 + bend / 2, 1.0)]
    widths = (0.02, 0.06, 0.13, 0.32)
    left = [(x - width, y) for (x, y), width in zip(middle, widths, strict=True)]
    right = [(x + width, y) for (x, y), width in zip(middle, widths, strict=True)]
    pen.shape(box, [*left, *reversed(right)], pen.colours.water)


def canal(pen: Pen, box: Box) -> None:
    """A straight waterway between quays."""
    pen.shape(box, [(0.44, 0), (0.56, 0), (1, 1), (0, 1)], pen.colours.stone)
    pen.shape(box, [(0.46, 0), (0.54, 0), (0.86, 1), (0.14, 1)], pen.colours.water)
    y = pen.vary(0.4, 0.7)
    pen.shape(box, [(0.42, y), (0.6, y), (0.55, y + 0.1), (0.45, y + 0.1)], pen.colours.roof)


def island(pen: Pen, box: Box) -> None:
    """Land in the sea with a shore of sand."""
    width = pen.vary(0.3, 0.48)
    pen.oval(box.part(0.5 - width, 0.42, 0.5 + width, 0.72), pen.colours.sand)
    pen.oval(box.part(0.55 - width, pen.vary(0.2, 0.4), 0.45 + width, 0.66), pen.colours.green)
    for _ in range(pen.few(2, 6)):
        palm(pen, box.part(0.2, 0.1, 0.8, 0.6).columns(7)[pen.few(0, 6)])


def palm(pen: Pen, box: Box) -> None:
    """A palm tree."""
    pen.line(box, [(0.5, 1), (0.45, 0.5), (0.5, 0.15)], (110, 85, 60), 0.012)
    for leaf in range(6):
        angle = math.pi * (leaf + 0.5) / 6
        tip = (0.5 + 0.8 * math.cos(angle), 0.25 - 0.2 * math.sin(angle) + 0.12)
        pen.line(box, [(0.5, 0.15), tip], pen.colours.green, 0.014)


def tree(pen: Pen, box: Box) -> None:
    """A broad-leaved tree, or a fir."""
    pen.rect(box.part(0.45, 0.6, 0.55, 1), (100, 78, 55))
    if pen.chance(0.4):
        for tier in range(3):
            top = 0.2 * tier
            pen.shape(
                box,
                [(0.5, top), (0.2 - 0.05 * tier, top + 0.35), (0.8 + 0.05 * tier, top + 0.35)],
                shaded(pen.colours.green, 0.75),
            )
    else:
        pen.oval(box.part(0.1, 0, 0.9, 0.75), pen.colours.green)
        pen.oval(box.part(0.2, 0.05, 0.6, 0.45), shaded(pen.colours.green, 1.2))


def trees(pen: Pen, box: Box) -> None:
    """A row of trees."""
    for cell in box.columns(pen.few(3, 6)):
        tree(pen, cell.part(0, pen.vary(0, 0.3), 1, 1))


def flower_beds(pen: Pen, box: Box) -> None:
    """Beds of flowers about a path."""
    pen.shape(box, [(0.46, 0), (0.54, 0), (0.66, 1), (0.34, 1)], pen.colours.sand)
    for side in (0.02, 0.62):
        for row in range(pen.few(2, 4)):
            bed = box.part(side, 0.1 + 0.22 * row, side + 0.34, 0.26 + 0.22 * row)
            pen.oval(bed, shaded(pen.colours.green, 0.8))
            colour = (pen.few(150, 250), pen.few(40, 220), pen.few(60, 220))
            for _ in range(14):
                x, y = pen.vary(0.1, 0.85), pen.vary(0.15, 0.75)
                pen.oval(bed.part(x, y, x + 0.1, y + 0.2), colour)


def cave_mouth(pen: Pen, box: Box) -> None:
    """A dark opening in rock with dripstone."""
    pen.rect(box, shaded(pen.colours.stone, 0.8))
    pen.oval(box.part(pen.vary(0.05, 0.2), 0.2, pen.vary(0.8, 0.95), 1.3), pen.colours.dark)
    for drop in range(pen.few(5, 10)):
        x = 0.2 + 0.06 * drop
        length = pen.vary(0.05, 0.3)
        pen.shape(box, [(x, 0.25), (x + 0.05, 0.25), (x + 0.025, 0.3 + length)], pen.colours.sand)
    pen.rect(box.part(0, 0.92, 1, 1), shaded(pen.colours.stone, 0.6))


def cliff_face(pen: Pen, box: Box) -> None:
    """A steep face of layered rock."""
    left = pen.chance(0.5)
    edge = [(0.0, 0.1), (0.55, 0.12), (pen.vary(0.58, 0.66), 0.4), (0.6, 0.7), (0.7, 1.0), (0, 1)]
    points = edge if left else [(1 - x, y) for x, y in edge]
    pen.shape(box, points, pen.colours.stone)
    for layer in range(pen.few(4, 8)):
        y = 0.2 + 0.1 * layer
        ends = [(0.0, y), (0.58, y + 0.02)] if left else [(1.0, y), (0.42, y + 0.02)]
        pen.line(box, ends, shaded(pen.colours.stone, 0.7), 0.012)
    top = [(0, 0.06), (0.55, 0.08), (0.55, 0.14), (0, 0.14)]
    pen.shape(box, top if left else [(1 - x, y) for x, y in top], pen.colours.green)


def boulder(pen: Pen, box: Box) -> None:
    """A single great rock, rounded or columnar."""
    if pen.chance(0.5):
        crest = [(x / 10, 0.25 + pen.vary(-0.05, 0.08)) for x in range(2, 9)]
        pen.shape(box, [(0, 0.9), (0.06, 0.5), *crest, (0.95, 0.5), (1, 0.9)], pen.colours.roof)
        for crack in range(pen.few(4, 9)):
            x = 0.12 + 0.09 * crack
            pen.line(box, [(x, 0.3), (x - 0.03, 0.88)], shaded(pen.colours.roof, 0.75), 0.01)
    else:
        for cell in box.columns(pen.few(2, 4), 0.35):
            top = pen.vary(0.05, 0.45)
            pen.shape(cell, [(0.2, top), (0.8, top + 0.05), (1, 1), (0, 1)], pen.colours.sand)


def reeds(pen: Pen, box: Box) -> None:
    """Channels of water among reeds."""
    water(pen, box)
    for _ in range(pen.few(8, 14)):
        x, y, width = pen.vary(-0.1, 0.9), pen.vary(0.05, 0.9), pen.vary(0.12, 0.4)
        pen.oval(box.part(x, y, x + width, y + 0.09), pen.colours.green)
        for blade in range(5):
            foot = x + width * blade / 5
            pen.line(
                box,
                [(foot, y + 0.05), (foot + 0.01, y - 0.08)],
                shaded(pen.colours.green, 0.8),
                0.006,
            )


def furrows(pen: Pen, box: Box) -> None:
    """Rows of vines on a slope."""
    pen.rect(box, pen.colours.sand)
    rows = pen.few(8, 14)
    for row in range(rows + 1):
        x = row / rows
        line = [(0.5 + (x - 0.5) * 0.7, 0), (x * 2.4 - 0.7, 1)]
        pen.line(box, line, pen.colours.green, 0.02)


def path(pen: Pen, box: Box) -> None:
    """A footpath over open land with waymarks."""
    bend = pen.vary(-0.25, 0.25)
    way = [(0.5, 0), (0.5 + bend, 0.3), (0.5 - bend, 0.6), (0.5, 1)]
    pen.line(box, way, pen.colours.sand, 0.05)
    for mark in range(1, 4):
        x, y = way[mark][0] + 0.12, way[mark][1] - 0.1
        pen.line(box, [(x, y), (x, y + 0.14)], (100, 78, 55), 0.012)
        pen.rect(box.part(x - 0.05, y, x + 0.05, y + 0.05), pen.colours.roof)
