"""The page of the training runs: one HTML file that asks no server for anything."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hgld.benchmarks.pages import page_template, percent, points
from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.training.summary import GroupSummary, Spread
from hgld.benchmarks.training.trials import TrialRecord

_SHOWN = {
    "h_ap": "H-AP",
    "map_landmark": "mAP landmark",
    "map_supercategory": "mAP super-category",
    "map_top": "mAP natural / human-made",
}
_ALSO = {"ndcg": "NDCG", "asi": "ASI", "r_at_1_landmark": "R@1 landmark"}
_MARGIN = 0.05
"""Of a strip's width, left and right of the lowest and the highest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The runs of a group as marks on a line, in percent of its width."""

    title: str
    marks: list[float]
    mean: float
    text: str


def render_training_page(
    metadata: Mapping[str, Json],
    changes: Sequence[GroupSummary],
    methods: Sequence[GroupSummary],
    records: Sequence[TrialRecord],
) -> str:
    """Returns the page.

    Args:
        metadata: what the last run was made with.
        changes: of the algorithm, on landmarks held out; may be none.
        methods: on the test queries; may be none.
        records: of every run.
    """
    template = page_template(
        "hgld.benchmarks.training",
        "training.html.j2",
        spread=spread_text,
        gain=gain_text,
        duration=duration_text,
        plain_spread=_plain_spread,
    )
    known = [one for one in (*methods, *changes) if one.measures]
    there = {name for one in known for name in one.measures}
    return template.render(
        metadata=metadata,
        changes=changes,
        methods=methods,
        records=records,
        shown={name: title for name, title in _SHOWN.items() if name in there},
        also={name: title for name, title in _ALSO.items() if name in there},
        has_crop_size=any(one.at_crop_size for one in methods),
        strips=strips_of(methods, records),
        of_methods=next((one for one in records if one.part == "method"), None),
        of_changes=next((one for one in records if one.part == "change"), None),
        best=max(
            (
                one.measures["h_ap"].mean
                for one in methods
                if not math.isnan(one.gains["h_ap"].mean)
            ),
            default=math.nan,
        ),
    )


def strips_of(methods: Sequence[GroupSummary], records: Sequence[TrialRecord]) -> list[Strip]:
    """Returns the H-AP of each method's runs on one common line, best mean first."""
    values = {
        one.group: [
            run.measures["h_ap"]
            for run in records
            if run.part == "method" and run.group == one.group
        ]
        for one in methods
    }
    every = [value for each in values.values() for value in each]
    if not every:
        return []
    low, width = min(every), (max(every) - min(every)) or 1.0

    def at(value: float) -> float:
        return round(100 * (_MARGIN + (1 - 2 * _MARGIN) * (value - low) / width), 2)

    ordered = sorted(methods, key=lambda one: one.measures["h_ap"].mean, reverse=True)
    return [
        Strip(
            title=one.title,
            marks=[at(value) for value in values[one.group]],
            mean=at(one.measures["h_ap"].mean),
            text=spread_text(one.measures["h_ap"]),
        )
        for one in ordered
    ]


def spread_text(value: Spread) -> str:
    """Writes a fraction and its spread in percent.

    Example:
        >>> spread_text(Spread(mean=0.5312, deviation=0.004, seeds=3))
        '53.1 ± 0.4'
    """
    error = "" if math.isnan(value.deviation) else f" ± {percent(value.deviation)}"
    return f"{percent(value.mean)}{error}"


def gain_text(value: Spread) -> str:
    """Writes a difference and its spread in percentage points.

    Example:
        >>> gain_text(Spread(mean=-0.012, deviation=0.004, seeds=3))
        '-1.2 ± 0.4'
    """
    error = "" if math.isnan(value.deviation) else f" ± {percent(value.deviation)}"
    return f"{points(value.mean)}{error}"


def duration_text(seconds: float | None) -> str:
    """Writes seconds as minutes.

    Example:
        >>> duration_text(294.0), duration_text(None)
        ('4.9 min', '')
    """
    return "" if seconds is None or math.isnan(seconds) else f"{seconds / 60:.1f} min"


def _plain_spread(value: Spread) -> str:
    if math.isnan(value.mean):
        return ""
    error = "" if math.isnan(value.deviation) else f" ± {value.deviation:.3f}"
    return f"{value.mean:.3f}{error}"
