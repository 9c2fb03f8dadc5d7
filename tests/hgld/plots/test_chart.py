"""What is drawn: every spike, no bridge over a gap, round ticks, marks where the numbers say."""

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.plots import chart as plots
from hgld.plots.chart import Chart, Drawing, Line, draw, figure
from hgld.plots.marks import Dot, dots_plot
from hgld.plots.pages import number

values = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def line_of(found: Sequence[float]) -> Line:
    return range(1, len(found) + 1), found


def drawn(found: Sequence[float], **options: bool) -> Drawing:
    chart = Chart(title="Loss", lines={"loss": line_of(found)}, **options)  # type: ignore[arg-type]
    return draw(chart)


@settings(max_examples=30, deadline=None)
@given(
    found=st.lists(values | st.just(math.nan), min_size=1, max_size=400), columns=st.integers(1, 50)
)
def test_thinning_keeps_the_extremes_of_every_column_and_adds_nothing(
    found: list[float], columns: int
) -> None:
    last = len(found)
    kept = [
        point
        for stretch in plots.thinned(line_of(found), columns, x_end=last)
        for point in zip(*stretch, strict=True)
    ]
    assert kept == sorted(kept)
    assert set(kept) <= set(zip(*line_of(found), strict=True))
    for column in range(columns + 1):
        inside = [
            y for x, y in enumerate(found, 1) if x * columns // last == column and math.isfinite(y)
        ]
        shown = [y for x, y in kept if x * columns // last == column]
        if inside:
            assert {min(inside), max(inside)} <= set(shown)
    assert len(kept) <= 4 * (columns + 1) + 4 * sum(map(math.isnan, found))


def test_a_gap_where_a_value_is_not_finite_is_not_drawn_over() -> None:
    drawing = drawn([1, 2, math.nan, 3, 4])
    assert drawing.lines[0].path.count("M") == 2
    assert [texts for _, texts in drawing.rows] == [["1"], ["2"], ["n/a"], ["3"], ["4"]]


@settings(max_examples=30, deadline=None)
@given(
    found=st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=50)
    | st.lists(values, min_size=1, max_size=50)
)
def test_every_point_and_tick_is_on_the_plot(found: list[float]) -> None:
    drawing = drawn(found, may_be_log=True)
    numbers = [float(n) for n in re.findall(r"[-\d.e+]+", drawing.lines[0].path)]
    assert all(-1 <= number <= 1001 for number in numbers)
    for tick in (*drawing.x_ticks, *drawing.y_ticks):
        assert -0.01 <= tick.at <= 100.01
    assert len(drawing.y_ticks) <= 9


def test_several_lines_share_the_axes_and_the_rows() -> None:
    lines = {"H-AP": ([10, 20], [0.5, 0.6]), "mAP": ([20, 30], [0.25, math.nan])}
    drawing = draw(Chart(title="Validation", lines=lines, x_end=40, x_mark=20))
    assert drawing.rows == [("10", ["0.5", ""]), ("20", ["0.6", "0.25"]), ("30", ["", "n/a"])]
    assert [line.last for line in drawing.lines] == ["0.6", "0.25"]
    assert drawing.lines[0].dots[0][0] == 25.0  # 10 of 40


def test_a_figure_is_an_svg_file_of_its_own() -> None:
    svg = ElementTree.fromstring(figure([drawn([1.0, -2.0]), drawn([3.0] * 50)], "<Two>"))  # noqa: S314
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert svg.get("aria-label") == "<Two>"
    assert len(svg.findall(".//{*}path")) == 2 + 1  # and the one name of both


def test_the_moving_mean_is_the_mean_of_the_values_around() -> None:
    found = [float((7 * n) % 11) for n in range(30)]
    means = plots.moving_mean(found, 5)
    for place in range(30):
        around = found[max(place - 2, 0) : place + 3]
        assert means[place] == pytest.approx(sum(around) / len(around))
    assert plots.moving_mean([1.0, 100.0, 10.0], 3, is_log=True)[1] == pytest.approx(10.0)
    assert math.isnan(plots.moving_mean([math.nan] * 3, 1)[1])


@pytest.mark.parametrize(
    "values",
    [[0.31, 0.58], [-0.2, 0.413], [0.5], [0.0], [0.1234, 0.12345], [0.0, 1.0], [], [math.nan, 0.3]],
)
def test_an_axis_has_a_few_round_ticks_and_room_for_every_value(values: list[float]) -> None:
    axis = plots.axis_of(values, margin=3)
    assert 2 <= len(axis.ticks) <= 7
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert (axis.at(axis.low), axis.at(axis.high)) == (3, 97)
    for value in values:
        assert math.isnan(value) or axis.low <= value <= axis.high
    assert plots.axis_of([1.0, 1.0], limits=(0, 1)).high == 1


def test_a_logarithmic_axis_has_a_tick_at_decades() -> None:
    axis = plots.log_axis_of([0.5, 900.0, math.nan])
    assert axis is not None
    assert [tick.text for tick in axis.marked(number)] == ["1", "10", "100", "1,000"]
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(100) - axis.at(10), abs=0.02)
    near = plots.log_axis_of([1.0, 40.0])
    assert near is not None
    assert near.ticks == (1, 3, 10, 30)


def dot(value: float, low: float = math.nan, high: float = math.nan) -> Dot:
    return Dot(name="ours", value=value, text="", low=low, high=high)


def test_marks_stand_where_the_numbers_say() -> None:
    # From 25 to 50: 27.5, 30 and 32.5 stand at 1/10, 2/10 and 3/10 of the 94 between 3 and 97.
    plot = dots_plot([dot(48, 46, 50), dot(30, 27.5, 32.5)], "{:.0f}".format)
    assert [tick.text for tick in plot.ticks] == ["25", "30", "35", "40", "45", "50"]
    after, before = plot.marks
    assert (before.low, before.at, before.high) == pytest.approx((12.4, 21.8, 31.2), abs=0.01)
    assert after.high == 97
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
