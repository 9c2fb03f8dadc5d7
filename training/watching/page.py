"""The page of a run: one HTML file that asks no server for anything, rewritten as the run goes on.

While the run is under way the page reloads itself from where it lies, and keeps its place; when the
run has ended it does not any more.
"""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from hgld.engine.files import write_text, writing
from hgld.training.watching.charts import PLOT_SIDE, Chart, draw, shown
from hgld.training.watching.health import health_of, is_judged
from hgld.training.watching.lines import (
    Best,
    Curve,
    LogLine,
    best_validation,
    training_curves,
    validation_curves,
)
from hgld.training.watching.retrieved import RetrievedRow

RUN_PAGE = "run.html"
"""Its name in the folder of the run."""
_RELOAD_S = 15
_QUIET_MIN = 10
"""After which a page that says that the run is under way doubts it: it is written each minute."""

# The parts of HAPPIER's loss, which the log has named so since before there were others.
_LOSSES = frozenset({"loss", "sup_hap", "clustering"})
_OF_VALIDATION = {
    "h_ap": "H-AP",
    "map_landmark": "mAP landmark",
    "map_supercategory": "mAP super-category",
    "map_top": "mAP natural / human-made",
}
_CHECKS = ("mean_similarity", "nearest_in_one", "images_in_one", "queries", "undefined_")
"""How the names of a validation's other numbers start: no metric."""


class _Fact(NamedTuple):
    value: str
    what: str


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
    path = folder / RUN_PAGE
    html = render_run_page(
        folder.name,
        settings=settings,
        lines=lines,
        retrieved=retrieved,
        steps=steps,
        is_running=is_running,
    )
    with writing(path):
        write_text(path, html)


def render_run_page(
    name: str,
    *,
    settings: Mapping[str, object],
    lines: Sequence[LogLine],
    retrieved: Sequence[RetrievedRow] = (),
    steps: int,
    is_running: bool,
) -> str:
    """Returns the page of a run; see `write_run_page`."""
    templates = PackageLoader("hgld.training.watching")
    environment = Environment(
        loader=templates,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, _, _ = templates.get_source(environment, "reload.js")
    step = max((line["step"] for line in lines if isinstance(line["step"], int)), default=0)
    best = best_validation(lines)
    return environment.get_template("run.html.j2").render(
        name=name,
        step=step,
        steps=steps,
        is_running=is_running,
        facts=_facts(settings, lines, steps - step if is_running else 0, best),
        symptoms=health_of(lines, steps=steps),
        is_judged=is_judged(lines, steps=steps),
        drawings=[draw(chart, until=step) for chart in charts_of(lines)],
        best=best,
        retrieved=retrieved,
        settings=settings,
        shown=shown,
        side=PLOT_SIDE,
        now=datetime.now(UTC),
        script=script,
        # The only script that the page lets a browser run.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        reload_s=_RELOAD_S,
        quiet_min=_QUIET_MIN,
    )


def charts_of(lines: Sequence[LogLine]) -> list[Chart]:
    """Returns the charts of a log: of what is known by name, and of every other number it has."""
    curves, checked = training_curves(lines), validation_curves(lines)
    losses = {key: curves.pop(key) for key in list(curves) if _is_loss(key)}
    rates = {key: curves.pop(key) for key in list(curves) if key.startswith("learning_rate")}
    metrics = {
        _OF_VALIDATION.get(key, _words(key)): curve
        for key, curve in checked.items()
        if not key.startswith(_CHECKS)
    }
    similarity = {
        name: curve
        for name, curve in (
            ("in a batch", curves.pop("mean_similarity", None)),
            ("held out", checked.get("mean_similarity")),
        )
        if curve
    }
    charts = [
        Chart(
            title="Loss",
            about="What is minimised, and its parts; means since the line before.",
            curves={_words(key): curve for key, curve in losses.items()},
            is_noisy=True,
        ),
        Chart(
            title="Validation",
            about="Held-out landmarks, each image searching all others; percent.",
            curves=metrics,
            is_percent=True,
        ),
        Chart(
            title="Learning rate",
            about="Step size of the optimiser.",
            curves={_words(key): curve for key, curve in rates.items()},
            is_linear=True,
        ),
        _one("gradient_norm", "Norm over all weights.", curves),
        _one("images_per_s", "Images per second: reading, computing and all.", curves),
        _one("peak_memory_mb", "The most so far: of the process, or of a GPU's tensors.", curves),
        Chart(
            title="Mean similarity",
            about="Cosine of two different images; 1: all look the same.",
            curves=similarity,
            is_linear=True,
        ),
        *(_one(key, "As the run logs it.", curves) for key in list(curves) if key not in _NAMED),
    ]
    return [chart for chart in charts if _has_values(chart)]


_NAMED = ("gradient_norm", "images_per_s", "peak_memory_mb")


def _one(key: str, about: str, curves: Mapping[str, Curve]) -> Chart:
    found = {_words(key): curves[key]} if key in curves else {}
    return Chart(title=_words(key), about=about, curves=found, is_noisy=True)


def _has_values(chart: Chart) -> bool:
    return any(math.isfinite(value) for curve in chart.curves.values() for value in curve.values)


def _is_loss(key: str) -> bool:
    return key in _LOSSES or key.endswith("_loss")


def _words(key: str) -> str:
    special = {
        "images_per_s": "Images per second",
        "peak_memory_mb": "Peak memory, MB",
        "sup_hap": "Sup-H-AP",
    }
    return special.get(key, key.replace("_", " ").capitalize())


def _facts(
    settings: Mapping[str, object], lines: Sequence[LogLine], left: int, best: Best | None
) -> list[_Fact]:
    """Returns what stands at the top, largest first."""
    curves, checked = training_curves(lines), validation_curves(lines)
    facts = []
    if best:
        last = checked["h_ap"].values[-1]
        before = "" if best.since == 0 else f", {shown(best.h_ap, True)} at step {best.step:,}"
        what = "of the held-out landmarks, its best" if not best.since else "held out; best"
        facts.append(_Fact(f"H-AP {shown(last, True)}", f"{what}{before}"))
    loss = curves.get("loss")
    if loss:
        facts.append(_Fact(f"loss {shown(loss.values[-1])}", f"{shown(loss.values[0])} at first"))
    speed = curves.get("images_per_s")
    if speed:
        rate, batch = speed.values[-1], settings.get("batch_size")
        rest = "in the last line"
        if isinstance(batch, int) and rate > 0 and left > 0:
            rest = f"about {_time(left * batch / rate)} left"
        facts.append(_Fact(f"{rate:,.0f} images/s", rest))
    return facts


def _time(seconds: float) -> str:
    """Writes how long something takes.

    Example:
        >>> _time(42), _time(600), _time(7500), _time(200_000)
        ('42 s', '10 min', '2 h 5 min', '2 d 7 h')
    """
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if minutes < 2:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if hours < 2:  # noqa: PLR2004
        return f"{minutes} min"
    if hours < 48:  # noqa: PLR2004
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
