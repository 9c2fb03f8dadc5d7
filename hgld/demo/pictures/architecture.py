"""Primitives of human-made things: each fills a box and takes its own chances from the pen.

A primitive is called once a landmark, so what it draws by chance (how many windows, how steep a
roof) is the look of that landmark.
"""

import math

from hgld.demo.pictures.pen import Box, Pen, shaded


def block(pen: Pen, box: Box) -> None:
    """A plain building with rows of windows."""
    pen.rect(box, pen.colours.wall)
    pen.rect(box.part(0, 0, 1, pen.vary(0.03, 0.1)), pen.colours.trim)
    windows(pen, box.part(0.06, 0.15, 0.94, 0.9))


def windows(pen: Pen, box: Box) -> None:
    """A grid of windows, upright, square or lying."""
    rows, across = pen.few(2, 5), pen.few(3, 8)
    height, gap = pen.vary(0.35, 0.8), pen.vary(0.3, 0.6)
    for row in range(rows):
        band = box.part(0, (row + (1 - height) / 2) / rows, 1, (row + (1 + height) / 2) / rows)
        for cell in band.columns(across, gap):
            pen.rect(cell, pen.colours.dark)


def gable(pen: Pen, box: Box) -> None:
    """A house: a wall below, a pitched roof above."""
    eaves = pen.vary(0.35, 0.55)
    pen.rect(box.part(0.05, eaves, 0.95, 1), pen.colours.wall)
    pen.shape(box, [(0, eaves), (pen.vary(0.35, 0.65), 0), (1, eaves)], pen.colours.roof)
    windows(pen, box.part(0.15, eaves + 0.08, 0.85, 0.8))
    pen.rect(box.part(0.44, 0.78, 0.56, 1), pen.colours.dark)


def steeple(pen: Pen, box: Box) -> None:
    """A square tower with a pointed roof and a cross on it."""
    eaves = pen.vary(0.4, 0.6)
    pen.rect(box.part(0.15, eaves, 0.85, 1), pen.colours.wall)
    pen.shape(box, [(0.05, eaves), (0.5, 0.12), (0.95, eaves)], pen.colours.roof)
    pen.line(box, [(0.5, 0.12), (0.5, 0)], pen.colours.trim, 0.008)
    pen.line(box, [(0.4, 0.04), (0.6, 0.04)], pen.colours.trim, 0.008)
    for top in (0.1, 0.45):
        band = box.part(0.3, eaves + top * (1 - eaves), 0.7, eaves + (top + 0.2) * (1 - eaves))
        pen.oval(band, pen.colours.dark)


def rose_front(pen: Pen, box: Box) -> None:
    """The west front of a church: a gable with a round window and a portal."""
    eaves = pen.vary(0.25, 0.4)
    outline = [(0, 1), (0, eaves), (0.5, 0), (1, eaves), (1, 1)]
    pen.shape(box, outline, pen.colours.wall)
    pen.oval(box.part(0.32, eaves - 0.02, 0.68, eaves + 0.24), pen.colours.dark)
    pen.ring(box.part(0.32, eaves - 0.02, 0.68, eaves + 0.24), pen.colours.trim, 0.01)
    archway(pen, box.part(0.36, 0.68, 0.64, 1))


def archway(pen: Pen, box: Box) -> None:
    """A round-headed opening."""
    pen.oval(box.part(0, 0, 1, 0.8), pen.colours.dark)
    pen.rect(box.part(0, 0.4, 1, 1), pen.colours.dark)


def arcade(pen: Pen, box: Box) -> None:
    """A wall of arches side by side."""
    pen.rect(box, pen.colours.stone)
    for cell in box.columns(pen.few(4, 8), pen.vary(0.25, 0.5)):
        archway(pen, cell.part(0, 0.2, 1, 1))


def arcades(pen: Pen, box: Box) -> None:
    """Arcades over each other, as of an aqueduct or an amphitheatre."""
    tiers = pen.few(2, 3)
    for tier in range(tiers):
        arcade(pen, box.part(0, tier / tiers, 1, (tier + 1) / tiers))


def dome(pen: Pen, box: Box) -> None:
    """A round dome on a drum, with a finial."""
    pen.line(box, [(0.5, 0.2), (0.5, 0)], pen.colours.trim, 0.01)
    pen.oval(box.part(0, 0.1, 1, 1.1), pen.colours.roof)
    pen.oval(box.part(0.2, 0.18, 0.5, 0.9), shaded(pen.colours.roof, 1.2))
    pen.rect(box.part(0.05, 0.62, 0.95, 1), pen.colours.wall)
    for cell in box.part(0.1, 0.7, 0.9, 0.95).columns(pen.few(4, 8), 0.5):
        pen.rect(cell, pen.colours.dark)


def minaret(pen: Pen, box: Box) -> None:
    """A slender tower with balconies and a cone."""
    pen.rect(box.part(0.3, 0.2, 0.7, 1), pen.colours.trim)
    pen.shape(box, [(0.25, 0.2), (0.5, 0), (0.75, 0.2)], pen.colours.roof)
    for balcony in range(pen.few(1, 3)):
        top = 0.25 + 0.2 * balcony
        pen.rect(box.part(0.1, top, 0.9, top + 0.03), pen.colours.wall)


def colonnade(pen: Pen, box: Box) -> None:
    """Columns under a pediment, on steps."""
    eaves, steps = pen.vary(0.22, 0.36), 0.9
    pen.shape(box, [(0, eaves), (0.5, 0), (1, eaves)], pen.colours.wall)
    pen.rect(box.part(0.04, eaves, 0.96, eaves + 0.08), pen.colours.trim)
    pen.rect(box.part(0.08, eaves + 0.08, 0.92, steps), pen.colours.dark)
    for cell in box.part(0.06, eaves + 0.08, 0.94, steps).columns(pen.few(4, 9), 0.45):
        pen.rect(cell, pen.colours.stone)
    pen.rect(box.part(0, steps, 1, 1), pen.colours.trim)


def broken_columns(pen: Pen, box: Box) -> None:
    """What stands of a colonnade."""
    for cell in box.columns(pen.few(5, 9), 0.5):
        top = pen.vary(0.0, 0.8)
        pen.rect(cell.part(0, top, 1, 1), pen.colours.stone)
        pen.rect(cell.part(-0.2, top, 1.2, top + 0.06), pen.colours.trim)


def walls_in_the_ground(pen: Pen, box: Box) -> None:
    """Foundations seen from above: an excavated plan."""
    pen.shape(box, [(0.15, 0), (0.85, 0), (1, 1), (0, 1)], pen.colours.sand)
    for row in range(pen.few(3, 5)):
        y = 0.1 + row * 0.2
        pen.line(box, [(0.1, y), (0.9, y)], pen.colours.stone, 0.012)
        for _ in range(pen.few(2, 5)):
            x = pen.vary(0.12, 0.88)
            pen.line(box, [(x, y), (x + pen.vary(-0.04, 0.04), y + 0.2)], pen.colours.stone, 0.012)


def battlements(pen: Pen, box: Box) -> None:
    """A curtain wall with merlons and a gate."""
    pen.rect(box.part(0, 0.15, 1, 1), pen.colours.stone)
    for cell in box.part(0, 0, 1, 0.16).columns(pen.few(7, 13), 0.5):
        pen.rect(cell, pen.colours.stone)
    archway(pen, box.part(0.42, 0.55, 0.58, 1))


def keep(pen: Pen, box: Box) -> None:
    """A castle's tower: battlements, or a cone."""
    battlements(pen, box.part(0, 0.2, 1, 1))
    if pen.chance(0.5):
        pen.shape(box, [(-0.1, 0.25), (0.5, 0), (1.1, 0.25)], pen.colours.roof)


def stacked_roofs(pen: Pen, box: Box) -> None:
    """A pagoda: roofs with upturned eaves, each smaller than the one below."""
    tiers = pen.few(2, 5)
    for tier in range(tiers):
        top, bottom, inset = tier / tiers, (tier + 1) / tiers, 0.32 * (1 - (tier + 1) / tiers)
        floor = box.part(inset, top, 1 - inset, bottom)
        pen.rect(floor.part(0.15, 0.45, 0.85, 1), pen.colours.wall)
        eaves = [(-0.08, 0.42), (0.22, 0.0), (0.78, 0.0), (1.08, 0.42), (0.85, 0.52), (0.15, 0.52)]
        pen.shape(floor, eaves, pen.colours.roof)


def stupa(pen: Pen, box: Box) -> None:
    """A bell on terraces with a tall spire."""
    for terrace in range(3):
        inset = 0.09 * terrace
        pen.rect(box.part(inset, 0.88 - 0.07 * terrace, 1 - inset, 0.96), pen.colours.trim)
    pen.oval(box.part(0.18, 0.35, 0.82, 1.05), pen.colours.wall)
    pen.shape(box, [(0.4, 0.45), (0.5, 0), (0.6, 0.45)], pen.colours.roof)
    pen.rect(box.part(0, 0.93, 1, 1), pen.colours.stone)


def gopuram(pen: Pen, box: Box) -> None:
    """The tall, tapering gate tower of a temple, in many carved rows."""
    rows = pen.few(6, 10)
    for row in range(rows):
        inset = 0.3 * (1 - (row + 1) / rows)
        band = box.part(inset, 0.1 + 0.9 * row / rows, 1 - inset, 0.1 + 0.9 * (row + 1) / rows)
        pen.rect(band, pen.colours.wall if row % 2 else pen.colours.roof)
        for cell in band.part(0.05, 0.2, 0.95, 0.9).columns(pen.few(5, 9), 0.5):
            pen.oval(cell, pen.colours.trim)
    pen.oval(box.part(0.3, 0, 0.7, 0.16), pen.colours.roof)


def torii(pen: Pen, box: Box) -> None:
    """A gate of two posts and two beams."""
    red = (190, pen.few(40, 80), 40)
    for left in (0.14, 0.78):
        pen.rect(box.part(left, 0.12, left + 0.08, 1), red)
    pen.shape(box, [(-0.04, 0), (1.04, 0), (0.97, 0.12), (0.03, 0.12)], red)
    pen.rect(box.part(0.08, 0.24, 0.92, 0.31), red)


def skyscrapers(pen: Pen, box: Box) -> None:
    """Slabs of glass, one of them much taller."""
    for cell in box.columns(pen.few(2, 4), 0.15):
        top = pen.vary(0.35, 0.6)
        pen.rect(cell.part(0, top, 1, 1), shaded(pen.colours.water, 0.8))
        windows(pen, cell.part(0.05, top + 0.03, 0.95, 0.97))
    left = pen.vary(0.25, 0.5)
    tall = box.part(left, 0.08, left + pen.vary(0.18, 0.3), 1)
    pen.shape(
        tall, [(0, 1), (pen.vary(0, 0.3), 0), (pen.vary(0.7, 1), 0), (1, 1)], pen.colours.wall
    )
    for line in range(1, 14):
        pen.line(tall, [(0.1, line / 14), (0.9, line / 14)], pen.colours.dark, 0.008)
    pen.line(tall, [(0.5, 0), (0.5, -0.08)], pen.colours.trim, 0.01)


def lattice(pen: Pen, box: Box) -> None:
    """A tapering steel tower, or a needle with a pod."""
    half = pen.vary(0.25, 0.5)
    legs = [(0.5 - half, 1.0), (0.5 - half * 0.25, 0.45), (0.5, 0.0)]
    for side in (1, -1):
        points = [(0.5 + side * (x - 0.5), y) for x, y in legs]
        pen.line(box, points, pen.colours.wall, 0.022)
    for level in range(2, 10):
        y = level / 10
        reach = half * max(0.06, (y - 0.45) / 0.55 * 0.75 + 0.25) if y > legs[1][1] else 0.1 * y
        pen.line(box, [(0.5 - reach, y), (0.5 + reach, y)], pen.colours.wall, 0.01)
    pod = pen.vary(0.18, 0.45)
    pen.oval(box.part(0.5 - half * 0.5, pod, 0.5 + half * 0.5, pod + 0.08), pen.colours.trim)


def suspension(pen: Pen, box: Box) -> None:
    """A bridge: a deck on pylons with cables, or on arches."""
    deck = pen.vary(0.55, 0.68)
    if pen.chance(0.5):
        for left in (0.2, 0.74):
            pen.rect(box.part(left, 0.1, left + 0.05, 1), pen.colours.roof)
        sag = [(0, deck - 0.1), (0.22, 0.12), (0.36, 0.4), (0.5, 0.5), (0.63, 0.4), (0.77, 0.12)]
        pen.line(box, [*sag, (1, deck - 0.1)], pen.colours.roof, 0.012)
        for hanger in range(1, 20):
            x = hanger / 20
            pen.line(box, [(x, deck), (x, deck - 0.14)], pen.colours.roof, 0.004)
    else:
        for cell in box.part(0, deck, 1, 1).columns(pen.few(2, 5), 0.0):
            pen.rect(cell, pen.colours.stone)
            archway(pen, cell.part(0.12, 0.3, 0.88, 1.3))
    pen.rect(box.part(-0.1, deck - 0.04, 1.1, deck + 0.05), pen.colours.wall)


def pyramid(pen: Pen, box: Box) -> None:
    """A pyramid in courses: smooth or stepped."""
    steps, width = pen.few(5, 12), pen.vary(0.7, 1.0)
    for step in range(steps):
        half = width / 2 * (step + 1) / steps
        band = box.part(0.5 - half, step / steps, 0.5 + half, (step + 1) / steps)
        lit = [(half / width * 0.1, 0), (0.55, 0), (0.6, 1), (0, 1)]
        pen.rect(band, shaded(pen.colours.sand, 0.6))
        pen.shape(band, lit, shaded(pen.colours.sand, 0.85 + 0.15 * (step % 2)))


def obelisk(pen: Pen, box: Box) -> None:
    """A tapering pillar on a plinth."""
    points = [(0.36, 0.85), (0.42, 0.1), (0.5, 0), (0.58, 0.1), (0.64, 0.85)]
    pen.shape(box, points, pen.colours.trim)
    for step in range(3):
        inset = 0.2 - 0.07 * step
        pen.rect(
            box.part(inset, 0.85 + 0.05 * step, 1 - inset, 0.9 + 0.05 * step), pen.colours.stone
        )


def statue(pen: Pen, box: Box) -> None:
    """A figure on a pedestal, with its arms as the landmark holds them."""
    bronze = shaded(pen.colours.roof, 0.9)
    pen.oval(box.part(0.4, 0.02, 0.6, 0.16), bronze)
    pen.shape(box, [(0.36, 0.17), (0.64, 0.17), (0.72, 0.62), (0.28, 0.62)], bronze)
    for side in (-1, 1):
        reach = math.radians(pen.vary(-70, 70))
        hand = (0.5 + side * (0.12 + 0.34 * math.cos(reach)), 0.24 + 0.3 * math.sin(reach))
        pen.line(box, [(0.5 + side * 0.1, 0.22), hand], bronze, 0.025)
    pen.rect(box.part(0.24, 0.62, 0.76, 1), pen.colours.stone)
    pen.rect(box.part(0.18, 0.92, 0.82, 1), pen.colours.trim)
