"""Where lines and ticks of a plot are."""

import math

import pytest

from hgld.benchmarks.robustness.records import PlotLine
from hgld.benchmarks.robustness.report.plots import HEIGHT, WIDTH, draw_lines, nice_ticks


def test_lines_lie_within_the_axes_and_higher_values_higher_up() -> None:
    line = PlotLine(x=[0.02, 0.5, 1.0], y=[0.9, 0.5, 0.3])
    plot = draw_lines([("a", 2, line)], ("x", "y"))
    assert plot is not None
    (drawn,) = plot.lines
    points = [tuple(map(float, one.split(","))) for one in drawn.points.split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # falling, and y grows downwards
    assert points[-1][0] == plot.right
    assert all(plot.left <= x <= plot.right and plot.top <= y <= plot.bottom for x, y in points)
    assert [one.text for one in plot.up] == ["20%", "40%", "60%", "80%", "100%"]
    assert plot.up[0].at == plot.bottom
    assert (plot.right < WIDTH, plot.bottom < HEIGHT) == (True, True)


def test_what_is_undefined_is_not_drawn() -> None:
    gap = PlotLine(x=[0.1, 0.5, 1.0], y=[math.nan, 0.5, 0.3])
    plot = draw_lines([("a", 0, gap)], ("x", "y"))
    assert plot is not None
    assert plot.lines[0].points.count(",") == 2
    assert draw_lines([("a", 0, PlotLine(x=[0.5], y=[0.5]))], ("x", "y")) is None
    assert draw_lines([], ("x", "y")) is None


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.0), (0.3, 0.3), (0.0, 1.0), (0.001, 0.0042), (0.97, 1.0)]
)
def test_ticks_hold_the_range_and_are_few(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
