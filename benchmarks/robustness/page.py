"""The page: what was measured, as plots and tables, with no sentence that figures would make."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hgld.benchmarks.robustness.results import Interval, ResultRow, Spread, best_gains
from hgld.plots.chart import Chart, Dot, DotsPlot, Drawing, dots_plot, draw
from hgld.plots.pages import page_template, percent, points


def render_page(metadata: Mapping[str, object], rows: Sequence[ResultRow]) -> str:
    """Returns the page; what it says of each part is in the template.

    Args:
        metadata: what the results were made with.
        rows: of all parts.
    """
    parts: dict[str, dict[str, list[ResultRow]]] = {}
    for row in rows:
        parts.setdefault(row.part, {}).setdefault(f"{row.data}: {row.group}", []).append(row)
    package, name = "hgld.benchmarks.robustness", "robustness.html.j2"
    template = page_template(package, name, interval=interval_text, spread=spread_text)
    shown = {part: [_set(name, own) for name, own in sets.items()] for part, sets in parts.items()}
    return template.render(
        metadata=metadata,
        parts=shown,
        plots={part: _gain_plots(sets) for part, sets in shown.items()},
        seeds=len({row.seed for row in rows}),
    )


def spread_text(spread: Spread) -> str:
    """Writes a mean in percent, with its standard deviation over seeds; nothing where undefined."""
    error = "" if math.isnan(spread.deviation) else f" ± {percent(spread.deviation)}"
    return "" if math.isnan(spread.mean) else f"{percent(spread.mean)}{error}"


def interval_text(ends: Interval) -> str:
    """Writes both ends of an interval of gains; nothing where it is not there.

    Example:
        >>> interval_text((-0.025, 0.05))
        '-2.5 to +5.0'
    """
    return "" if math.isnan(ends[0]) else " to ".join(map(points, ends))


def _gain_plots(sets: Sequence[Mapping[str, Any]]) -> dict[str, DotsPlot]:
    """Returns a plot for each method: its gain on each set, with the wider of both intervals."""
    dots: dict[str, list[Dot]] = {}
    for shown in sets:
        for gain in shown["gains"]:
            low, high = gain.spread.widest
            dots.setdefault(gain.method, []).append(
                Dot(
                    name=shown["name"],
                    value=gain.spread.mean,
                    text=points(gain.spread.mean),
                    low=low,
                    high=high,
                    interval=interval_text((low, high)),
                    note=f"over {gain.against}",
                )
            )
    return {method: dots_plot(own, points, is_change=True) for method, own in dots.items()}


def _set(name: str, rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Returns what the template shows of a task of a data set."""
    cells: dict[str, dict[str, list[ResultRow]]] = {}
    chosen: dict[str, Counter[str]] = {}
    own = [row for row in rows if not row.against]
    for row in own:
        cells.setdefault(row.method, {}).setdefault(row.metric, []).append(row)
        if row.chosen:
            chosen.setdefault(row.method, Counter())[row.chosen] += 1
    spreads = {
        method: {metric: Spread.of(found) for metric, found in metrics.items()}
        for method, metrics in cells.items()
    }
    first = [row for row in own if row.method == own[0].method]
    return {
        "name": name,
        # From the least to the most of a seed.
        "counts": (_range([row.rows for row in first]), _range([row.positives for row in first])),
        "seeds": len({row.seed for row in own}),
        "methods": spreads,
        "chosen": chosen,
        "gains": best_gains(rows),
        "curves": _curves(spreads),
    }


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _curves(spreads: Mapping[str, Mapping[str, Spread]]) -> Drawing | None:
    """Draws the mean H-AP by the share answered, of the methods that have it."""
    shares = list(range(10, 101, 10))
    lines = {
        method: (shares, [metrics[f"h_ap_{share}"].mean for share in shares])
        for method, metrics in spreads.items()
        if "h_ap_100" in metrics
    }
    if not lines:
        return None
    chart = Chart(
        title="H-AP by the share answered",
        lines=lines,
        x_title="share answered, %",
        y_title="H-AP of the answered, %",
        y_text=lambda value: f"{100 * value:.3g}",
        looks={method: place % 7 for place, method in enumerate(reversed(lines))},
    )
    return draw(chart)
