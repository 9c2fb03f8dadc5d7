"""The curves of a simulated review as one SVG that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 480, 340, 56, 64, 20, 48
_COLOURS = ("#8a8a8a", "#c05a00", "#1f5fa8")
"""Grey, orange, blue: told apart without red and green, and by their dashes."""
_DASHES = ("", "6 3", "")
_LEGEND = 22
_COLUMNS = 2


class EffortPanel(NamedTuple):
    """One way of counting."""

    title: str
    note: str
    curves: Mapping[str, Sequence[Sequence[float]]]
    """Name of a way to the curve of each seed: the share that is right after 0, 1, 2 ... actions.
    """


def effort_plot(panels: Sequence[EffortPanel], wanted: float) -> str:
    """Draws panels, two in a row: a thin line a seed, a thick one for their mean.

    Args:
        panels: each of the same ways, three of them at most.
        wanted: the share that is marked by a line across, 0 to 1.

    Returns:
        SVG.
    """
    names = list(panels[0].curves)
    rows = -(-len(panels) // _COLUMNS)
    width, foot = _WIDTH * _COLUMNS, _HEIGHT * rows
    height = foot + _LEGEND * len(names)
    drawn = "".join(
        f'<g transform="translate({place % _COLUMNS * _WIDTH} {place // _COLUMNS * _HEIGHT})">'
        f"{_panel(panel, wanted)}</g>\n"
        for place, panel in enumerate(panels)
    )
    legend = "".join(
        f'<path d="M{_LEFT} {foot + _LEGEND * row + 4}h28" {_stroke(row, 2.5)}/>'
        f'<text x="{_LEFT + 36}" y="{foot + _LEGEND * row + 8}">{escape(name)}</text>'
        for row, name in enumerate(names)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="11">\n'
        f"<title>Landmarks rightly labelled against the reviewer's actions</title>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{drawn}{legend}</svg>\n'
    )


def mean_curve(runs: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Returns the mean of curves at each number of actions; one that has ended stays as it is.

    Example:
        >>> mean_curve([[0, 1], [0, 0, 1]]).tolist()
        [0.0, 0.5, 1.0]
    """
    length = max(len(run) for run in runs)
    padded = [[*run, *[run[-1]] * (length - len(run))] for run in runs]
    return np.asarray(np.mean(padded, axis=0), dtype=np.float64)


def _panel(panel: EffortPanel, wanted: float) -> str:
    most = max(len(run) - 1 for runs in panel.curves.values() for run in runs)
    foot, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    step = 10 ** max(len(str(most)) - 1, 0)
    step = step if most >= 3 * step else max(step // 5, 1)
    parts = [
        f'<text x="16" y="22" font-size="14" font-weight="bold">{escape(panel.title)}</text>',
        f'<text x="16" y="40" fill="#555">{escape(panel.note)}</text>',
        f'<text x="{(_LEFT + right) / 2}" y="{foot + 34}" text-anchor="middle">actions</text>',
    ]
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#e4e4e4"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10 * tenth}%</text>'
        )
    for actions in range(0, most + 1, step):
        x = _x(actions, most)
        parts.append(f'<text x="{x:.1f}" y="{foot + 16}" text-anchor="middle">{actions}</text>')
    parts.append(
        f'<path d="M{_LEFT} {_y(wanted):.1f}H{right}" stroke="#333" stroke-dasharray="2 3"/>'
        f'<text x="{right}" y="{_y(wanted) + 13:.1f}" text-anchor="end" fill="#333">'
        f"{100 * wanted:g}%</text>"
    )
    # The last first: where curves are one, the dashes of the others are seen on it.
    for row, runs in reversed(list(enumerate(panel.curves.values()))):
        parts += [_line(run, most, f'{_stroke(row, 1)} opacity="0.25"') for run in runs]
        parts.append(_line(mean_curve(runs).tolist(), most, _stroke(row, 2.5)))
    return "".join(parts)


def _line(run: Sequence[float], most: int, style: str) -> str:
    places = " ".join(f"{_x(at, most):.1f},{_y(right):.1f}" for at, right in enumerate(run))
    return f'<polyline points="{places}" {style}/>'


def _stroke(row: int, width: float) -> str:
    dash = f' stroke-dasharray="{_DASHES[row]}"' if _DASHES[row] else ""
    return f'fill="none" stroke="{_COLOURS[row]}" stroke-width="{width}"{dash}'


def _x(actions: float, most: int) -> float:
    return _LEFT + (_WIDTH - _RIGHT - _LEFT) * actions / max(most, 1)


def _y(share: float) -> float:
    return (_HEIGHT - _BOTTOM) - (_HEIGHT - _BOTTOM - _TOP) * share
