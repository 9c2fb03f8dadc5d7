"""The page of a benchmark: one HTML file that asks no server for anything."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hgld.benchmarks.retrieval.examples import Examples
from hgld.benchmarks.retrieval.metrics import (
    SIGNIFICANT,
    Cell,
    Metric,
    best_first,
    between,
    cells_of,
    leading_metrics,
    metrics_of,
    shown_level,
)
from hgld.benchmarks.retrieval.results import COSTS, FIRST, Method, Results, Row
from hgld.benchmarks.retrieval.statistics import BOOTSTRAP_DRAWS, SIGN_FLIPS
from hgld.plots.dots import Dot, DotsPlot, dots_plot
from hgld.plots.heat import HeatTable, heat_table
from hgld.plots.pages import page_template

FEW_GROUPS = 5
"""Of a super-category with queries of fewer landmarks the mean says little: it is not drawn."""
_LOOKS = 6
_MOST_CONFUSED = 10
_GRID_LABELS = 12
_WIDE = 4
"""Columns beyond which the table of a level has a line of its own."""
_AT_THE_TOP = 3
_GRADES_OF_REVISITED = (
    ("negative", "not to be found"),
    ("junk", "junk: neither found nor in the way"),
    ("hard", "to be found, hard"),
    ("easy", "to be found, easy (at “hard” not asked for)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTable:
    """The metrics of one level, or of all, of every method."""

    title: str
    metrics: list[Metric]
    rows: list[tuple[Method, list[Cell]]]
    """The best of the leading metric first."""

    @property
    def is_wide(self) -> bool:
        """Says whether it has many columns."""
        return len(self.metrics) > _WIDE


class PictureGrade(NamedTuple):
    """What a retrieved picture has to do with the query (`Picture.grade`)."""

    badge: str
    title: str


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

    Raises:
        ValueError: a picture is missing.
    """
    missing = sorted(examples.image_ids - pictures.keys()) if pictures is not None else []
    if missing:
        raise ValueError(f"pictures must hold every image of the examples, {missing[0]} is missing")
    metrics = metrics_of(results)
    leading, plotted = metrics[0], leading_metrics(metrics)
    order = best_first(results, leading)
    trained = [method for method in order if method.baseline]
    baselines = {method.baseline for method in trained}
    alone = [one for one in order if not one.baseline and one.name not in baselines]
    level = shown_level(results.levels)
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
        tables=level_tables(results, metrics, order),
        costs=COSTS,
        plots_of_methods=[(metric, methods_plot(results, metric)) for metric in plotted],
        tests=[(metric, tests_of(results, metric)) for metric in plotted],
        gains=[(one, gains_plot(results, one, leading)) for one in trained if level],
        labels=_labels(results, leading) if level else [],
        confused=[(one, *confusions(results, one)) for one in order if level],
        between=between,
        few=FEW_GROUPS,
        examples=examples,
        pictures=pictures,
        grades=picture_grades(results),
        significant=SIGNIFICANT,
        draws=BOOTSTRAP_DRAWS,
        flips=SIGN_FLIPS,
    )


def picture_grades(results: Results) -> list[PictureGrade]:
    """Returns what each grade of a retrieved picture is called, the lowest first."""
    if not results.levels:
        return [PictureGrade(*one) for one in _GRADES_OF_REVISITED]
    titles = ["nothing shared", *(level.shared for level in reversed(results.levels))]
    badges = [f"{grade} of {len(results.levels)}" for grade in range(len(titles))]
    return [PictureGrade(*one) for one in zip(badges, titles, strict=True)]


def level_tables(
    results: Results, metrics: Sequence[Metric], order: Sequence[Method]
) -> list[LevelTable]:
    """Returns a table of all levels together, and one of each."""
    tables = []
    for level in dict.fromkeys(metric.level for metric in metrics):
        of_level = [metric for metric in metrics if metric.level == level]
        columns = [cells_of(results, metric) for metric in of_level]
        rows = [(one, [cells[one.name] for cells in columns]) for one in order]
        tables.append(LevelTable(title=level, metrics=of_level, rows=rows))
    return tables


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


def tests_of(results: Results, metric: Metric) -> list[Row]:
    """Returns the paired tests of a metric."""
    return [
        row for row in results.rows if row.metric == metric.key and row.against and not row.label
    ]


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
