"""What a benchmark found as a page that asks nobody for anything, in a terminal and as LaTeX."""

import io
import re
from dataclasses import replace

from rich.console import Console

from hgld.benchmarks.retrieval.report import confusions, format_table, render_report
from hgld.benchmarks.retrieval.results import FIRST, Results, Row, to_latex
from tests.benchmarks.retrieval.made_up import (
    CONTINENT,
    HOSTILE,
    LEVELS,
    PIXEL,
    changed,
    examples_of,
    html_of,
    results_of,
)
from tests.worlds.pages.reading import PageReader

SPECIAL = '50% of A_B & C$ #1 {x} ~ ^ \\ [1] <a|b> --p `t\' "q"\n\n\tnext\u202e line'


def test_a_hostile_name_is_text_and_the_page_asks_no_server_for_anything() -> None:
    html = html_of(results_of(HOSTILE), HOSTILE)
    page, friendly = PageReader(html), PageReader(html_of(results_of()))
    # The same elements, whatever the names hold, and the names whole in what is seen.
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in friendly.tags]
    assert page.text.count(HOSTILE) == friendly.text.count("Space Needle") > 10
    tags = [tag for tag, _ in page.tags]
    assert not {*tags} & {"link", "iframe", "object", "embed", "video", "base", "a"}
    assert "script" not in tags
    assert set(page.values("img", "src")) == {PIXEL}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", html_of(results_of()))
    assert "default-src 'none'" in str(page.values("meta", "content"))


def test_the_tables_have_every_metric_once_and_the_best_is_marked() -> None:
    page = PageReader(html_of(results_of()))
    assert page.text.count("(best)") == 17
    assert "47.5 ± 0.5 (best)[45.0, 50.0]" in page.text
    assert "0.30 (best)[0.2" in page.text  # of levels missed fewer are better
    assert page.values("td", "class").count("number best") == 17
    assert page.text.partition("Plots")[0].count("30.0[27.5, 32.5]") == 16


def test_a_report_has_as_many_levels_as_its_results_and_each_picture_says_what_it_shares() -> None:
    results = results_of(levels=(*LEVELS, CONTINENT))
    html = html_of(results)
    page = PageReader(html)
    cards = [value for value in page.values("figure", "class") if value and "card" in value]
    assert cards == ["card query", *(f"card shared-{number}" for number in range(4))]
    listed = [value for value in page.values("li", "class") if value and "shared" in value]
    assert listed == [f"shared-{shared}" for shared in reversed(range(5))]
    assert "4 of 4 same landmark" in page.words
    assert "0 of 4 nothing shared" in page.words
    # A caption has the landmark and every coarser label, and no more.
    captions = re.findall(r'<span class="coarser muted">(.*?)</span>', html)
    assert {caption.count("<bdi>") for caption in captions} == {3}
    assert page.text.count("(best)") == 5 + 4 * 4
    assert all(page.values("img", "alt"))
    words = render_report(results, examples_of(results))
    assert "<img" not in words
    assert words.count('class="card shared-0 wordy"') == 1


def test_what_is_undefined_is_said_and_drawn_nowhere() -> None:
    def undefined(row: Row) -> Row:
        return Row(method=row.method, metric=row.metric, against=row.against, run=row.run)

    html = render_report(changed(results_of(), undefined), [])
    assert 'class="marker' not in html
    assert "n/a" in html
    assert not re.search(r">[^<]*\bnan\b", html)


def test_gains_differences_seeds_and_costs_are_told() -> None:
    html = html_of(results_of())
    # Of few landmarks the mean says little: grey, and its gain is not drawn.
    assert '<tr class="muted"><th scope="row"><bdi>tower</bdi></th>' in html
    assert "40.9" not in html
    text = PageReader(html).text
    assert "+17.5[+16.7, +18.3]63< 0.001< 0.001" in text
    assert "47.5 ± 0.5[43.0, 51.0]47.2, 47.8" in text  # with each run
    assert "+17.5 ± 0.5[+43.0, +51.0]" in text  # the change
    assert re.findall(r'data-cost="training_hours">(.*?)<', html) == ["42 min", ""]
    # So that whoever compares two reports can leave them out.
    assert not [line for line in html.splitlines() if line.count("data-cost") > 1]


def test_confusions_are_told_of_how_many_queries_of_their_label() -> None:
    found = [("a", "a", 20), ("c", "c", 18), ("n", "n", 7), ("a", "n", 3), ("c", "b", 2)]
    rows = [
        Row(method="after", metric=FIRST, label=label, found=other, queries=queries)
        for label, other, queries in found
    ]
    results = results_of(rows=tuple(rows))
    told = [
        (row.label, row.found, row.queries, total)
        for row, total in confusions(results, results.methods[1])
    ]
    assert told == [("a", "n", 3, 23), ("c", "b", 2, 20)]


def lines_of(results: Results, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(format_table(results))
    return console.export_text().splitlines()


def test_the_terminal_table_has_a_row_a_method_best_first() -> None:
    lines = lines_of(results_of("[bold]x[/bold] [/]"), 160)
    assert "11 queries, 1,234 index images" in lines[0]
    assert "before [bold]x[/bold] [/]" in "".join(lines)  # a name is no markup
    rows = [line for line in lines if "±" in line and "│" in line]
    assert re.search(r"after .* │ +47\.5 ± 1\.2 │ +47\.5 ± 1\.2 │ +47\.5 ± 1\.2", rows[0])
    assert re.search(r"before .* │ +30\.0 ± 1\.2 │", rows[1])
    results = results_of()
    before, after = results.methods
    methods = [replace(after, name=f"after {one}", title=f"method {one}") for one in range(4)]
    of_methods = (
        replace(row, method=method.name, mean=0.5 + number / 100)
        for number, method in enumerate(methods)
        for row in results.rows
        if row.method == "after"
    )
    results = replace(results, methods=(before, *methods), rows=(*results.rows, *of_methods))
    rows = [line for line in lines_of(results, 80) if line.count("±") == 3]
    names = ["method 3", "method 2", "method 1", "method 0", "before"]
    assert [re.findall(r"method \d|before", line) for line in rows] == [[one] for one in names]


def test_latex_has_a_row_a_method_best_first_sets_names_as_they_are_and_says_what_is_tied() -> None:
    results = results_of(SPECIAL)
    text = to_latex(changed(results, lambda row: replace(row, holm_p_value=0.3)))
    head, *rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert all(line.count(" & ") == 17 for line in (head, *rows))
    assert rows[0].startswith(
        r"after 50\% of A\_B \& C\$ \#1 \{x\} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} {[}1] \textless{}a\textbar{}b\textgreater{} -{}-{}p "
        r"\textasciigrave{}t' ''q'' next line & \textbf{47.5} {\scriptsize $\pm$ 0.5 [45.0, 50.0]}"
    )
    assert r"30.0$^\dagger$ {\scriptsize [27.5, 32.5]}" in rows[1]
    assert r"\textbf{0.30} {" in rows[1]  # of levels missed fewer are better
