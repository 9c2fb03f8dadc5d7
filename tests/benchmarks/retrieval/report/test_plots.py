import dataclasses
import math

import pytest

from hgld.benchmarks.retrieval.report.metrics import metrics_of
from hgld.benchmarks.retrieval.report.plots import gains_plot, leaderboard_plot, plot_scale
from tests.benchmarks.retrieval.report.made_up import measure, method_of, page_of, results_of


@pytest.mark.parametrize(
    "values",
    [[0.31, 0.58], [-0.2, 0.413], [0.5], [0.0], [0.1234, 0.12345], [0.0, 1.0], [], [math.nan, 0.3]],
)
def test_a_scale_has_a_few_round_ticks_and_room_for_every_value(values: list[float]) -> None:
    scale = plot_scale(values)
    assert 2 <= len(scale.ticks) <= 7
    assert list(scale.ticks) == sorted(set(scale.ticks))
    assert scale.at(scale.low) == 3
    assert scale.at(scale.high) == 97
    for value in values:
        assert math.isnan(value) or scale.low <= value <= scale.high


def test_marks_stand_where_the_numbers_say() -> None:
    results = results_of()
    plot = leaderboard_plot(results, metrics_of(results)[0])
    assert [mark.name for mark in plot.marks] == ["after Space Needle", "before Space Needle"]
    assert [mark.number for mark in plot.marks] == [1, 0]
    # From 25 to 50 percent: 27.5, 30.0 and 32.5 stand at 1/10, 2/10 and 3/10 of the 94 between 3
    # and 97.
    assert [text for _, text in plot.ticks] == ["25.0", "30.0", "35.0", "40.0", "45.0", "50.0"]
    after, before = plot.marks
    assert (before.low, before.at, before.high) == pytest.approx((12.4, 21.8, 31.2), abs=0.01)
    assert (after.at, after.high) == pytest.approx((87.6, 97.0), abs=0.01)
    marks = [
        attrs["x"] for tag, attrs in page_of(results).elements if tag == "svg" and "x" in attrs
    ]
    assert marks == [f"{after.at}%", f"{before.at}%"] * 4


def test_what_has_no_value_has_no_mark_and_what_has_no_interval_no_bar() -> None:
    results = results_of()
    metric = metrics_of(results)[0]
    results.methods[0].measures["h_ap"] = dataclasses.replace(measure(0.3), mean=math.nan)
    results.methods[1].measures["h_ap"] = dataclasses.replace(
        measure(0.3), low=math.nan, high=math.nan
    )
    (mark,) = leaderboard_plot(results, metric).marks
    assert mark.low == mark.at == mark.high
    assert mark.interval == ""


def test_gains_are_sorted_and_those_of_few_queries_are_no_part() -> None:
    method = dataclasses.replace(
        method_of("x", "after", 0.4, "before"),
        gain_by_label={
            "lake": measure(-0.1),
            "tower": measure(0.409, 0.409, queries=4),
            "bridge": measure(0.2),
            "castle": measure(0.2, queries=5),
        },
    )
    plot = gains_plot(method, metrics_of(results_of())[0])
    assert [(mark.name, mark.queries) for mark in plot.marks] == [
        *(("bridge", 9), ("castle", 5), ("lake", 9))
    ]
    assert [mark.is_gain for mark in plot.marks] == [True, True, False]
    assert plot.marks[-1].at < plot.zero < plot.marks[0].at
    assert [mark.text for mark in plot.marks] == ["+20.0", "+20.0", "-10.0"]
