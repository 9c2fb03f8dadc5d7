"""Primitives of works and traffic: what people build that is no house."""

import math

from hgld.demo.pictures.architecture import archway, windows
from hgld.demo.pictures.pen import Box, Pen, shaded


def lighthouse(pen: Pen, box: Box) -> None:
    """A banded, tapering tower with a lantern."""
    bands = pen.few(3, 7)
    for band in range(bands):
        top, bottom = 0.2 + 0.8 * band / bands, 0.2 + 0.8 * (band + 1) / bands
        colour = pen.colours.trim if band % 2 else pen.colours.roof
        points = [(0.4 - 0.2 * top, top), (0.6 + 0.2 * top, top)]
        points += [(0.6 + 0.2 * bottom, bottom), (0.4 - 0.2 * bottom, bottom)]
        pen.shape(box, points, colour)
    pen.rect(box.part(0.36, 0.1, 0.64, 0.2), pen.colours.sand)
    pen.shape(box, [(0.3, 0.1), (0.5, 0), (0.7, 0.1)], pen.colours.dark)


def windmill(pen: Pen, box: Box) -> None:
    """A cap mill with four sails."""
    pen.shape(box, [(0.36, 0.35), (0.64, 0.35), (0.76, 1), (0.24, 1)], pen.colours.wall)
    pen.oval(box.part(0.34, 0.26, 0.66, 0.46), pen.colours.roof)
    turn = pen.vary(0, math.pi / 2)
    for sail in range(4):
        angle = turn + sail * math.pi / 2
        tip = (0.5 + 0.46 * math.cos(angle), 0.36 + 0.36 * math.sin(angle))
        pen.line(box, [(0.5, 0.36), tip], pen.colours.dark, 0.018)
        side = (tip[0] - 0.09 * math.sin(angle), tip[1] + 0.07 * math.cos(angle))
        pen.shape(box, [(0.5, 0.36), tip, side], pen.colours.trim)


def wheel(pen: Pen, box: Box) -> None:
    """A Ferris wheel on two legs."""
    rim = box.part(0.1, 0, 0.9, 0.85)
    pen.ring(rim, pen.colours.roof, 0.016)
    spokes = pen.few(8, 16)
    for spoke in range(spokes):
        angle = 2 * math.pi * spoke / spokes
        end = (0.5 + 0.5 * math.cos(angle), 0.5 + 0.5 * math.sin(angle))
        pen.line(rim, [(0.5, 0.5), end], pen.colours.trim, 0.005)
        pen.oval(
            rim.part(end[0] - 0.05, end[1] - 0.05, end[0] + 0.05, end[1] + 0.05), pen.colours.wall
        )
    for foot in (0.25, 0.75):
        pen.line(box, [(0.5, 0.42), (foot, 1)], pen.colours.dark, 0.018)


def coaster(pen: Pen, box: Box) -> None:
    """The humps of a roller coaster on stilts."""
    humps = pen.few(2, 4)
    heights = [pen.vary(0.0, 0.4) for _ in range(humps)]
    track = []
    for step in range(41):
        x = step / 40
        height = heights[min(humps - 1, int(x * humps))]
        y = 1 - (1 - height) * abs(math.sin(math.pi * humps * x)) * 0.85 - 0.05
        track.append((x, y))
        pen.line(box, [(x, y), (x, 1)], pen.colours.trim, 0.004)
    pen.line(box, track, pen.colours.roof, 0.018)


def ship(pen: Pen, box: Box) -> None:
    """A sailing ship: hull, masts, yards."""
    hull = [(0, 0.68), (1.0, 0.6), (0.88, 0.95), (0.12, 0.95)]
    pen.shape(box, hull, shaded(pen.colours.roof, 0.7))
    pen.line(box, [(0.06, 0.78), (0.94, 0.75)], pen.colours.sand, 0.02)
    for mast in range(pen.few(2, 3)):
        x = 0.25 + 0.25 * mast
        pen.line(box, [(x, 0.68), (x, 0.02)], pen.colours.dark, 0.012)
        for yard in range(3):
            y = 0.12 + 0.18 * yard
            sail = [(x - 0.1, y), (x + 0.1, y), (x + 0.12, y + 0.14), (x - 0.08, y + 0.14)]
            pen.shape(box, sail, pen.colours.trim)


def dam_wall(pen: Pen, box: Box) -> None:
    """A curved wall between two banks, with spillways."""
    pen.shape(box, [(0, 0.2), (0.5, 0.3), (1, 0.2), (0.75, 1), (0.25, 1)], pen.colours.trim)
    for spill in range(pen.few(2, 5)):
        x = 0.3 + 0.1 * spill
        pen.line(box, [(x, 0.3), (0.4 + (x - 0.4) * 0.6, 1)], pen.colours.water, 0.02)
    pen.line(box, [(0, 0.2), (0.5, 0.3), (1, 0.2)], pen.colours.dark, 0.015)


def chimneys(pen: Pen, box: Box) -> None:
    """A works: saw-tooth sheds and stacks."""
    for stack in box.part(0.05, 0, 0.95, 0.8).columns(pen.few(1, 4), 0.8):
        pen.rect(stack.part(0, pen.vary(0, 0.25), 1, 1), pen.colours.roof)
    for shed in box.part(0, 0.5, 1, 1).columns(pen.few(3, 6)):
        pen.shape(shed, [(0, 0.45), (0.9, 0), (1, 0.45), (1, 1), (0, 1)], pen.colours.wall)
        pen.rect(shed.part(0.15, 0.6, 0.85, 0.8), pen.colours.dark)


def headframe(pen: Pen, box: Box) -> None:
    """A mine's winding tower over a spoil heap."""
    pen.shape(box, [(0.35, 1), (0.75, 0.5), (1.1, 1)], pen.colours.stone)
    pen.line(box, [(0.2, 1), (0.32, 0.1), (0.44, 1)], pen.colours.dark, 0.018)
    pen.line(box, [(0.32, 0.12), (0.8, 1)], pen.colours.dark, 0.014)
    for level in range(2, 9, 2):
        pen.line(box, [(0.24, level / 10), (0.4, level / 10)], pen.colours.dark, 0.01)
    pen.ring(box.part(0.2, 0, 0.44, 0.22), pen.colours.roof, 0.016)
    archway(pen, box.part(0.02, 0.72, 0.18, 1))


def station(pen: Pen, box: Box) -> None:
    """A train shed of arched glass, tracks and a train."""
    pen.oval(box.part(0, 0, 1, 1.1), pen.colours.wall)
    pen.oval(box.part(0.06, 0.08, 0.94, 1.1), shaded(pen.colours.water, 0.9))
    for rib in range(1, pen.few(6, 10)):
        pen.line(box, [(0.5, 0.55), (rib / 9, 0.1)], pen.colours.wall, 0.006)
    pen.rect(box.part(0, 0.62, 1, 1), pen.colours.stone)
    pen.rect(box.part(0.05, 0.66, pen.vary(0.5, 0.9), 0.86), pen.colours.roof)
    windows(pen, box.part(0.07, 0.68, 0.5, 0.78))
    pen.line(box, [(0, 0.92), (1, 0.92)], pen.colours.dark, 0.012)


def airport(pen: Pen, box: Box) -> None:
    """A control tower, a terminal and an aeroplane."""
    pen.rect(box.part(0.1, 0.2, 0.18, 0.8), pen.colours.wall)
    pen.shape(box, [(0.04, 0.05), (0.24, 0.05), (0.2, 0.22), (0.08, 0.22)], pen.colours.dark)
    pen.rect(box.part(0.2, 0.5, 1, 0.78), pen.colours.wall)
    windows(pen, box.part(0.24, 0.54, 0.98, 0.74))
    pen.rect(box.part(0, 0.78, 1, 1), pen.colours.stone)
    left = pen.vary(0.2, 0.4)
    pen.oval(box.part(left, 0.72, left + 0.5, 0.86), pen.colours.trim)
    pen.shape(box, [(left, 0.78), (left - 0.06, 0.58), (left + 0.08, 0.74)], pen.colours.roof)
    pen.shape(box, [(left + 0.2, 0.8), (left + 0.1, 0.98), (left + 0.34, 0.8)], pen.colours.dark)


def stalls(pen: Pen, box: Box) -> None:
    """Market stalls under striped awnings."""
    for stall in box.columns(pen.few(3, 6), 0.12):
        for stripe, cell in enumerate(stall.part(0, 0.2, 1, 0.48).columns(6)):
            pen.rect(cell, pen.colours.trim if stripe % 2 else pen.colours.roof)
        pen.rect(stall.part(0.05, 0.48, 0.95, 1), pen.colours.dark)
        for crate in stall.part(0.08, 0.68, 0.92, 0.95).columns(3, 0.2):
            pen.oval(crate, (pen.few(120, 240), pen.few(60, 200), 50))


def graves(pen: Pen, box: Box) -> None:
    """Rows of gravestones, round-headed or crosses."""
    crosses = pen.chance(0.5)
    for row in range(3):
        band = box.part(0, row / 3, 1, (row + 0.85) / 3)
        for cell in band.columns(pen.few(4, 7), 0.45):
            if crosses:
                pen.rect(cell.part(0.38, 0, 0.62, 1), pen.colours.trim)
                pen.rect(cell.part(0.1, 0.22, 0.9, 0.42), pen.colours.trim)
            else:
                pen.oval(cell.part(0, 0, 1, 0.9), pen.colours.stone)
                pen.rect(cell.part(0, 0.45, 1, 1), pen.colours.stone)


def jets(pen: Pen, box: Box) -> None:
    """A fountain: a basin, a bowl on a stem, jets of water."""
    pen.rect(box.part(0.44, 0.35, 0.56, 0.9), pen.colours.stone)
    pen.oval(box.part(0.25, 0.4, 0.75, 0.52), pen.colours.stone)
    for jet in range(pen.few(3, 7)):
        reach = (jet - 3) * 0.09
        path = [(0.5, 0.4), (0.5 + reach * 0.6, 0.02 + abs(reach)), (0.5 + reach * 1.5, 0.75)]
        pen.line(box, path, pen.colours.trim, 0.01)
    pen.oval(box.part(0, 0.76, 1, 1.04), pen.colours.stone)
    pen.oval(box.part(0.06, 0.79, 0.94, 0.99), pen.colours.water)


def observatory_dome(pen: Pen, box: Box) -> None:
    """A white dome with an open slit on a drum."""
    pen.oval(box.part(0.1, 0, 0.9, 1.0), pen.colours.trim)
    slit = pen.vary(0.3, 0.6)
    pen.shape(
        box,
        [(slit, 0.03), (slit + 0.1, 0.02), (slit + 0.14, 0.5), (slit + 0.02, 0.5)],
        pen.colours.dark,
    )
    pen.rect(box.part(0.05, 0.5, 0.95, 1), pen.colours.wall)
    windows(pen, box.part(0.12, 0.62, 0.88, 0.92))


def shelves(pen: Pen, box: Box) -> None:
    """Shelves of books behind columns."""
    pen.rect(box, pen.colours.roof)
    rows = pen.few(3, 5)
    for row in range(rows):
        band = box.part(0.04, (row + 0.2) / rows, 0.96, (row + 0.92) / rows)
        for cell in band.columns(pen.few(12, 20), 0.1):
            spine = (pen.few(60, 230), pen.few(40, 200), pen.few(30, 160))
            pen.rect(cell.part(0, pen.vary(0, 0.4), 1, 1), spine)


def cages(pen: Pen, box: Box) -> None:
    """Enclosures behind bars, an animal in each."""
    for cell in box.columns(pen.few(2, 3), 0.08):
        pen.rect(cell, pen.colours.green)
        animal = (pen.few(120, 200), pen.few(90, 140), pen.few(50, 100))
        pen.oval(cell.part(0.2, 0.5, 0.75, 0.85), animal)
        pen.oval(cell.part(0.65, 0.32, 0.88, 0.6), animal)
        for bar in range(9):
            pen.line(cell, [(bar / 8, 0), (bar / 8, 1)], pen.colours.dark, 0.006)


def street(pen: Pen, box: Box) -> None:
    """A road that runs to the horizon between rows of fronts."""
    pen.shape(box, [(0.46, 0.4), (0.54, 0.4), (0.95, 1), (0.05, 1)], pen.colours.dark)
    for dash in range(5):
        y = 0.5 + 0.1 * dash
        pen.line(box, [(0.5, y), (0.5, y + 0.05)], pen.colours.trim, 0.006 + 0.002 * dash)
    for side in (-1, 1):
        for house in range(pen.few(3, 5)):
            near, far = 0.5 + side * (0.5 - 0.1 * house), 0.5 + side * (0.42 - 0.1 * house)
            top, foot = pen.vary(0.0, 0.2) + 0.06 * house, 1 - 0.13 * house
            colour = shaded(pen.colours.wall, 0.8 + 0.15 * (house % 3))
            pen.shape(
                box, [(near, top), (far, top + 0.05), (far, foot - 0.12), (near, foot)], colour
            )
