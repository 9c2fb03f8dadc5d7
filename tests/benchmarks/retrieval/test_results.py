"""The table of figures, written and read back, and how its figures are shown."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.results import (
    Cell,
    Metric,
    Results,
    Row,
    best_first,
    cells_of,
    level_of,
    metrics_of,
    read_results,
    shown_metrics,
    to_csv,
    to_setting,
)
from hgld.engine.dataset import Level
from hgld.errors import InputError, MissingInputError
from tests.benchmarks.retrieval.made_up import CONTINENT, LEVELS, changed, results_of, with_mean

SHARE = Metric(key="h_ap", title="H-AP", level="all levels")
SEVERITY = Metric(
    key="mistake_severity_at_1", title="Mistake severity", level="all levels", is_share=False
)


def write(folder: Path, results: Results) -> None:
    (folder / "results.csv").write_text(to_csv(results), encoding="utf-8")
    (folder / "setting.json").write_text(to_setting(results), encoding="utf-8")


@pytest.mark.parametrize("levels", [(), LEVELS[:2], (*LEVELS, CONTINENT)], ids=len)
def test_results_come_back_as_they_were_written(tmp_path: Path, levels: tuple[Level, ...]) -> None:
    results = results_of('Église \u202e "quoted" <b>,\nof two lines', levels=levels)
    write(tmp_path, results)
    found = read_results(tmp_path)
    assert repr(found.rows) == repr(results.rows)  # in which NaN equals NaN
    assert dataclasses.replace(found, rows=()) == dataclasses.replace(results, rows=())


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("setting.json", lambda text: text[:-3]),
        ("setting.json", lambda text: text.replace("recall_at", "recall")),
        ("results.csv", lambda text: text.replace("metric", "measure", 1)),
        ("results.csv", lambda text: text.rpartition(",")[0]),
        ("results.csv", lambda text: text.replace("\n", ",1\n", 2)),
    ],
)
def test_what_are_no_results_is_refused(
    tmp_path: Path, file: str, change: Callable[[str], str]
) -> None:
    with pytest.raises(MissingInputError, match="benchmark"):
        read_results(tmp_path)
    write(tmp_path, results_of())
    path = tmp_path / file
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match="results"):
        read_results(tmp_path)


def cells(before: float, after: float, p_value: float = 0.01, of: Metric = SHARE) -> list[Cell]:
    results = results_of(means=(before, after))
    results = changed(results, lambda row: dataclasses.replace(row, holm_p_value=p_value))
    return list(cells_of(results, of).values())


@pytest.mark.parametrize(
    ("values", "best", "tied"),
    [
        ((0.3, 0.475), [False, True], [False, False]),
        ((0.3, 0.1), [True, False], [False, False]),
        ((0.3, 0.3), [False, False], [False, False]),  # nobody is better
        ((math.nan, 0.3), [False, False], [False, False]),
        ((0.47, 0.475, 0.05), [False, True], [True, False]),
        ((0.47, 0.475, 0.049), [False, True], [False, False]),
        ((0.47, 0.475, math.nan), [False, True], [False, False]),  # nothing was tested
        ((0.3, 0.475, 0.01, SEVERITY), [True, False], [False, False]),
    ],
)
def test_the_best_is_marked_and_what_no_test_tells_from_it(
    values: tuple[float, float], best: list[bool], tied: list[bool]
) -> None:
    found = cells(*values)
    assert ([one.is_best for one in found], [one.is_tied for one in found]) == (best, tied)


def test_numbers_are_written_in_percent_or_in_levels_with_their_interval() -> None:
    before, after = cells(math.nan, 0.475)
    assert (before.mean, before.interval) == ("n/a", "")
    assert (after.mean, after.error, after.interval) == ("47.5", "1.2", "[45.0, 50.0]")
    assert (SHARE.text(0.1234), SEVERITY.text(1.234)) == ("12.3", "1.23")
    assert (SHARE.change_text(-0.02), SEVERITY.change_text(-0.02)) == ("-2.0", "-0.02")
    assert (SEVERITY.change_text(0.5), SEVERITY.change_text(-0.001)) == ("+0.50", "0.00")
    row = dataclasses.replace(with_mean(Row(method="a", metric="h_ap"), 0.5), against="b")
    assert SHARE.interval_text(row) == "[+47.5, +52.5]"
    results = results_of(means=(0.3, math.nan))
    assert [one.name for one in best_first(results, SHARE)] == ["before", "after"]
    assert [one.name for one in best_first(results_of(), SEVERITY)] == ["before", "after"]


def test_the_end_of_a_key_says_of_which_level_a_metric_is() -> None:
    keys = ("h_ap", "r_at_5_hierarchical_label", "mistake_severity_at_10")
    assert [level_of(key, LEVELS) for key in keys] == ["all levels", "super-category", "all levels"]
    assert level_of("ap_easy", ()) == "easy"


GRADED = ["H-AP", "NDCG", "ASI", "HOPS", "Mistake severity"]
ROWS = ["mAP@100", "R@1", "R@4", "Level recall@4"]
FINEST = ["mAP", "mAP@R", "mAP@100", "R@1", "R@4"]
REVISITED = ["mAP", "mP@1", "mP@5", "mP@10"]


@pytest.mark.parametrize(
    ("levels", "on", "titles"),
    [
        (LEVELS, "", GRADED + [title for title in ROWS for _ in LEVELS]),
        (LEVELS[:2], "sop", [*GRADED, *FINEST, "mAP", "mAP@100", "R@1"]),
        (LEVELS[:1], "cub200", FINEST),
        ((), "roxford5k", 2 * REVISITED),
    ],
)
def test_a_data_set_has_the_metrics_that_papers_state_of_it(
    levels: tuple[Level, ...], on: str, titles: list[str]
) -> None:
    found = shown_metrics(levels, (1, 4), is_data_set=on != "")
    assert [one.title for one in found] == titles
    assert len({one.key for one in found}) == len(found)


def test_results_from_before_a_metric_have_no_column_of_it() -> None:
    results = results_of()
    rows = tuple(row for row in results.rows if row.metric != "hops")
    old, new = metrics_of(dataclasses.replace(results, rows=rows)), metrics_of(results)
    assert [one for one in new if one.key != "hops"] == old != new
