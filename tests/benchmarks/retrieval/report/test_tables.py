import csv
import dataclasses
import io
import math
import re

from rich.console import Console

from hgld.benchmarks.retrieval.report.tables import CSV_COLUMNS, format_table, to_csv, to_latex
from tests.benchmarks.retrieval.report.made_up import KEYS, measure, results_of

SPECIAL = '50% of A_B & C$ #1 {x} ~ ^ \\ [1] <a|b> --p `t\' "q"\n\n\tnext\u202e line'


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


def test_many_methods_have_a_row_each_in_the_terminal_best_first() -> None:
    results = results_of()
    better = [
        dataclasses.replace(
            results.methods[1],
            name=f"after {number}",
            title=f"method {number}",
            measures=dict.fromkeys(KEYS, measure(0.5 + number / 100)),
        )
        for number in range(4)
    ]
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(format_table(dataclasses.replace(results, methods=(results.methods[0], *better))))
    rows = [line for line in console.export_text().splitlines() if "±" in line and "│" in line]
    assert [re.findall(r"method \d|before", row) for row in rows] == [
        *(["method 3"], ["method 2"], ["method 1"], ["method 0"], ["before"])
    ]
    assert all(row.count("±") == 3 for row in rows)


def test_the_csv_has_every_figure_in_full() -> None:
    results = results_of('a "quoted", name\nof two lines')
    text = to_csv(results)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == CSV_COLUMNS
    of_after = {row["metric"]: row for row in rows if (row["method"], row["run"]) == ("after", "")}
    assert set(of_after) == {
        *KEYS,
        *("training_hours", "peak_memory_mb", "parameters", "embedding_dim", "images_per_s"),
    }
    assert of_after["h_ap"] | {"title": ""} == {
        "method": "after",
        "title": "",
        "run": "",
        "seed": "",
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
        "seed_deviation": "0.005",
        "seed_low": "0.43",
        "seed_high": "0.51",
    }
    runs = [row for row in rows if row["run"]]
    assert len(runs) == 2 * len(KEYS)
    second = {row["metric"]: row for row in runs if row["seed"] == "1"}["h_ap"]
    assert (second["method"], second["mean"], second["seeds"]) == ("after", "0.478", "")
    assert second["run"].endswith("-1")
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
        r"after Space Needle & \textbf{47.5} {\scriptsize $\pm$ 0.5 [45.0, 50.0]} & \textbf{47.5}"
    )
    assert rows[1].startswith(r"before Space Needle & 30.0 {\scriptsize [27.5, 32.5]} & 30.0")
    assert r"\textbf{0.30}" in rows[1]  # of levels missed fewer are better


def test_latex_sets_names_as_they_are_and_says_what_is_tied() -> None:
    results = results_of(SPECIAL)
    tied = [dataclasses.replace(one, holm_p_value=0.3) for one in results.comparisons]
    text = to_latex(dataclasses.replace(results, comparisons=tuple(tied)))
    assert (
        r"after 50\% of A\_B \& C\$ \#1 \{x\} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} {[}1] \textless{}a\textbar{}b\textgreater{} -{}-{}p "
        r"\textasciigrave{}t' ''q'' next line & "
    ) in text
    assert r"30.0$^\dagger$ {\scriptsize [27.5, 32.5]}" in text
    assert r"\textbf{47.5}$^\dagger$" not in text


def test_no_character_of_a_name_is_left_to_latex() -> None:
    every = "".join(map(chr, range(1, 128)))
    methods = [dataclasses.replace(one, title=every) for one in results_of().methods]
    rows = [
        line
        for line in to_latex(dataclasses.replace(results_of(), methods=tuple(methods))).splitlines()
        if line.endswith(r" \\")
    ]
    for row in rows[1:]:
        name = row.split(" & ")[0]
        name = re.sub(r"\\text[a-z]+{}|\\[&%$#_{}]|-{}|{\[}", "", name)
        assert not set(name) & set('\\~^&%$#_{}[<>|"`-')
        assert name.isprintable()
    assert len(rows) == 3  # no name breaks a row
    assert all(row.count(" & ") == 13 for row in rows)
