import dataclasses
import io
import re

from rich.console import Console

from hgld.benchmarks.retrieval.tables import format_table, to_latex
from tests.benchmarks.retrieval.made_up import KEYS, changed, results_of, rows_of

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
    before, after = results.methods
    methods, rows = [before], [row for row in results.rows if row.method == "before"]
    for number in range(4):
        name = f"after {number}"
        methods.append(dataclasses.replace(after, name=name, title=f"method {number}"))
        own = rows_of("x", results.levels, KEYS, 0.3, 0.5 + number / 100)
        rows += [dataclasses.replace(row, method=name) for row in own if row.method == "after"]
    results = dataclasses.replace(results, methods=tuple(methods), rows=tuple(rows))
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(format_table(results))
    lines = [line for line in console.export_text().splitlines() if "±" in line and "│" in line]
    assert [re.findall(r"method \d|before", line) for line in lines] == [
        *(["method 3"], ["method 2"], ["method 1"], ["method 0"], ["before"])
    ]
    assert all(line.count("±") == 3 for line in lines)


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
    text = to_latex(changed(results, lambda row: dataclasses.replace(row, holm_p_value=0.3)))
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
