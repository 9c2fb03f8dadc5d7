"""The table of figures, written and read back."""

import csv
import dataclasses
import io
import math
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.results import read_results, to_csv, to_setting
from hgld.engine.dataset import Level
from hgld.errors import InputError, MissingInputError
from tests.benchmarks.retrieval.made_up import CONTINENT, LEVELS, changed, results_of


def write(folder: Path, results: object) -> None:
    (folder / "results.csv").write_text(to_csv(results), encoding="utf-8")  # type: ignore[arg-type]
    (folder / "setting.json").write_text(to_setting(results), encoding="utf-8")  # type: ignore[arg-type]


@pytest.mark.parametrize("levels", [(), LEVELS[:2], (*LEVELS, CONTINENT)], ids=len)
def test_results_come_back_as_they_were_written(tmp_path: Path, levels: tuple[Level, ...]) -> None:
    results = results_of('Église \u202e "quoted" <b>,\nof two lines', levels=levels)
    write(tmp_path, results)
    found = read_results(tmp_path)
    assert repr(found.rows) == repr(results.rows)  # in which NaN equals NaN
    assert dataclasses.replace(found, rows=()) == dataclasses.replace(results, rows=())


def test_each_figure_is_a_row_in_full_and_what_is_undefined_is_empty() -> None:
    results = changed(
        results_of(),
        lambda row: dataclasses.replace(row, mean=math.nan) if row.metric == "asi" else row,
    )
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    of_after = [row for row in rows if row["method"] == "after" and not row["label"]]
    (h_ap,) = [
        row for row in of_after if row["metric"] == "h_ap" and not row["run"] + row["against"]
    ]
    known = {name: text for name, text in h_ap.items() if text}
    assert known == {
        "method": "after",
        "metric": "h_ap",
        "level": "all levels",
        "mean": "0.475",
        "standard_error": "0.0125",
        "low": "0.44999999999999996",
        "high": "0.5",
        "queries": "9",
        "groups": "9",
        "undefined": "2",
        "seeds": "2",
        "deviation": "0.005",
        "seed_low": "0.43",
        "seed_high": "0.51",
    }
    assert {row["mean"] for row in rows if row["metric"] == "asi"} == {""}
    assert [row["seed"] for row in of_after if row["metric"] == "h_ap"] == ["", "0", "1", ""]


def test_a_figure_is_found_by_what_it_is_of_and_is_undefined_where_there_is_none() -> None:
    results = results_of("x")
    assert results.row("after", "h_ap").mean == 0.475
    assert results.row("after", "h_ap", run="x-1").seed == 1
    assert results.row("after", "h_ap", against="before").higher == 6
    assert results.row("after", "h_ap", label="tower").queries == 2
    assert math.isnan(results.row("after", "unheard_of").mean)


def test_without_results_it_says_to_run_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="benchmark"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("setting.json", lambda text: text[:-3]),
        ("setting.json", lambda _: "[]"),
        ("setting.json", lambda text: text.replace("recall_at", "recall")),
        ("results.csv", lambda text: text.replace("metric", "measure", 1)),
        ("results.csv", lambda text: text.rpartition(",")[0]),
        ("results.csv", lambda text: text.replace("0.475", "much")),
        ("results.csv", lambda text: text.replace("\n", ",1\n", 2)),
    ],
)
def test_what_are_no_results_is_refused(tmp_path: Path, file: str, change: object) -> None:
    write(tmp_path, results_of())
    path = tmp_path / file
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(InputError, match="results"):
        read_results(tmp_path)
