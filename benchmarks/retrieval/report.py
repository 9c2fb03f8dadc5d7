"""What a benchmark found as a page, for a terminal and, as LaTeX, for papers."""

import math
import re
from collections import Counter
from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.retrieval.examples import Examples
from hgld.benchmarks.retrieval.results import (
    COSTS,
    FIRST,
    SIGNIFICANT,
    Cell,
    Method,
    Metric,
    Results,
    Row,
    best_first,
    between,
    cells_of,
    leading_metrics,
    metrics_of,
    shown_level,
)
from hgld.benchmarks.retrieval.statistics import BOOTSTRAP_DRAWS, SIGN_FLIPS
from hgld.plots.chart import Dot, DotsPlot, HeatTable, dots_plot, heat_table
from hgld.plots.pages import page_template

FEW_GROUPS = 5
"""Of a super-category with queries of fewer landmarks the mean says little: it is not drawn."""
_LOOKS = 6
_MOST_CONFUSED = 10
_GRID_LABELS = 12
_AT_THE_TOP = 3
_GRADES_OF_REVISITED = (
    ("negative", "not to be found"),
    ("junk", "junk: neither found nor in the way"),
    ("hard", "to be found, hard"),
    ("easy", "to be found, easy (at “hard” not asked for)"),
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


def render_report(
    results: Results, examples: Examples, pictures: Mapping[str, str] | None = None
) -> str:
    """Returns the report as one HTML page that needs nothing else.

    Args:
        results: what was found.
        examples: what is shown of the pictures.
        pictures: image id to data URI, of every picture that is shown; None: there are none, and
            what would be shown stands in words.

    Returns:
        The page. Every name in it is escaped.
    """
    metrics = metrics_of(results)
    leading, plotted = metrics[0], leading_metrics(metrics)
    order = best_first(results, leading)
    trained = [method for method in order if method.baseline]
    baselines = {method.baseline for method in trained}
    alone = [one for one in order if not one.baseline and one.name not in baselines]
    level = shown_level(results.levels)
    pairs = [row for row in results.rows if row.against and not row.label]
    tables = {
        name: [(one, cells_of(results, one)) for one in metrics if one.level == name]
        for name in dict.fromkeys(one.level for one in metrics)
    }
    shared = ["nothing shared", *(one.shared for one in reversed(results.levels))]
    grades = [(f"{grade} of {len(results.levels)}", title) for grade, title in enumerate(shared)]
    page = page_template(
        __package__, "report.html.j2", p_value=p_value_text, hours=hours_text, plural=plural
    )
    return page.render(
        results=results,
        order=order,
        titles={method.name: method.title for method in results.methods},
        leading=leading,
        plotted=plotted,
        level=level.title if level else "",
        group=results.levels[0].title if results.levels else "building",
        trained=trained,
        alone=alone,
        at_the_top=_AT_THE_TOP,
        tables=tables,
        costs=COSTS,
        plots_of_methods=[(metric, methods_plot(results, metric)) for metric in plotted],
        tests=[(one, [row for row in pairs if row.metric == one.key]) for one in plotted],
        gains=[(one, gains_plot(results, one, leading)) for one in trained if level],
        labels=_labels(results, leading) if level else [],
        confused=[(one, *confusions(results, one)) for one in order if level],
        between=between,
        few=FEW_GROUPS,
        examples=examples,
        pictures=pictures,
        grades=grades if results.levels else _GRADES_OF_REVISITED,
        significant=SIGNIFICANT,
        draws=BOOTSTRAP_DRAWS,
        flips=SIGN_FLIPS,
    )


def methods_plot(results: Results, metric: Metric) -> DotsPlot:
    """Returns a metric of all methods, the best on top."""
    baselines = {one.baseline for one in results.methods}
    looks = {
        one.name: 0 if one.name in baselines else 1 + (number - 1) % _LOOKS
        for number, one in enumerate(results.methods)
    }
    dots = [
        _dot(one.title, results.row(one.name, metric.key), metric, look=looks[one.name])
        for one in best_first(results, metric)
    ]
    return dots_plot(dots, metric.text)


def gains_plot(results: Results, method: Method, metric: Metric) -> DotsPlot:
    """Returns the gains of a method by label, such as super-category, the highest on top.

    One with queries of fewer than `FEW_GROUPS` landmarks is no part of it.
    """
    gains = [
        row
        for row in results.rows
        if (row.method, row.metric, row.against) == (method.name, metric.key, method.baseline)
        and row.label
        and (row.groups or 0) >= FEW_GROUPS
    ]
    gains.sort(key=lambda row: (-row.mean, row.label))
    dots = [_dot(row.label, row, metric, note=f"({row.queries})") for row in gains]
    return dots_plot(dots, metric.change_text, is_change=True)


def confusions(results: Results, method: Method) -> tuple[HeatTable, list[tuple[Row, int]]]:
    """Returns which label came first for the queries of each, of those with most queries.

    Returns:
        The table, and the most frequent confusions of all, each with how many queries there are.
    """
    rows = [row for row in results.rows if (row.method, row.metric) == (method.name, FIRST)]
    totals = Counter[str]()
    for row in rows:
        totals[row.label] += row.queries or 0
    labels = sorted(totals, key=lambda label: (-totals[label], label))[:_GRID_LABELS]
    places = {label: place for place, label in enumerate(labels)}
    counts = [[0] * (len(labels) + 1) for _ in labels]
    for row in rows:
        if row.label in places:
            counts[places[row.label]][places.get(row.found, len(labels))] += row.queries or 0
    wrong = [(row, totals[row.label]) for row in rows if row.label != row.found]
    return heat_table(counts, labels), wrong[:_MOST_CONFUSED]


def p_value_text(value: float) -> str:
    """Writes a p-value with three decimals.

    Example:
        >>> p_value_text(0.0412), p_value_text(0.0001), p_value_text(float("nan"))
        ('0.041', '< 0.001', 'n/a')
    """
    if math.isnan(value):
        return "n/a"
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"  # noqa: PLR2004 - three decimals


def hours_text(hours: float) -> str:
    """Writes hours as a reader would say them.

    Example:
        >>> hours_text(0.0125), hours_text(0.7), hours_text(13.24)
        ('45 s', '42 min', '13.2 h')
    """
    if hours < 1 / 30:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:.1f} h"  # noqa: PLR2004 - to hours


def plural(word: str) -> str:
    """Returns what several of what a level is called are called.

    Example:
        >>> plural("landmark"), plural("class"), plural("species"), plural("family")
        ('landmarks', 'classes', 'species', 'families')
    """
    if word == "species":
        return word
    if word.endswith("s"):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _dot(name: str, row: Row, metric: Metric, *, look: int = 1, note: str = "") -> Dot:
    text = metric.change_text if row.against else metric.text
    return Dot(
        name=name,
        value=row.mean,
        text=text(row.mean),
        low=row.low,
        high=row.high,
        interval=metric.interval_text(row),
        note=note,
        look=look,
    )


def _labels(results: Results, leading: Metric) -> list[Row]:
    """Returns the first method's rows by label, that of most queries first."""
    name = results.methods[0].name
    found = [
        row
        for row in results.rows
        if (row.method, row.metric, row.against) == (name, leading.key, "") and row.label
    ]
    return sorted(found, key=lambda row: (-(row.queries or 0) - (row.undefined or 0), row.label))


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
