"""The figures of a benchmark as tables: for a terminal, for programs (CSV), for papers (LaTeX)."""

import csv
import dataclasses
import io
import math
import re
from collections.abc import Iterator, Mapping

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.retrieval.report.metrics import (
    ALL_LEVELS,
    Cell,
    Metric,
    best_first,
    cells_of,
    leading_metrics,
    metrics_of,
)
from hgld.benchmarks.retrieval.results import Measure, MethodResults, Results

CSV_COLUMNS = (
    *("method", "title", "run", "seed", "metric", "level", "mean", "standard_error", "low", "high"),
    *("queries", "groups", "undefined", "seeds", "seed_deviation", "seed_low", "seed_high"),
)
_BESIDE = 3  # columns of figures, beside names, that a terminal of 80 characters takes
_NAME_WIDTH = 25
_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    # In the fonts that LaTeX has by default these would be other characters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # two of them would be a dash
    "^": r"\textasciicircum{}",
    "[": "{[}",  # after the end of a row it would be how far the next one is from it
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def format_table(results: Results) -> Table:
    """Returns the benchmark as a table for a terminal.

    Args:
        results: what `run_benchmark` found, read with `read_results`.

    Returns:
        A rich table with standard errors: a row a metric, a column a method; of more than
        three methods a row each, best first, with the first metrics that are plotted. The best of a
        metric is bold.
    """
    counts = results.counts
    rule = "; each searches all others" if results.is_one_set else ""
    is_long = len(results.methods) > _BESIDE
    has_severity = len(results.levels) > 1 and not is_long
    severity = "; mistake severity in levels missed" if has_severity else ""
    table = Table(
        title=f"{results.data_set or 'Retrieval'}: {counts.queries:,} queries, "
        f"{counts.index_images:,} index images{rule}",
        caption=f"percent ± standard error over queries{severity}",
        title_justify="left",
        caption_justify="left",
    )
    metrics = metrics_of(results)
    if is_long:
        shown = leading_metrics(metrics)[:_BESIDE]
        columns = [[_terminal_cell(cell) for cell in cells_of(results, one)] for one in shown]
        # What runs differ in stands at the end of their names.
        table.add_column("method", overflow="fold", min_width=_NAME_WIDTH)
        for metric in shown:
            table.add_column(escape(f"{metric.title}\n{metric.level}"), justify="right")
        for number in best_first(results, metrics[0]):
            cells = [cells[number] for cells in columns]
            table.add_row(escape(results.methods[number].title), *cells)
        return table
    table.add_column("metric")
    table.add_column("level" if results.levels else "difficulty")
    for method in results.methods:
        table.add_column(escape(method.title), justify="right")
    for metric in metrics:
        cells = [_terminal_cell(cell) for cell in cells_of(results, metric)]
        table.add_row(metric.title, escape(metric.level), *cells)
    return table


def to_csv(results: Results) -> str:
    """Returns every figure of every method as CSV, a row each, to full precision.

    Args:
        results: what was found.

    Returns:
        Columns `CSV_COLUMNS`. Shares are from 0 to 1, and what is undefined is empty. Rows of costs
        have a mean alone. Those of a method have no run; where it is several runs, which differ in
        their seed alone, its rows end with their spread, and each run has rows of its own.
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
        a column is bold; what the paired tests do not tell from it has a dagger. ± is the standard
        deviation over the seeds of a method.
    """
    metrics = metrics_of(results)
    columns = [cells_of(results, metric) for metric in metrics]
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
        for number in best_first(results, metrics[0])
    ]
    counts = results.counts
    # A comment ends with its line, wherever a name has one.
    on = f" {' '.join(results.data_set.split())}" if results.data_set else ""
    has_seeds = any(method.over_seeds for method in results.methods)
    spread = ", of several seeds after their standard deviation" if has_seeds else ""
    about = (
        f"% Percent, mistake severity in levels missed; 95% bootstrap intervals{spread},{on} "
        f"{counts.queries:,} queries in {counts.query_groups:,} groups."
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


def _terminal_cell(cell: Cell) -> str:
    return f"{'[bold]' if cell.is_best else '[not bold]'}{cell.mean}[/] ± {cell.error}"


def _csv_rows(results: Results) -> Iterator[list[object]]:
    shown = {metric.key: metric for metric in metrics_of(results)}
    levels = {level.name: level.title for level in results.levels}
    # Of Revisited Oxford and Paris a metric ends with its difficulty.
    levels = levels or {one: one for one in ("easy", "medium", "hard")}
    for method in results.methods:
        yield from (
            [method.name, method.title, "", "", *row, *_spread_columns(method, str(row[0]))]
            for row in _measure_rows(method.measures, shown, levels)
        )
        # The only run of a method has the method's own figures.
        for run in method.runs if method.over_seeds else ():
            of_run = (method.name, method.title, run.name, run.seed)
            for row in _measure_rows(run.measures, shown, levels):
                yield [*of_run, *row, *[""] * 4]
        for key, value in dataclasses.asdict(method.costs).items():
            cost = "" if value is None else value
            yield [method.name, method.title, "", "", key, "", cost, *[""] * 10]


def _measure_rows(
    measures: Mapping[str, Measure], shown: Mapping[str, Metric], levels: Mapping[str, str]
) -> Iterator[list[object]]:
    """Yields metric, level and figures of each measure."""
    for key, measure in measures.items():
        of = next((title for name, title in levels.items() if key.endswith(f"_{name}")), "")
        level = shown[key].level if key in shown else of or ALL_LEVELS
        yield [key, level, *map(_csv_value, dataclasses.asdict(measure).values())]


def _spread_columns(method: MethodResults, key: str) -> list[object]:
    """Returns how many seeds, deviation and interval; empty of a method of one run."""
    spread = method.over_seeds.get(key)
    if spread is None:
        return [""] * 4
    ends = (spread.deviation, spread.low, spread.high)
    return [len(method.runs), *map(_csv_value, ends)]


def _csv_value(value: float) -> object:
    return "" if math.isnan(value) else value


def _latex_cell(cell: Cell) -> str:
    mean = rf"\textbf{{{cell.mean}}}" if cell.is_best else cell.mean
    tied = r"$^\dagger$" if cell.is_tied else ""
    spread = rf"$\pm$ {cell.deviation}" if cell.deviation else ""
    small = " ".join(filter(None, (spread, cell.interval)))
    return f"{mean}{tied} {{\\scriptsize {small}}}" if small else f"{mean}{tied}"


def _latex(text: str) -> str:
    """Returns text that LaTeX sets as it is, in one line: an empty one would end the cell."""
    printable = "".join(one if one.isprintable() else " " for one in text)
    special = "".join(map(re.escape, _LATEX_SPECIAL))
    plain = " ".join(printable.split())
    return re.sub(f"[{special}]", lambda found: _LATEX_SPECIAL[found[0]], plain)
