"""What the harness makes of scores: metrics, errors over groups, gains, and their verdicts."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.robustness import results

PART = results.Part(
    lambda *_: [],
    lambda _, score: {"mean": float(score.mean()), "most": float(score.max())},
    lambda _, score: float(score.mean()),
    ["ours"],
    ["one", "two"],
)


def measured(scores: dict[str, np.ndarray], groups: np.ndarray) -> results.Measured:
    return results.Measured(
        group="all",
        truth=np.zeros(len(groups)),
        groups=groups,
        scores=scores,
        positives=3,
        chosen={"ours": "size 2"},
        more={"ours": {"extra": math.nan}},
    )


def row(**changes: object) -> results.ResultRow:
    base = {"part": "p", "data": "d", "group": "g", "method": "m", "metric": "gain x"}
    numbers = {"seed": 0, "value": 0.0, "rows": 9, "positives": 2}
    return results.ResultRow(**{**base, **numbers, **changes})  # type: ignore[arg-type]


def test_the_error_is_that_of_a_mean_over_groups_and_not_over_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(results, "DRAWS", 4000)
    of_groups = np.random.default_rng(0).normal(size=25)
    groups = np.repeat(np.arange(25), 4)
    of = measured({"ours": of_groups[groups]}, groups)
    (found, *_) = results.result_rows("p", PART, "d", 0, of)
    assert found.group_error == pytest.approx(of_groups.std() / 5, rel=0.05)


def test_a_gain_is_drawn_in_pairs() -> None:
    scores = np.random.default_rng(0).normal(size=40)
    both = measured({"ours": scores + 0.1, "one": scores}, np.arange(40))
    *_, gain = results.result_rows("p", PART, "d", 0, both)
    assert (gain.metric, gain.method, gain.against) == ("gain mean", "ours", "one")
    assert gain.value == pytest.approx(0.1)
    assert gain.group_error == pytest.approx(0, abs=1e-6)


def test_a_spread_has_an_interval_over_seeds_and_one_over_groups() -> None:
    rows = [row(seed=seed, value=value, group_error=0.5) for seed, value in enumerate((1.0, 3.0))]
    spread = results.Spread.of([*rows, row(value=math.nan)])
    assert spread.mean == 2
    # Student's t of one degree of freedom, 12.706, times sqrt(2) / sqrt(2).
    assert spread.over_seeds == pytest.approx((2 - 12.706, 2 + 12.706), rel=1e-4)
    assert spread.over_groups == pytest.approx((2 - 0.98, 2 + 0.98))
    assert spread.widest == spread.over_seeds


def test_what_is_shown_reaches_as_far_as_either_interval() -> None:
    def shown(error: float, *values: float) -> bool:
        rows = [row(seed=seed, value=one, group_error=error) for seed, one in enumerate(values)]
        low, high = results.Spread.of(rows).widest
        return low < 0 < high

    assert not shown(0.1, 1.0, 1.1, 1.2)
    assert shown(1.0, 1.0, 1.1, 1.2)
    assert shown(0.1, -1.0, 1.1, 3.2)


def test_a_gain_is_over_the_rival_that_it_is_least_over() -> None:
    rows = [
        row(against=rival, seed=seed, value=value)
        for rival, value in (("one", 0.3), ("two", 0.1), ("three", math.nan))
        for seed in range(2)
    ]
    (gain,) = results.best_gains(rows)
    assert (gain.method, gain.against) == ("m", "two")
    assert gain.spread.mean == pytest.approx(0.1)


def test_the_file_has_a_line_a_metric_with_what_was_counted_and_chosen(tmp_path: Path) -> None:
    of = measured({"ours": np.array([0.0, 1.0])}, np.arange(2))
    found = results.result_rows("p", PART, "d", 4, of)
    results.write_results(tmp_path / "r.csv", found)
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("seed", "metric", "value", "rows", "positives", "against", "chosen")
    assert [[row[name] for name in names] for row in rows] == [
        ["4", "mean", "0.5", "2", "3", "", "size 2"],
        ["4", "most", "1.0", "2", "3", "", ""],
        ["4", "extra", "", "2", "3", "", ""],
    ]
