"""What a benchmark found as a page and for a terminal, and what the page shows of the pictures.

So that nobody picks wins, examples follow a rule: the queries for which the leading metric is
defined are sorted by their change in it (by its value where nothing is compared), equal ones by
image id, and those at the quantiles 0, 1/4, 1/2, 3/4 and 1 are shown.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageOps
from rich.markup import escape
from rich.table import Table

from hgld.annotations.overlap import BUILDING_M
from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.retrieval.methods import Compared
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.results import (
    COSTS,
    FIRST,
    SIGNIFICANT,
    UNTRAINED,
    Method,
    Metric,
    Results,
    Row,
    best_first,
    between,
    bounds_of,
    cells_of,
    leading_metrics,
    metrics_of,
    shown_level,
)
from hgld.benchmarks.retrieval.statistics import BOOTSTRAP_DRAWS, SIGN_FLIPS
from hgld.benchmarks.retrieval.traits import CENTURY, SEEN, UNKNOWN_TRAIT, century_place
from hgld.engine.dataset import Level
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.plots.marks import Dot, DotsPlot, dots_plot
from hgld.plots.pages import page_template
from hgld.training.data.labels import LabelledImages
from hgld.training.index.search import jpeg_uri

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
PICTURE_PX = 144
"""Side of a picture in the report: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 72
FEW_GROUPS = 5
"""Of a super-category with queries of fewer landmarks the mean says little: it is not drawn."""
MOST_LABELS = 20
"""Of a trait the report shows those of most landmarks."""
_LOOKS = 6
_MOST_CONFUSED = 20
_AT_THE_TOP = 3
_GRADES_OF_REVISITED = (
    ("negative", "not to be found"),
    ("junk", "junk: neither found nor in the way"),
    ("hard", "to be found, hard"),
    ("easy", "to be found, easy (at “hard” not asked for)"),
)
_NAME_WIDTH = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A query or a retrieved picture, in words."""

    image_id: str
    landmark: str
    """What its landmark, the finest level, is called."""
    labels: tuple[str, ...]
    """Of the coarser levels, finest first."""
    grade: int
    """How many levels it shares with the query: 0 is none, and the number of levels is the same
    landmark. Of Revisited Oxford and Paris: 0 is nothing to find, 1 junk, 2 hard, 3 easy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A query and what each method puts first."""

    query: Picture
    quantile: float
    """Where the query stands in the order of what is compared: 0 is the worst."""
    scores: dict[str, float]
    """By method, the leading metric."""
    retrieved: dict[str, list[Picture]]
    """By method, nearest first."""


class TraitTable(NamedTuple):
    """The figures by what is known of landmarks, such as their country."""

    title: str
    rows: list[Row]
    """Of the first method."""
    known: int
    """Queries of which it is known."""
    hidden: int
    """Labels that are left out."""


def render_report(
    results: Results, examples: Sequence[Example], pictures: Mapping[str, str] | None = None
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
    leading = metrics[0]
    order = best_first(results, leading)
    trained = [method for method in order if method.baseline]
    level = shown_level(results.levels)
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
        level=level.title if level else "",
        group=group_of(results.levels),
        trained=trained,
        at_the_top=[one for one in order if one.kind not in UNTRAINED][:_AT_THE_TOP],
        tables=tables,
        costs=COSTS,
        plots_of_methods=[
            (metric, methods_plot(results, metric)) for metric in leading_metrics(metrics)
        ],
        gains=[(one, gains_plot(results, one, leading)) for one in trained if level],
        labels=_by_label(results, results.methods[0], leading, level.title) if level else [],
        traits=trait_tables(results, leading),
        seen=SEEN,
        near=BUILDING_M,
        has_bounds=metrics[1].key in {one.key for one in bounds_of(leading).values()},
        confused=[(one, confusions(results, one)) for one in order if level],
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
    looks = {
        one.name: 0 if one.kind in UNTRAINED else 1 + (number - 1) % _LOOKS
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
    level = shown_level(results.levels)
    title = level.title if level else ""
    rows = _by_label(results, method, metric, title, against=method.baseline)
    gains = [row for row in rows if (row.groups or 0) >= FEW_GROUPS]
    gains.sort(key=lambda row: (-row.mean, row.label))
    dots = [_dot(row.label, row, metric, note=f"({row.queries})") for row in gains]
    return dots_plot(dots, metric.change_text, is_change=True)


def confusions(results: Results, method: Method) -> list[tuple[Row, int]]:
    """Returns the most frequent confusions, each with how many queries there are of its label."""
    rows = [row for row in results.rows if (row.method, row.metric) == (method.name, FIRST)]
    totals = Counter[str]()
    for row in rows:
        totals[row.label] += row.queries or 0
    return [(row, totals[row.label]) for row in rows if row.label != row.found][:_MOST_CONFUSED]


def trait_tables(results: Results, metric: Metric) -> list[TraitTable]:
    """Returns the figures by what is known of landmarks.

    Labels of most landmarks come first, centuries in their order, and last what is unknown.
    """
    method, shown = results.methods[0], shown_level(results.levels)
    labelled = (row.level for row in results.rows if row.label and row.metric == metric.key)
    titles = [title for title in dict.fromkeys(labelled) if not shown or title != shown.title]
    found = []
    for title in titles:
        every = _by_label(results, method, metric, title)
        rows = sorted(every, key=lambda row: (row.label == UNKNOWN_TRAIT, -(row.groups or 0)))
        unknown = [row for row in rows if row.label == UNKNOWN_TRAIT]
        named = rows[: len(rows) - len(unknown)]
        chosen = named[:MOST_LABELS]
        if title == CENTURY:
            chosen.sort(key=lambda row: century_place(row.label))
        without = sum((row.queries or 0) + (row.undefined or 0) for row in unknown)
        known, hidden = results.counts["queries"] - without, len(named) - len(chosen)
        found.append(TraitTable(title, [*chosen, *unknown], known, hidden))
    return found


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


def group_of(levels: Sequence[Level]) -> str:
    """Returns what queries have in common that are taken together, such as `landmark`."""
    return levels[0].title if levels else "building"


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


def _by_label(
    results: Results, method: Method, metric: Metric, level: str, *, against: str = ""
) -> list[Row]:
    """Returns the rows of the queries of each label, that of most queries first."""
    wanted = (method.name, metric.key, level, against)
    rows = [
        row
        for row in results.rows
        if row.label and (row.method, row.metric, row.level, row.against) == wanted
    ]
    return sorted(rows, key=lambda row: (-(row.queries or 0) - (row.undefined or 0), row.label))


def format_table(results: Results) -> Table:
    """Returns the benchmark as a table for a terminal.

    Args:
        results: what `run_benchmark` found, read with `read_results`.

    Returns:
        A rich table, a row a method, best first, with the first metrics that are plotted and their
        standard errors. The best of a metric is bold.
    """
    # Beside names, 80 characters take three columns of figures.
    counts, metrics = results.counts, leading_metrics(metrics_of(results))[:3]
    rule = "; each searches all others" if results.is_one_set else ""
    rule += f"; {counts['distractors']:,} distractors" if "distractors" in counts else ""
    table = Table(
        title=f"{results.data_set or 'Retrieval'}: {counts['queries']:,} queries, "
        f"{counts['index_images']:,} index images{rule}",
        caption=f"percent ± standard error, the queries of each of {counts['query_groups']:,} "
        f"{plural(group_of(results.levels))} taken together",
        title_justify="left",
        caption_justify="left",
    )
    # What runs differ in stands at the end of their names.
    table.add_column("method", overflow="fold", min_width=_NAME_WIDTH)
    for metric in metrics:
        table.add_column(escape(f"{metric.title}\n{metric.level}"), justify="right")
    columns = [cells_of(results, metric) for metric in metrics]
    for method in best_first(results, metrics[0]):
        cells = [of_metric[method.name] for of_metric in columns]
        marks = ["[bold]" if cell.is_best else "[not bold]" for cell in cells]
        texts = [
            f"{mark}{one.mean}[/] ± {one.error}" for mark, one in zip(marks, cells, strict=True)
        ]
        table.add_row(escape(method.title), *texts)
    return table


def make_examples(protocol: Protocol, compared: Sequence[Compared]) -> list[Example]:
    """Puts together what each method retrieves for the queries that the rule chooses.

    Args:
        protocol: queries and index.
        compared: the methods. The first one that started from another orders the queries by its
            change, else the first one by its value.
    """
    queries, index = protocol.queries, protocol.index
    found = {one.method.name: one.runs[0] for one in compared}
    scores = {name: one.per_query[protocol.metrics[0].key] for name, one in found.items()}
    lead = next((one.method for one in compared if one.method.baseline), compared[0].method)
    order = scores[lead.name] - (scores[lead.baseline] if lead.baseline else 0.0)
    examples = []
    for quantile, number in spread_queries(order.tolist(), queries.image_ids.to_pylist()).items():
        grades = protocol.grades(number).tolist()
        retrieved = {
            name: [_picture(index, place, grades[place]) for place in one.nearest[number].tolist()]
            for name, one in found.items()
        }
        examples.append(
            Example(
                query=_picture(queries, number, len(queries.levels)),
                quantile=quantile,
                scores={name: float(each[number]) for name, each in scores.items()},
                retrieved=retrieved,
            )
        )
    return examples


def pictures_of(protocol: Protocol, examples: Sequence[Example]) -> dict[str, str]:
    """Returns every picture that is shown as a data URI, by its image id.

    Raises:
        DamagedError: one is gone, or is not what was recorded.
        PictureError: it cannot be decoded.
    """
    shown = {example.query.image_id for example in examples}
    for example in examples:
        shown |= {one.image_id for found in example.retrieved.values() for one in found}
    pictures = {}
    for images in (protocol.queries, protocol.index):
        for number, image_id in enumerate(images.image_ids.to_pylist()):
            if image_id in shown:
                content = images.picture(number).read()
                # Twice what is shown: a JPEG is decoded no larger than that.
                whole = decode_picture(content, max_pixels=MOST_PIXELS, min_side=2 * PICTURE_PX)
                pictures[image_id] = image_uri(whole)
    if protocol.data is not None and protocol.data.boxes:
        # Of a query what is searched for, and not what lies around it.
        crops = zip(protocol.queries.image_ids.to_pylist(), query_crops(protocol.data), strict=True)
        pictures |= {image_id: image_uri(crop) for image_id, crop in crops if image_id in shown}
    return pictures


def image_uri(image: Image.Image) -> str:
    """Returns an image as a small square JPEG in a data URI, cropped about its middle."""
    small = ImageOps.fit(image, (PICTURE_PX, PICTURE_PX), Image.Resampling.LANCZOS)
    return jpeg_uri(small, _JPEG_QUALITY)


def spread_queries(changes: Sequence[float], image_ids: Sequence[str]) -> dict[float, int]:
    """Chooses queries at fixed places of the order of their change.

    Args:
        changes: (Q,), NaN for a query that cannot be chosen.
        image_ids: (Q,), unique; they order equal changes.

    Returns:
        Quantile to the position of its query, worst change first; fewer than `QUANTILES` where
        there are fewer queries, each query once.

    Example:
        >>> spread_queries([0.2, -0.1, float("nan"), 0.2], ["b", "c", "d", "a"])
        {0.0: 1, 0.5: 3, 1.0: 0}
    """
    defined = [number for number, change in enumerate(changes) if not math.isnan(change)]
    order = sorted(defined, key=lambda number: (changes[number], image_ids[number]))
    chosen: dict[float, int] = {}
    if order:
        # With fewer queries than quantiles, the first, middle and last places come first.
        for quantile in sorted(QUANTILES, key=lambda value: (value not in {0.0, 0.5, 1.0}, value)):
            number = order[math.floor(quantile * (len(order) - 1) + 0.5)]
            if number not in chosen.values():
                chosen[quantile] = number
    return dict(sorted(chosen.items()))


def _picture(images: LabelledImages, place: int, grade: int) -> Picture:
    image_id = str(images.image_ids[place])
    labels = [
        names[int(label)] for names, label in zip(images.names, images.labels[place], strict=True)
    ]
    # A number is no name: the level says what it is of.
    named = f"{images.levels[0].title} {labels[0]}" if labels and labels[0].isdigit() else ""
    return Picture(
        image_id=image_id,
        landmark=named or (labels[0] if labels else image_id),
        labels=tuple(label.strip() for label in labels[1:]),
        grade=grade,
    )
