"""The page of a comparison with official labels, which asks no server for anything.

It links to the Commons categories of landmarks, and loads none.
"""

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.labels.agreement.levels import Estimate, LevelAgreement
from hgld.plots.heat import HeatTable, heat_table
from hgld.plots.pages import page_template, percent
from hgld.scrape.wikimedia.titles import category_name

if TYPE_CHECKING:
    from hgld.benchmarks.labels.agreement.stage import Comparison

SUSPECTS_SHOWN = 100
"""Official rows that look wrong on the page; all of them are in the files beside it."""
MOST_LABELS = 100
"""Labels of the table of confusions; those of most landmarks, where there are more."""
WORST_LABELS = 15
"""Labels of most errors that are shown with examples."""
_OTHERS = ("another label", "no label")

MEASURES = {
    "accuracy": ("Accuracy", "of the officially labelled; no label of ours counts as wrong"),
    "accuracy_where_both": ("Accuracy where both have a label", ""),
    "macro_f1": ("Macro-F1", "every official label weighs the same"),
    "ari": ("ARI", "pairs put together, beyond chance"),
    "ami": ("AMI", "mutual information, beyond chance"),
    "v_measure": ("V-measure", "of homogeneity and completeness"),
    "b_cubed_precision": ("B-cubed precision", "who share our label share the official one"),
    "b_cubed_recall": ("B-cubed recall", "who share the official label share ours"),
    "b_cubed_f1": ("B-cubed F1", ""),
}
"""Measure to what a reader sees of it, in the order of the page."""

_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f]+")


def confusions(level: LevelAgreement) -> tuple[HeatTable, int]:
    """Lays out the confusions of a level, so that labels that are confused stand together.

    Returns:
        Official labels by ours; and how many labels, those of fewest landmarks, have no row.
    """
    known = [one for one in level.labels if one.landmarks]
    by_size = sorted(known, key=lambda one: (-one.landmarks, one.label))[:MOST_LABELS]
    place = {one.label: number for number, one in enumerate(by_size)}
    counts = np.zeros((len(place), len(place) + 2), dtype=np.int64)
    for official, ours, landmarks in level.pairs:
        if official in place:
            column = len(place) + 1 if ours is None else place.get(ours, len(place))
            counts[place[official], column] += landmarks
    order = order_by_confusion(counts[:, : len(place)])
    ordered = counts[order][:, [*order, -2, -1]].tolist()
    labels = [by_size[number].label for number in order]
    return heat_table(ordered, labels, _OTHERS), len(known) - len(labels)


def order_by_confusion(counts: NDArray[np.int64]) -> list[int]:
    """Returns labels in an order in which those that are confused stand together.

    Args:
        counts: (L, L), landmarks by official label and by ours.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) <= 2:  # noqa: PLR2004 - there is nothing to put together
        return list(range(len(counts)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distances = 2 - shares - shares.T
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances), method="average", optimal_ordering=True)
    order: list[int] = leaves_list(tree).tolist()
    return order


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


def render_agreement(found: "Comparison", suspects: pa.Table) -> str:
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
