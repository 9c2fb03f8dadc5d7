"""The page of a run: one HTML file that asks no server for anything, rewritten as the run goes on.

While the run is under way the page reloads itself from where it lies, and keeps its place; when the
run has ended it does not any more.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch
from PIL import Image, ImageOps

from hgld.engine.files import write_text
from hgld.metrics import shared_levels
from hgld.pictures import MOST_PIXELS, decode_picture
from hgld.plots.chart import Chart, Line, draw
from hgld.plots.pages import number, page_template, percent
from hgld.training.data.labels import LabelledImages
from hgld.training.index.search import jpeg_uri, top_k
from hgld.training.run.lines import (
    Best,
    LogLine,
    best_validation,
    health_of,
    is_judged,
    training_curves,
    validation_curves,
)
from hgld.training.run.validation import Validation

THUMBNAIL_PX = 128
"""Side of a picture: sharp at the size it is shown on a dense screen."""
_JPEG_QUALITY = 70
_ROWS = 4
_FOUND = 6
RUN_PAGE = "run.html"
"""Its name in the folder of the run."""
# The parts of HAPPIER's loss, which do not end in "loss".
_LOSSES = frozenset({"loss", "sup_hap", "clustering"})
_ABOUT = {
    "Loss": "What is minimised, and its parts; means since the line before.",
    "Validation": "Held-out landmarks, each image searching all others; percent.",
    "Learning rate": "Step size of the optimiser.",
    "Gradient norm": "Norm over all weights.",
    "Images per second": "Reading, computing and all.",
    "Peak memory, MB": "The most so far: of the process, or of a GPU's tensors.",
    "Mean similarity": "Cosine of two different images; 1: all look the same.",
}
"""What is known of a chart, in the order of the page."""
_LINEAR = ("Validation", "Learning rate", "Mean similarity")
_NAMES = {
    "images_per_s": "Images per second",
    "peak_memory_mb": "Peak memory, MB",
    "sup_hap": "Sup-H-AP",
    "h_ap": "H-AP",
    "map_landmark": "mAP landmark",
    "map_supercategory": "mAP super-category",
    "map_top": "mAP natural / human-made",
}
_NO_METRIC = ("queries", "undefined_")
"""How the names of a validation's counts start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedPicture:
    """A picture of a row."""

    uri: str
    """A small JPEG, in a data URI."""
    image_id: str
    labels: tuple[str, ...]
    """Its labels, finest first."""
    shares: tuple[bool, ...]
    """Whether it shares each of them, and all coarser ones, with the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedRow:
    """A query and what it finds."""

    levels: tuple[str, ...]
    """Titles of the L levels, finest first."""
    query: RetrievedPicture
    h_ap: float
    """Of the query, NaN where it has nothing to find."""
    found: tuple[RetrievedPicture, ...]
    """The nearest first."""


def retrieved_rows(validation: Validation, images: LabelledImages) -> list[RetrievedRow]:
    """Shows what some of the validation's queries find.

    The queries are the same at every validation of a run, and nobody picks them: of images that
    share a landmark with another one, each of another landmark, those whose image ids have the
    lowest digests.

    Args:
        validation: of the images.
        images: the held-out ones.

    Returns:
        Four rows of six pictures; fewer where there are fewer queries.

    Raises:
        DamagedError: a picture is not what was recorded.
        PictureError: it cannot be decoded.
    """
    queries = _queries(images)
    if not queries:
        return []
    ids = torch.arange(len(images))
    nearest = top_k(
        *(validation.embeddings[queries], validation.embeddings, min(_FOUND, len(images) - 1)),
        query_ids=ids[queries],
        index_ids=ids,
    ).indices
    shared = shared_levels(images.labels[queries], images.labels)  # (rows, m)
    levels = tuple(level.title for level in images.levels)
    return [
        RetrievedRow(
            levels=levels,
            query=_picture(images, query, len(levels)),
            h_ap=float(validation.h_ap[query]),
            found=tuple(_picture(images, at, int(shared[row, at])) for at in found),
        )
        for row, (query, found) in enumerate(zip(queries, nearest.tolist(), strict=True))
    ]


def _queries(images: LabelledImages) -> list[int]:
    """Returns the positions of the queries that are shown."""
    counts = torch.bincount(images.labels[:, 0])
    has_other = counts[images.labels[:, 0]] > 1
    order = sorted(
        has_other.nonzero().squeeze(1).tolist(),
        key=lambda at: hashlib.sha256(str(images.image_ids[at]).encode()).digest(),
    )
    chosen: dict[int, int] = {}
    for at in order:
        chosen.setdefault(int(images.labels[at, 0]), at)
    return list(chosen.values())[:_ROWS]


def _picture(images: LabelledImages, at: int, shared: int) -> RetrievedPicture:
    landmark, *coarser = (
        names[label] for names, label in zip(images.names, images.labels[at].tolist(), strict=True)
    )
    levels, side = 1 + len(coarser), THUMBNAIL_PX
    # Twice what is shown: a JPEG is decoded no larger than that.
    image = decode_picture(images.picture(at).read(), max_pixels=MOST_PIXELS, min_side=2 * side)
    small = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    return RetrievedPicture(
        uri=jpeg_uri(small, _JPEG_QUALITY),
        image_id=str(images.image_ids[at]),
        labels=(f"{images.levels[0].title} {landmark}", *(label.strip() for label in coarser)),
        # Shared levels are counted from the coarsest.
        shares=tuple(level >= levels - shared for level in range(levels)),
    )


def write_run_page(
    folder: Path,
    *,
    settings: Mapping[str, object],
    lines: Sequence[LogLine],
    retrieved: Sequence[RetrievedRow] = (),
    steps: int,
    is_running: bool,
) -> None:
    """Writes `run.html` into the folder of a run, atomically.

    Args:
        folder: `runs/RUN`; its name is that of the run.
        settings: of the run, by name; shown as they are.
        lines: of the log, in its order; there may be none yet.
        retrieved: what some of the held-out queries found at the last validation.
        steps: of the whole run.
        is_running: whether the run goes on after this. The page reloads itself if so.

    Raises:
        InputError: there is no room, or the file system refuses; the page there was stays.
    """
    step = max((line["step"] for line in lines), default=0)
    best = best_validation(lines)
    html = page_template(__package__, "run.html.j2").render(
        name=folder.name,
        step=step,
        steps=steps,
        is_running=is_running,
        facts=_facts(settings, lines, steps - step if is_running else 0, best),
        symptoms=health_of(lines, steps=steps),
        is_judged=is_judged(lines, steps=steps),
        drawings=[draw(chart) for chart in charts_of(lines, step, best)],
        retrieved=retrieved,
        settings=settings,
        now=datetime.now(UTC),
    )
    write_text(folder / RUN_PAGE, html)


def charts_of(lines: Sequence[LogLine], last_step: int, best: Best | None) -> list[Chart]:
    """Returns the charts of a log: of what is known by name, and of every other number it has.

    Args:
        lines: of the log.
        last_step: at their right end, so that they stand under one another.
        best: marked in that of the validations.
    """
    found: dict[str, dict[str, Line]] = {title: {} for title in _ABOUT}
    for key, curve in training_curves(lines).items():
        name = "in a batch" if key == "mean_similarity" else _name(key)
        found.setdefault(_title(key), {})[name] = curve
    for key, curve in validation_curves(lines).items():
        if key == "mean_similarity":
            found["Mean similarity"]["held out"] = curve
        elif not key.startswith(_NO_METRIC):
            found["Validation"][_name(key)] = curve
    return [
        Chart(
            title=title,
            about=_ABOUT.get(title, "As the run logs it.")
            + (" Upright line: the best H-AP." if best and title == "Validation" else ""),
            lines=curves,
            x_title="step",
            y_text=percent if title == "Validation" else number,
            x_end=last_step,
            y_limits=(0, 1) if title == "Validation" else None,
            x_mark=best.step if best and title == "Validation" else None,
            may_be_log=title not in _LINEAR,
            is_noisy=title not in _LINEAR,
            shows_last=True,
        )
        for title, curves in found.items()
        if any(math.isfinite(value) for _, values in curves.values() for value in values)
    ]


def _title(key: str) -> str:
    if key in _LOSSES or key.endswith("_loss"):
        return "Loss"
    return "Learning rate" if key.startswith("learning_rate") else _name(key)


def _name(key: str) -> str:
    return _NAMES.get(key, key.replace("_", " ").capitalize())


def _facts(
    settings: Mapping[str, object], lines: Sequence[LogLine], left: int, best: Best | None
) -> list[tuple[str, str]]:
    """Returns what stands at the top, and what it is."""
    curves, checked = training_curves(lines), validation_curves(lines)
    facts = []
    if best:
        what = "of the held-out landmarks, its best"
        if best.since:
            what = f"held out; best, {percent(best.h_ap)} at step {best.step:,}"
        facts.append((f"H-AP {percent(checked['h_ap'].values[-1])}", what))
    if "loss" in curves:
        values = curves["loss"].values
        facts.append((f"loss {number(values[-1])}", f"{number(values[0])} at first"))
    if "images_per_s" in curves:
        rate, batch = curves["images_per_s"].values[-1], settings.get("batch_size")
        rest = "in the last line"
        if isinstance(batch, int) and rate > 0 and left > 0:
            rest = f"about {timedelta(seconds=round(left * batch / rate))} left"
        facts.append((f"{rate:,.0f} images/s", rest))
    return facts
