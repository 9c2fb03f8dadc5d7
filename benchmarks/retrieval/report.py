"""The report of a benchmark: one HTML page that asks no server for anything, and a table.

Pure functions of `Results`, apart from `picture_uri`, which reads an image file.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.pages import page_template, percent, points
from hgld.benchmarks.retrieval.results import Example, Measure, MethodResults, Results
from hgld.pictures import MOST_PIXELS, PictureFile, decode_picture

PICTURE_PX = 144
"""Side of a picture in the report: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that the report shows."""

    key: str
    title: str
    level: str
    """The level it looks at, as a reader sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method's value of one metric, in percent, and in percentage points for the change."""

    mean: str
    error: str
    change: str
    """Against the method's baseline; empty for a baseline itself."""
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A method in a row of the plot, in percent of its width."""

    number: int
    """Of the method, which decides its shape and colour."""
    at: float
    low: float
    high: float
    """One standard error below and above; both `at` where it is undefined."""


def metrics_of(results: Results) -> list[Metric]:
    """Returns the metrics shown, in order: hierarchical ones, mAP@100 and R@1 by level."""
    metrics = [
        Metric(key=key, title=title, level="all levels")
        for key, title in (("h_ap", "H-AP"), ("ndcg", "NDCG"), ("asi", "ASI"))
    ]
    for key, title in (("map_at_100", "mAP@100"), ("r_at_1", "R@1")):
        metrics += [
            Metric(key=f"{key}_{level.name}", title=title, level=level.title)
            for level in results.levels
        ]
    return metrics


def cells_of(results: Results, metric: Metric) -> list[Cell]:
    """Returns a row of the table: what each method has of a metric.

    The highest mean is marked, all of them where several are equal, none where nothing differs.
    """
    means = [method.measures[metric.key].mean for method in results.methods]
    defined = [mean for mean in means if not math.isnan(mean)]
    best = max(defined) if defined and max(defined) > min(defined) else math.nan
    return [
        Cell(
            mean=percent(method.measures[metric.key].mean),
            error=percent(method.measures[metric.key].standard_error),
            change=_change(method.changes[metric.key]) if method.changes else "",
            is_best=mean == best,
        )
        for method, mean in zip(results.methods, means, strict=True)
    ]


def format_table(results: Results) -> Table:
    """Returns the benchmark as a table for a terminal: a row a metric, a column a method.

    Args:
        results: what `run_benchmark` found, read with `read_results`.

    Returns:
        A rich table in percent with standard errors; the best of a row is bold.
    """
    counts = results.counts
    table = Table(
        title=f"Retrieval: {counts.queries:,} queries, {counts.index_images:,} index images",
        caption="percent ± standard error over the queries",
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


def render_report(results: Results, pictures: Mapping[str, str]) -> str:
    """Returns the report as one HTML page that needs nothing else.

    Args:
        results: what was found.
        pictures: image id to data URI (`picture_uri`), for every picture of the examples.

    Returns:
        The page. Every name in it is escaped.

    Raises:
        ValueError: a picture is missing.
    """
    missing = sorted(shown_images(results.examples) - pictures.keys())
    if missing:
        raise ValueError(f"pictures must hold every image of the examples, {missing[0]} is missing")
    metrics = metrics_of(results)
    return page_template("hgld.benchmarks.retrieval", "report.html.j2").render(
        results=results,
        rows=[(metric, cells_of(results, metric)) for metric in metrics],
        plotted=[
            (metric, _marks(results, metric))
            for metric in metrics
            if metric.title in {"H-AP", "mAP@100"}
        ],
        pictures=pictures,
        titles={method.name: method.title for method in results.methods},
        trained=[method for method in results.methods if method.baseline],
        alone=_alone(results),
        shared_titles=["nothing shared", *(level.shared for level in reversed(results.levels))],
        supercategories=_supercategory_rows(results),
    )


def shown_images(examples: Sequence[Example]) -> set[str]:
    """Returns the ids of the pictures that examples show."""
    shown = {example.query.image_id for example in examples}
    for example in examples:
        for retrieved in example.retrieved.values():
            shown.update(picture.image_id for picture in retrieved)
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


def _alone(results: Results) -> list[MethodResults]:
    """Returns the methods that are neither a baseline nor compared with one."""
    baselines = {method.baseline for method in results.methods}
    return [one for one in results.methods if not one.baseline and one.name not in baselines]


def _change(change: Measure) -> str:
    return f"{points(change.mean)} ± {percent(change.standard_error)}"


def _marks(results: Results, metric: Metric) -> list[Mark]:
    """Returns where the methods stand on a scale from 0 to 100, those without a value left out."""
    marks = []
    for number, method in enumerate(results.methods):
        value = method.measures[metric.key]
        error = 0.0 if math.isnan(value.standard_error) else value.standard_error
        low, high = max(value.mean - error, 0.0), min(value.mean + error, 1.0)
        if not math.isnan(value.mean):
            marks.append(Mark(number=number, at=100 * value.mean, low=100 * low, high=100 * high))
    return marks


def _supercategory_rows(results: Results) -> list[tuple[str, list[Measure]]]:
    """Returns H-AP by method for each label above the finest, that of most queries first."""
    first = results.methods[0].h_ap_by_supercategory
    names = sorted(first, key=lambda name: (-first[name].queries - first[name].undefined, name))
    return [
        (name, [method.h_ap_by_supercategory[name] for method in results.methods]) for name in names
    ]
