"""The page: one HTML file that asks no server for anything, and needs no script."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hgld.benchmarks.pages import page_template, percent, points
from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.robustness.records import PlotLine, RobustnessRecord
from hgld.benchmarks.robustness.report.conclusions import best_simple, conclude, headline
from hgld.benchmarks.robustness.report.plots import HEIGHT, WIDTH, DrawnPlot, draw_lines
from hgld.benchmarks.robustness.report.summary import (
    MethodOnSet,
    RobustnessSection,
    SetSummary,
    ShownMeasure,
    Spread,
    summarize_section,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSet:
    """A data set on the page."""

    summary: SetSummary
    measures: list[ShownMeasure]
    """Those that some method has."""
    conclusions: list[str]
    plot: DrawnPlot | None
    best: str
    """The simple method of the best mean; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSection:
    """A part of the suite on the page."""

    section: RobustnessSection
    sets: list[ShownSet]
    headline: list[str]
    compared: str
    """Title of the measure in which gains are taken first."""
    is_chosen: bool
    """Whether validation rows chose something."""


def render_robustness(
    metadata: Mapping[str, Json],
    sections: Sequence[RobustnessSection],
    records: Sequence[RobustnessRecord],
) -> str:
    """Returns the page.

    Args:
        metadata: what the last run was made with.
        sections: in the order of the page; one without records is left out.
        records: of all parts.
    """
    shown = [_section(one, summarize_section(one, records)) for one in sections]
    template = page_template(
        "hgld.benchmarks.robustness.report",
        "robustness.html.j2",
        value=measure_text,
        gain=points,
    )
    return template.render(
        metadata=metadata,
        sections=[one for one in shown if one.sets],
        width=WIDTH,
        height=HEIGHT,
    )


def measure_text(spread: Spread | None, measure: ShownMeasure) -> str:
    """Writes a measure and its spread, in percent or as it is; empty where it is undefined.

    Example:
        >>> shown = ShownMeasure(name="auroc", title="AUROC")
        >>> measure_text(Spread(mean=0.875, deviation=0.012, seeds=5), shown)
        '87.5 ± 1.2'
    """
    if spread is None or math.isnan(spread.mean):
        return ""
    write = percent if measure.is_share else "{:.1f}".format
    error = "" if math.isnan(spread.deviation) else f" ± {write(spread.deviation)}"
    mean = write(spread.mean)
    return f"{'0.0' if mean == '-0.0' else mean}{error}"


def _section(section: RobustnessSection, summaries: Sequence[SetSummary]) -> ShownSection:
    return ShownSection(
        section=section,
        sets=[_set(section, summary) for summary in summaries],
        headline=headline(section, summaries),
        compared=next(one.title for one in section.measures if one.name == section.compared_by[0]),
        is_chosen=any(method.chosen for one in summaries for method in one.methods),
    )


def _set(section: RobustnessSection, summary: SetSummary) -> ShownSet:
    best = best_simple(section, summary)
    lines = [
        (method.method, number, line)
        for number, name in enumerate(section.drawn)
        if (method := summary.method(name)) and (line := _line(method, section.curve))
    ]
    return ShownSet(
        summary=summary,
        measures=[
            measure
            for measure in section.measures
            if any(measure.name in one.measures for one in summary.methods)
        ],
        conclusions=conclude(section, summary),
        plot=draw_lines(lines, section.axes),
        best="" if best is None else best.method,
    )


def _line(method: MethodOnSet, curve: str) -> PlotLine | None:
    return method.curves.get(curve)
