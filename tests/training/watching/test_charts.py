"""What is drawn of a curve: every spike, round ticks, and words for who sees no picture."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.training.watching.charts import Chart, draw, moving_mean, thinned
from hgld.training.watching.lines import Curve

values = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def curve_of(found: list[float]) -> Curve:
    return Curve(list(range(1, len(found) + 1)), found)


@settings(max_examples=30, deadline=None)
@given(
    found=st.lists(values | st.just(math.nan), min_size=1, max_size=400), columns=st.integers(1, 50)
)
def test_thinning_keeps_the_extremes_of_every_column_and_adds_nothing(
    found: list[float], columns: int
) -> None:
    last = len(found)
    points = list(zip(*curve_of(found), strict=True))
    kept = [
        point
        for stretch in thinned(curve_of(found), columns, last_step=last)
        for point in zip(*stretch, strict=True)
    ]
    assert kept == sorted(kept)
    assert set(kept) <= set(points)
    for column in range(columns + 1):
        inside = [v for s, v in points if s * columns // last == column and math.isfinite(v)]
        drawn = [v for s, v in kept if s * columns // last == column]
        if inside:
            assert {min(inside), max(inside)} <= set(drawn)
    assert len(kept) <= 4 * (columns + 1) + 4 * sum(map(math.isnan, found))


def test_a_spike_of_one_step_in_twenty_thousand_is_in_the_path() -> None:
    found = [1.0 + 0.001 * (n % 7) for n in range(20_000)]
    found[4_321] = 29.0
    drawing = draw(Chart(title="Gradient", about="", curves={"norm": curve_of(found)}))
    heights = [float(y) for y in re.findall(r" ([\d.]+)", drawing.curves[0].path)]
    assert len(heights) < 4 * 482
    # Its axis goes from 0 to 30, and y grows downwards.
    assert min(heights) == pytest.approx(1000 * (30 - 29) / 30, rel=0.01)
    assert "4,322" in drawing.described


def test_a_gap_where_a_value_is_not_finite_is_not_drawn_over() -> None:
    drawing = draw(Chart(title="Loss", about="", curves={"loss": curve_of([1, 2, math.nan, 3, 4])}))
    assert drawing.curves[0].path.count("M") == 2
    assert [texts for _, texts in drawing.rows] == [["1"], ["2"], ["n/a"], ["3"], ["4"]]


@settings(max_examples=30, deadline=None)
@given(
    found=st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=50)
    | st.lists(values, min_size=1, max_size=50)
)
def test_every_point_and_tick_is_on_the_plot(found: list[float]) -> None:
    drawing = draw(Chart(title="Loss", about="", curves={"loss": curve_of(found)}))
    numbers = [float(n) for n in re.findall(r"[-\d.e+]+", drawing.curves[0].path)]
    assert all(-1 <= number <= 1001 for number in numbers)
    for tick in (*drawing.x_ticks, *drawing.y_ticks):
        assert -0.01 <= tick.at <= 100.01
    assert len(drawing.y_ticks) <= 9


def test_ticks_are_round_and_tell_apart() -> None:
    drawing = draw(Chart(title="Loss", about="", curves={"loss": curve_of([0.213, 0.687])}))
    assert [tick.text for tick in drawing.y_ticks] == ["0.2", "0.4", "0.6", "0.8"]
    assert [round(tick.at) for tick in drawing.y_ticks] == [100, 67, 33, 0]
    logarithmic = draw(Chart(title="Norm", about="", curves={"norm": curve_of([0.5, 900.0])}))
    assert logarithmic.scale == "log"
    assert [tick.text for tick in logarithmic.y_ticks] == ["1", "10", "100", "1,000"]


def test_percents_stay_within_their_range_and_some_scales_are_linear_always() -> None:
    perfect = Curve([1, 2], [1.0, 1.0])
    drawing = draw(Chart(title="Validation", about="", curves={"h": perfect}, is_percent=True))
    assert [tick.text for tick in drawing.y_ticks][-1] == "100.0"
    assert drawing.y_ticks[-1].at == 0
    rates = curve_of([1e-3, 1e-9])
    assert draw(Chart(title="Rate", about="", curves={"rate": rates})).scale == "log"
    linear = draw(Chart(title="Rate", about="", curves={"rate": rates}, is_linear=True))
    assert linear.scale == "linear"
    assert linear.y_ticks[0].text == "0"


def test_several_curves_share_the_scale_and_the_rows() -> None:
    drawing = draw(
        Chart(
            title="Validation",
            about="",
            curves={"H-AP": Curve([10, 20], [0.5, 0.6]), "mAP": Curve([20, 30], [0.25, math.nan])},
            is_percent=True,
        ),
        until=40,
    )
    assert drawing.rows == [
        ("10", ["50.0", ""]),
        ("20", ["60.0", "25.0"]),
        ("30", ["", "n/a"]),
    ]
    assert [curve.last for curve in drawing.curves] == ["60.0", "25.0"]
    assert drawing.curves[0].dots[0][0] == 25.0  # step 10 of 40


def test_the_table_has_few_rows_and_the_last_step() -> None:
    drawing = draw(Chart(title="Loss", about="", curves={"loss": curve_of([1.0] * 1000)}))
    assert len(drawing.rows) <= 24
    assert drawing.rows[-1][0] == "1,000"


def test_the_moving_mean_is_the_mean_of_the_values_around() -> None:
    found = [float((7 * n) % 11) for n in range(30)]
    means = moving_mean(curve_of(found), 5).values
    for place in range(30):
        around = found[max(place - 2, 0) : place + 3]
        assert means[place] == pytest.approx(sum(around) / len(around))
    geometric = moving_mean(curve_of([1.0, 100.0, 10.0]), 3, "log").values
    assert geometric[1] == pytest.approx(10.0)


def test_a_curve_without_a_value_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="Loss"):
        draw(Chart(title="Loss", about="", curves={"loss": curve_of([math.nan])}))
