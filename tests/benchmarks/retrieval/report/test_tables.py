import csv
import dataclasses
import io
import math
import re

from rich.console import Console

from hgld.benchmarks.retrieval.report.tables import CSV_COLUMNS, format_table, to_csv, to_latex
from tests.benchmarks.retrieval.report.made_up import KEYS, measure, results_of


def test_the_terminal_table_shows_every_method_and_metric() -> None:
    console = Console(file=io.StringIO(), width=160, record=True)
    console.print(format_table(results_of("[bold]x[/bold] [/]")))
    text = console.export_text()
    assert "11 queries, 1,234 index images" in text
    assert "before [bold]x[/bold] [/]" in text  # a name is no markup
    rows = [line for line in text.splitlines() if "±" in line and "│" in line]
    assert len(rows) == 13
    assert re.search(r"H-AP +│ all levels +│ +30\.0 ± 1\.2 │ +47\.5 ± 1\.2", rows[0])
    assert re.search(r"Mistake severity +│ all levels +│ +0\.30 ± 0\.01 │ +0\.47 ± 0\.01", rows[3])
    assert "super-category" in rows[5]


def test_the_csv_has_every_figure_in_full() -> None:
    results = results_of('a "quoted", name\nof two lines')
    text = to_csv(results)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == CSV_COLUMNS
    of_after = {row["metric"]: row for row in rows if row["method"] == "after"}
    assert set(of_after) == {
        *KEYS,
        *("training_hours", "peak_memory_mb", "parameters", "embedding_dim", "images_per_s"),
    }
    assert of_after["h_ap"] | {"title": ""} == {
        "method": "after",
        "title": "",
        "metric": "h_ap",
        "level": "all levels",
        "mean": "0.475",
        "standard_error": "0.0125",
        "low": "0.44999999999999996",
        "high": "0.5",
        "queries": "9",
        "undefined": "2",
    }
    assert of_after["r_at_1_hierarchical_label"]["level"] == "super-category"
    assert of_after["training_hours"]["mean"] == "0.7"
    assert of_after["peak_memory_mb"]["mean"] == ""
    assert {row["title"] for row in rows} == {
        f"{one.name} {results.methods[0].description}" for one in results.methods
    }


def test_what_is_undefined_is_empty_in_the_csv() -> None:
    results = results_of()
    nothing = dataclasses.replace(measure(0.1), mean=math.nan, low=math.nan, high=math.nan)
    results.methods[0].measures["asi"] = nothing
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(to_csv(results)))
        if (row["method"], row["metric"]) == ("before", "asi")
    ]
    assert (row["mean"], row["low"], row["undefined"]) == ("", "", "2")
    assert "nan" not in to_csv(results)


def test_latex_has_a_row_a_method_best_first_and_the_best_in_bold() -> None:
    text = to_latex(results_of())
    lines = text.splitlines()
    assert lines[1] == rf"\begin{{tabular}}{{l{'r' * 13}}}"
    assert [line for line in lines if line in {r"\toprule", r"\midrule", r"\bottomrule"}] == [
        *(r"\toprule", r"\midrule", r"\bottomrule")
    ]
    head, *rows = [line for line in lines if line.endswith(r" \\")]
    assert all(line.count(" & ") == 13 for line in (head, *rows))
    assert rows[0].startswith(
        r"after Space Needle & \textbf{47.5} {\scriptsize [45.0, 50.0]} & \textbf{47.5}"
    )
    assert rows[1].startswith(r"before Space Needle & 30.0 {\scriptsize [27.5, 32.5]} & 30.0")
    assert r"\textbf{0.30}" in rows[1]  # of levels missed fewer are better


def test_latex_sets_names_as_they_are_and_says_what_is_tied() -> None:
    results = results_of("50% of A_B & C$ #1 {x} ~ ^ \\ [1]")
    tied = [dataclasses.replace(one, holm_p_value=0.3) for one in results.comparisons]
    text = to_latex(dataclasses.replace(results, comparisons=tuple(tied)))
    assert (
        r"after 50\% of A\_B \& C\$ \#1 \{x\} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} {[}1] & "
    ) in text
    assert r"30.0$^\dagger$ {\scriptsize [27.5, 32.5]}" in text
    assert r"\textbf{47.5}$^\dagger$" not in text
