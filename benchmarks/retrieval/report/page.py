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
from typing import TYPE_CHECKING, NamedTuple

from hgld.benchmarks.pages import page_template
from hgld.benchmarks.retrieval.report.metrics import (
    SIGNIFICANT,
    Cell,
    Metric,
    best_first,
    cells_of,
    leading_metrics,
    metrics_of,
    value_or_least,
)
from hgld.benchmarks.retrieval.report.plots import gains_plot, leaderboard_plot
from hgld.benchmarks.retrieval.results import (
    FEW_GROUPS,
    Measure,
    MethodResults,
    Results,
    shown_level,
)
from hgld.benchmarks.retrieval.statistics.intervals import BOOTSTRAP_DRAWS
from hgld.benchmarks.retrieval.statistics.paired import SIGN_FLIPS
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture

if TYPE_CHECKING:
    from PIL import Image

PICTURE_PX = 144
"""Side of a picture in the report: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 72
_MOST_CONFUSED = 10
_GRID_LABELS = 12
_WIDE = 4
_AT_THE_TOP = 3
"""Columns beyond which the table of a level has a line of its own."""
_GRADES_OF_REVISITED = (
    ("negative", "not to be found"),
    ("junk", "junk: neither found nor in the way"),
    ("hard", "to be found, hard"),
    ("easy", "to be found, easy (at “hard” not asked for)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardTable:
    """The metrics of one level, or of all, of every method."""

    title: str
    metrics: list[Metric]
    rows: list[tuple[MethodResults, list[Cell]]]
    """The best of the leading metric first."""

    @property
    def is_wide(self) -> bool:
        """Says whether it has many columns."""
        return len(self.metrics) > _WIDE


class PictureGrade(NamedTuple):
    """What a retrieved picture has to do with the query (`Picture.grade`)."""

    badge: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionGrid:
    """Which label came first for the queries of each, of those with most queries."""

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
    leading = metrics[0]
    plotted = leading_metrics(metrics)
    level = shown_level(results.levels)
    return page_template(
        __package__, "report.html.j2", p_value=p_value_text, hours=hours_text, plural=plural
    ).render(
        results=results,
        leading=leading,
        level=level.title if level else "",
        group=results.levels[0].title if results.levels else "building",
        script=script,
        script_digest=digest,
        tables=leaderboard_tables(results, metrics),
        plots=[leaderboard_plot(results, one) for one in plotted],
        gains=[(method, gains_plot(method, leading)) for method in trained],
        of_seeds=[
            results.methods[number]
            for number in best_first(results, leading)
            if results.methods[number].over_seeds
        ],
        tested=[
            (metric, [one for one in results.comparisons if one.metric == metric.key])
            for metric in plotted
        ],
        grids=[(method, confusion_grid(method)) for method in results.methods],
        pictures=pictures,
        titles={method.name: method.title for method in results.methods},
        trained=trained,
        alone=_alone(results),
        best_trained=_best(trained, leading),
        best_alone=_best(_alone(results), leading),
        first_shown=max(trained or results.methods, key=lambda one: value_or_least(one, leading)),
        grades=picture_grades(results),
        labels=_label_rows(results),
        numbers=list(range(len(results.methods))),
        few=FEW_GROUPS,
        significant=SIGNIFICANT,
        draws=BOOTSTRAP_DRAWS,
        flips=SIGN_FLIPS,
    )


def _best(methods: list[MethodResults], leading: Metric) -> list[MethodResults]:
    """Returns the methods that stand at the top of the page: all in their order, or the best."""
    if len(methods) <= _AT_THE_TOP:
        return methods
    return sorted(methods, key=lambda one: -value_or_least(one, leading))[:_AT_THE_TOP]


def picture_grades(results: Results) -> list[PictureGrade]:
    """Returns what each grade of a retrieved picture is called, the lowest first."""
    if not results.levels:
        return [PictureGrade(*one) for one in _GRADES_OF_REVISITED]
    titles = ["nothing shared", *(level.shared for level in reversed(results.levels))]
    badges = [f"{grade} of {len(results.levels)}" for grade in range(len(titles))]
    return [PictureGrade(*one) for one in zip(badges, titles, strict=True)]


def leaderboard_tables(results: Results, metrics: list[Metric]) -> list[LeaderboardTable]:
    """Returns a table of all levels together, and one of each, the best on top.

    Args:
        results: what was found.
        metrics: the columns, the leading one first.
    """
    order = best_first(results, metrics[0])
    tables = []
    for level in dict.fromkeys(metric.level for metric in metrics):
        of_level = [metric for metric in metrics if metric.level == level]
        columns = [cells_of(results, metric) for metric in of_level]
        rows = [(results.methods[number], [cells[number] for cells in columns]) for number in order]
        tables.append(LeaderboardTable(title=level, metrics=of_level, rows=rows))
    return tables


def confusion_grid(method: MethodResults) -> ConfusionGrid:
    """Returns the confusions of a method as a table of the labels of most queries."""
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
    # Twice what is shown: a JPEG is decoded no larger than that.
    side = 2 * PICTURE_PX
    return image_uri(decode_picture(picture.read(), max_pixels=MOST_PIXELS, min_side=side))


def image_uri(image: "Image.Image") -> str:
    """Returns an image as a small square JPEG in a data URI, cropped about its middle."""
    from PIL import Image, ImageOps

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


def _alone(results: Results) -> list[MethodResults]:
    """Returns the methods that are neither a baseline nor compared with one."""
    baselines = {method.baseline for method in results.methods}
    return [one for one in results.methods if not one.baseline and one.name not in baselines]


def _label_rows(results: Results) -> list[tuple[str, list[Measure]]]:
    """Returns the leading metric by method for each label, that of most queries first."""
    first = results.methods[0].by_label
    names = sorted(first, key=lambda name: (-first[name].queries - first[name].undefined, name))
    return [(name, [method.by_label[name] for method in results.methods]) for name in names]
