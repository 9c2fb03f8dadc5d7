"""The page of a benchmark: one HTML file that asks no server for anything.

Pure functions of `Results`, apart from `picture_uri`, which reads an image file.
"""

import base64
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from hgld.benchmarks.pages import page_template
from hgld.benchmarks.retrieval.report.metrics import (
    SIGNIFICANT,
    Cell,
    Metric,
    cells_of,
    metrics_of,
)
from hgld.benchmarks.retrieval.report.plots import gains_plot, leaderboard_plot
from hgld.benchmarks.retrieval.results import (
    FEW_QUERIES,
    Measure,
    MethodResults,
    Results,
)
from hgld.benchmarks.retrieval.statistics.intervals import BOOTSTRAP_DRAWS
from hgld.benchmarks.retrieval.statistics.paired import SIGN_FLIPS
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture

PICTURE_PX = 144
"""Side of a picture in the report: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 72
_MOST_CONFUSED = 10
_GRID_LABELS = 12
_PLOTTED = ("H-AP", "mAP@100")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardTable:
    """The metrics of one level, or of all, of every method."""

    title: str
    metrics: list[Metric]
    rows: list[tuple[MethodResults, list[Cell]]]
    """Best H-AP first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionGrid:
    """Which super-category came first for the queries of each, of those with most queries."""

    labels: list[str]
    queries: list[int]
    """Of each label."""
    counts: list[list[int]]
    """A row a label, a column a label, and a last one for all others."""
    confused: list[tuple[str, str, int, int]]
    """Most frequent ones of all: label, what was found, how often, and of how many queries."""


def render_report(results: Results, pictures: Mapping[str, str] | None) -> str:
    """Returns the report as one HTML page that needs nothing else.

    Args:
        results: what was found.
        pictures: image id to data URI (`picture_uri`), for every picture that is shown; None: there
            are none, and what would be shown stands in words.

    Returns:
        The page. Every name in it is escaped.

    Raises:
        ValueError: a picture is missing.
    """
    missing = sorted(shown_images(results) - pictures.keys()) if pictures is not None else []
    if missing:
        raise ValueError(f"pictures must hold every image of the examples, {missing[0]} is missing")
    metrics = metrics_of(results)
    script = files(__package__).joinpath("templates/report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    trained = [method for method in results.methods if method.baseline]
    h_ap = metrics[0]
    return page_template(
        __package__, "report.html.j2", p_value=p_value_text, hours=hours_text
    ).render(
        results=results,
        script=script,
        script_digest=digest,
        tables=leaderboard_tables(results, metrics),
        plots=[leaderboard_plot(results, one) for one in metrics if one.title in _PLOTTED],
        gains=[(method, gains_plot(method, h_ap)) for method in trained],
        tested=[
            (metric, [one for one in results.comparisons if one.metric == metric.key])
            for metric in metrics
            if metric.title in _PLOTTED
        ],
        metrics={metric.key: metric for metric in metrics},
        grids=[(method, confusion_grid(method)) for method in results.methods],
        pictures=pictures,
        titles={method.name: method.title for method in results.methods},
        trained=trained,
        alone=_alone(results),
        first_shown=max(trained or results.methods, key=_h_ap_or_least).name,
        shared_titles=["nothing shared", *(level.shared for level in reversed(results.levels))],
        supercategories=_supercategory_rows(results),
        few=FEW_QUERIES,
        significant=SIGNIFICANT,
        draws=BOOTSTRAP_DRAWS,
        flips=SIGN_FLIPS,
    )


def leaderboard_tables(results: Results, metrics: list[Metric]) -> list[LeaderboardTable]:
    """Returns a table of all levels together, and one of each, the best H-AP on top."""
    order = sorted(
        range(len(results.methods)), key=lambda number: -_h_ap_or_least(results.methods[number])
    )
    tables = []
    for level in dict.fromkeys(metric.level for metric in metrics):
        of_level = [metric for metric in metrics if metric.level == level]
        columns = [cells_of(results, metric) for metric in of_level]
        rows = [(results.methods[number], [cells[number] for cells in columns]) for number in order]
        tables.append(LeaderboardTable(title=level, metrics=of_level, rows=rows))
    return tables


def confusion_grid(method: MethodResults) -> ConfusionGrid:
    """Returns the confusions of a method as a table of the super-categories of most queries."""
    totals: dict[str, int] = {}
    for one in method.confusions:
        totals[one.label] = totals.get(one.label, 0) + one.queries
    labels = sorted(totals, key=lambda label: (-totals[label], label))[:_GRID_LABELS]
    places = {label: place for place, label in enumerate(labels)}
    counts = [[0] * (len(labels) + 1) for _ in labels]
    for one in method.confusions:
        if one.label in places:
            counts[places[one.label]][places.get(one.found, len(labels))] += one.queries
    confused = [one for one in method.confusions if one.label != one.found][:_MOST_CONFUSED]
    return ConfusionGrid(
        labels=labels,
        queries=[totals[label] for label in labels],
        counts=counts,
        confused=[(one.label, one.found, one.queries, totals[one.label]) for one in confused],
    )


def shown_images(results: Results) -> set[str]:
    """Returns the ids of the pictures that the examples and the mistakes show."""
    shown = {example.query.image_id for example in results.examples}
    for example in results.examples:
        for retrieved in example.retrieved.values():
            shown.update(picture.image_id for picture in retrieved)
    for method in results.methods:
        for mistake in method.mistakes:
            shown |= {mistake.query.image_id, mistake.found.image_id}
    return shown


def picture_uri(picture: PictureFile) -> str:
    """Returns a picture as a small square JPEG in a data URI, cropped about its middle.

    Args:
        picture: a file of the build.

    Raises:
        DamagedError: it is gone, or is not what was recorded.
        PictureError: it cannot be decoded.
    """
    from PIL import Image, ImageOps

    # Twice what is shown: a JPEG is decoded no larger than that.
    side = 2 * PICTURE_PX
    image = decode_picture(picture.read(), max_pixels=MOST_PIXELS, min_side=side)
    small = ImageOps.fit(image, (PICTURE_PX, PICTURE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


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


def _alone(results: Results) -> list[MethodResults]:
    """Returns the methods that are neither a baseline nor compared with one."""
    baselines = {method.baseline for method in results.methods}
    return [one for one in results.methods if not one.baseline and one.name not in baselines]


def _h_ap_or_least(method: MethodResults) -> float:
    mean = method.measures["h_ap"].mean
    return -math.inf if math.isnan(mean) else mean


def _supercategory_rows(results: Results) -> list[tuple[str, list[Measure]]]:
    """Returns H-AP by method for each label above the finest, that of most queries first."""
    first = results.methods[0].h_ap_by_supercategory
    names = sorted(first, key=lambda name: (-first[name].queries - first[name].undefined, name))
    return [
        (name, [method.h_ap_by_supercategory[name] for method in results.methods]) for name in names
    ]
