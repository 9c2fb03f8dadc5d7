"""The figures of a benchmark for a terminal and, as LaTeX, for papers."""

import re

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.retrieval.metrics import (
    Cell,
    best_first,
    cells_of,
    leading_metrics,
    metrics_of,
)
from hgld.benchmarks.retrieval.results import Results

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
    counts, metrics = results.counts, metrics_of(results)
    rule = "; each searches all others" if results.is_one_set else ""
    is_long = len(results.methods) > _BESIDE
    shown = leading_metrics(metrics)[:_BESIDE] if is_long else metrics
    severity = "" if all(one.is_share for one in shown) else "; mistake severity in levels missed"
    table = Table(
        title=f"{results.data_set or 'Retrieval'}: {counts['queries']:,} queries, "
        f"{counts['index_images']:,} index images{rule}",
        caption=f"percent ± standard error over queries{severity}",
        title_justify="left",
        caption_justify="left",
    )
    columns = [(one, cells_of(results, one)) for one in shown]
    if is_long:
        # What runs differ in stands at the end of their names.
        table.add_column("method", overflow="fold", min_width=_NAME_WIDTH)
        for metric in shown:
            table.add_column(escape(f"{metric.title}\n{metric.level}"), justify="right")
        for method in best_first(results, metrics[0]):
            cells = [_terminal_cell(of_metric[method.name]) for _, of_metric in columns]
            table.add_row(escape(method.title), *cells)
        return table
    table.add_column("metric")
    table.add_column("level" if results.levels else "difficulty")
    for method in results.methods:
        table.add_column(escape(method.title), justify="right")
    for metric, of_metric in columns:
        cells = [_terminal_cell(of_metric[method.name]) for method in results.methods]
        table.add_row(metric.title, escape(metric.level), *cells)
    return table


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
    head = ["Method", *(f"{_latex(one.title)} ({_latex(one.level)})" for one in metrics)]
    rows = [
        [_latex(one.title), *(_latex_cell(cells[one.name]) for cells in columns)]
        for one in best_first(results, metrics[0])
    ]
    # A comment ends with its line, wherever a name has one.
    on = f" {' '.join(results.data_set.split())}" if results.data_set else ""
    has_seeds = any(cell.deviation for cells in columns for cell in cells.values())
    spread = ", of several seeds after their standard deviation" if has_seeds else ""
    about = (
        f"% Percent, mistake severity in levels missed; 95% bootstrap intervals{spread},{on} "
        f"{results.counts['queries']:,} queries in {results.counts['query_groups']:,} groups."
    )
    lines = [
        about,
        rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _terminal_cell(cell: Cell) -> str:
    return f"{'[bold]' if cell.is_best else '[not bold]'}{cell.mean}[/] ± {cell.error}"


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
