"""The figures of a benchmark as tables: for a terminal, for programs (CSV), for papers (LaTeX)."""

import csv
import dataclasses
import io
import math
import re
from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.retrieval.report.metrics import Cell, cells_of, metrics_of
from hgld.benchmarks.retrieval.results import Results

CSV_COLUMNS = (
    *("method", "title", "metric", "level", "mean", "standard_error", "low", "high"),
    *("queries", "undefined"),
)
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",  # after the end of a row it would be how far the next one is from it
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def format_table(results: Results) -> Table:
    """Returns the benchmark as a table for a terminal: a row a metric, a column a method.

    Args:
        results: what `run_benchmark` found, read with `read_results`.

    Returns:
        A rich table with standard errors; the best of a row is bold.
    """
    counts = results.counts
    table = Table(
        title=f"Retrieval: {counts.queries:,} queries, {counts.index_images:,} index images",
        caption="percent ± standard error over the queries; mistake severity in levels missed",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("metric")
    table.add_column("level")
    for method in results.methods:
        table.add_column(escape(method.title), justify="right")
    for metric in metrics_of(results):
        cells = [
            f"{'[bold]' if cell.is_best else '[not bold]'}{cell.mean}[/] ± {cell.error}"
            for cell in cells_of(results, metric)
        ]
        table.add_row(metric.title, escape(metric.level), *cells)
    return table


def to_csv(results: Results) -> str:
    """Returns every figure of every method as CSV, a row each, to full precision.

    Args:
        results: what was found.

    Returns:
        Columns `CSV_COLUMNS`. Shares are from 0 to 1, and what is undefined is empty. Rows of costs
        have a mean alone.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_rows(results))
    return text.getvalue()


def to_latex(results: Results) -> str:
    r"""Returns the leaderboard as LaTeX: a row a method, best first, with intervals.

    Args:
        results: what was found.

    Returns:
        A whole `tabular`, to be taken in by `\input`; it needs the package booktabs. The best of
        a column is bold; what the paired tests do not tell from it has a dagger.
    """
    metrics = metrics_of(results)
    columns = [cells_of(results, metric) for metric in metrics]
    order = sorted(
        range(len(results.methods)),
        key=lambda number: -_sortable(results.methods[number].measures["h_ap"].mean),
    )
    head = " & ".join(
        ["Method", *(f"{_latex(one.title)} ({_latex(one.level)})" for one in metrics)]
    )
    rows = [
        " & ".join(
            [
                _latex(results.methods[number].title),
                *(_latex_cell(cells[number]) for cells in columns),
            ]
        )
        for number in order
    ]
    about = (
        f"% Percent, mistake severity in levels missed; 95% bootstrap intervals over "
        f"{results.counts.queries:,} queries."
    )
    return "\n".join(
        [
            about,
            rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _csv_rows(results: Results) -> Iterator[list[object]]:
    shown = {metric.key: metric for metric in metrics_of(results)}
    levels = {level.name: level.title for level in results.levels}
    for method in results.methods:
        for key, measure in method.measures.items():
            of = next((title for name, title in levels.items() if key.endswith(f"_{name}")), "")
            level = shown[key].level if key in shown else of or "all levels"
            figures = dataclasses.asdict(measure).values()
            yield [method.name, method.title, key, level, *map(_csv_value, figures)]
        for key, value in dataclasses.asdict(method.costs).items():
            yield [method.name, method.title, key, "", "" if value is None else value, *[""] * 5]


def _csv_value(value: float) -> object:
    return "" if math.isnan(value) else value


def _latex_cell(cell: Cell) -> str:
    mean = rf"\textbf{{{cell.mean}}}" if cell.is_best else cell.mean
    tied = r"$^\dagger$" if cell.is_tied else ""
    return f"{mean}{tied} {{\\scriptsize {cell.interval}}}" if cell.interval else f"{mean}{tied}"


def _latex(text: str) -> str:
    """Returns text that LaTeX sets as it is."""
    return re.sub(r"[\\~^\[&%$#_{}]", lambda found: _LATEX_SPECIAL[found[0]], text)


def _sortable(value: float) -> float:
    return -math.inf if math.isnan(value) else value
