import math

import pytest

from hgld.plots.axes import axis_between, axis_of, log_axis_of
from hgld.plots.pages import number


@pytest.mark.parametrize(
    "values",
    [[0.31, 0.58], [-0.2, 0.413], [0.5], [0.0], [0.1234, 0.12345], [0.0, 1.0], [], [math.nan, 0.3]],
)
def test_an_axis_has_a_few_round_ticks_and_room_for_every_value(values: list[float]) -> None:
    axis = axis_of(values, margin=3)
    assert 2 <= len(axis.ticks) <= 7
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert (axis.at(axis.low), axis.at(axis.high)) == (3, 97)
    for value in values:
        assert math.isnan(value) or axis.low <= value <= axis.high
    assert axis_of([1.0, 1.0], limits=(0, 1)).high == 1


def test_an_axis_with_given_ends_has_its_ticks_inside() -> None:
    axis = axis_between(0, 1234)
    assert [tick.at for tick in axis.marked(number)] == pytest.approx(
        [0, 20.26, 40.52, 60.78, 81.04], abs=0.01
    )


def test_a_logarithmic_axis_has_a_tick_at_decades() -> None:
    axis = log_axis_of([0.5, 900.0, math.nan])
    assert axis is not None
    assert [tick.text for tick in axis.marked(number)] == ["1", "10", "100", "1,000"]
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(100) - axis.at(10), abs=0.02)
    near = log_axis_of([1.0, 40.0])
    assert near is not None
    assert near.ticks == (1, 3, 10, 30)
