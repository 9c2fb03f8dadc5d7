import math

import pytest

from hgld.plots.dots import Dot, dots_plot


def dot(value: float, low: float = math.nan, high: float = math.nan) -> Dot:
    return Dot(name="ours", value=value, text="", low=low, high=high, runs=(value,))


def test_marks_stand_where_the_numbers_say() -> None:
    # From 25 to 50: 27.5, 30 and 32.5 stand at 1/10, 2/10 and 3/10 of the 94 between 3 and 97.
    plot = dots_plot([dot(48, 46, 50), dot(30, 27.5, 32.5)], "{:.0f}".format)
    assert [tick.text for tick in plot.ticks] == ["25", "30", "35", "40", "45", "50"]
    after, before = plot.marks
    assert (before.low, before.at, before.high) == pytest.approx((12.4, 21.8, 31.2), abs=0.01)
    assert (after.high, after.runs) == (97, (after.at,))
    assert plot.zero is None


def test_what_has_no_value_is_left_out_and_what_has_no_interval_has_no_bar() -> None:
    (mark,) = dots_plot([dot(math.nan), dot(0.3)], str).marks
    assert mark.low == mark.at == mark.high


def test_changes_stand_on_both_sides_of_zero() -> None:
    gain, loss = (plot := dots_plot([dot(0.2), dot(-0.1)], str, is_change=True)).marks
    assert plot.zero is not None
    assert loss.at < plot.zero < gain.at
    only_gains = dots_plot([dot(0.2)], str, is_change=True)
    assert only_gains.zero == only_gains.ticks[0].at
