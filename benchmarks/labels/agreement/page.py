"""The page of a comparison with official labels, which asks no server for anything.

It links to the Commons categories of landmarks, and loads none.
"""

import math
import re

import pyarrow as pa

from hgld.benchmarks.labels.agreement.findings import Comparison, Estimate, LevelAgreement
from hgld.plots.chart import HeatTable, heat_table
from hgld.plots.pages import page_template, percent
from hgld.scrape.wikimedia.titles import category_name

SUSPECTS_SHOWN = 100
"""Official rows that look wrong on the page; all of them are in the files beside it."""
MOST_LABELS = 100
"""Labels of the table of confusions; those of most landmarks, where there are more."""
WORST_LABELS = 15
"""Labels of most errors that are shown with examples."""
_OTHERS = ("no label", "another label")

MEASURES = {
    "accuracy": ("Accuracy", "of the officially labelled; no label of ours counts as wrong"),
    "accuracy_where_both": ("Accuracy where both have a label", ""),
    "macro_f1": ("Macro-F1", "every official label weighs the same"),
    "ari": ("ARI", "pairs put together, beyond chance"),
    "ami": ("AMI", "mutual information, beyond chance"),
}
"""Measure to what a reader sees of it, in the order of the page."""

_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f]+")


def confusions(level: LevelAgreement) -> tuple[HeatTable, int]:
    """Lays out the confusions of a level, the labels of most landmarks first.

    Returns:
        Official labels by ours; and how many labels, those of fewest landmarks, have no row.
    """
    known = [one for one in level.labels if one.landmarks]
    by_size = sorted(known, key=lambda one: (-one.landmarks, one.label))
    labels = [one.label for one in by_size[:MOST_LABELS]]
    place: dict[str | None, int] = {label: number for number, label in enumerate([*labels, None])}
    counts = [[0] * (len(labels) + 2) for _ in labels]
    for official, ours, landmarks in level.pairs:
        if official in labels:
            counts[place[official]][place.get(ours, len(labels) + 1)] += landmarks
    return heat_table(counts, labels, _OTHERS), len(known) - len(labels)


def interval(estimate: Estimate) -> str:
    """Writes the interval of a measure in percent; an empty text where it has none.

    Example:
        >>> interval(Estimate(0.876, 0.85, 0.9012)), interval(Estimate(0.876))
        ('85.0 to 90.1', '')
    """
    has_none = math.isnan(estimate.low)
    return "" if has_none else f"{percent(estimate.low)} to {percent(estimate.high)}"


def web_address(text: str) -> str:
    """Returns an address that a page may link to, or an empty text for anything else.

    Example:
        >>> web_address("http://commons.wikimedia.org/wiki/Category:Eltz")
        'http://commons.wikimedia.org/wiki/Category:Eltz'
        >>> web_address("javascript:alert(1)")
        ''
    """
    return text if _WEB_ADDRESS.fullmatch(text) else ""


def render_agreement(found: Comparison, suspects: pa.Table) -> str:
    """Returns the page, in which every text is escaped.

    Args:
        found: by the comparison.
        suspects: rows of SUSPECTS.
    """
    template = page_template(
        "hgld.benchmarks.labels.agreement",
        "agreement.html.j2",
        interval=interval,
        web_address=web_address,
        category_name=category_name,
    )
    finest = found.levels[0]
    heat, left_out = confusions(finest)
    return template.render(
        found=found,
        finest=finest,
        measures=MEASURES,
        heat=heat,
        left_out=left_out,
        worst=[one for one in finest.labels[:WORST_LABELS] if one.errors],
        suspects=suspects.slice(0, SUSPECTS_SHOWN).to_pylist(),
        all_suspects=len(suspects),
    )
