"""The report of a comparison with official labels: one HTML page that asks no server for anything.

Pure functions of what was found. It links to the Commons categories of landmarks, and loads none.
"""

import math
import re

import pyarrow as pa

from hgld.benchmarks.labels.agreement.confusion import SHADES, heat_map
from hgld.benchmarks.labels.agreement.levels import WORST_LABELS
from hgld.benchmarks.labels.agreement.measures.agreement import Estimate
from hgld.benchmarks.labels.agreement.results import AgreementResults
from hgld.benchmarks.pages import category_name, page_template

SUSPECTS_SHOWN = 100
"""Official rows that look wrong on the page; all of them are in the files beside it."""

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


def in_percent(estimate: Estimate) -> tuple[str, str]:
    """Writes a measure and its interval in percent, with one decimal.

    Returns:
        The value, and the interval; `n/a` and an empty text where it is undefined.

    Example:
        >>> in_percent(Estimate(value=0.876, low=0.85, high=0.9012))
        ('87.6', '85.0 to 90.1')
    """
    if math.isnan(estimate.value):
        return "n/a", ""
    interval = "" if math.isnan(estimate.low) else f"{_percent(estimate.low)} to "
    return _percent(estimate.value), interval and interval + _percent(estimate.high)


def web_address(text: str) -> str:
    """Returns an address that a page may link to, or an empty text for anything else.

    Example:
        >>> web_address("http://commons.wikimedia.org/wiki/Category:Eltz")
        'http://commons.wikimedia.org/wiki/Category:Eltz'
        >>> web_address("javascript:alert(1)")
        ''
    """
    return text if _WEB_ADDRESS.fullmatch(text) else ""


def render_agreement(results: AgreementResults, suspects: pa.Table) -> str:
    """Returns the report as one HTML page that needs nothing else.

    Args:
        results: what was found.
        suspects: rows of SUSPECTS.

    Returns:
        The page. Every text in it is escaped.
    """
    template = page_template(
        "hgld.benchmarks.labels.agreement",
        "agreement.html.j2",
        in_percent=in_percent,
        web_address=web_address,
        category_name=category_name,
    )
    finest = results.levels[0]
    return template.render(
        results=results,
        finest=finest,
        measures=MEASURES,
        map=heat_map(finest),
        shades=SHADES,
        worst=[one for one in finest.labels[:WORST_LABELS] if one.errors],
        suspects=suspects.slice(0, SUSPECTS_SHOWN).to_pylist(),
        all_suspects=len(suspects),
    )


def _percent(value: float) -> str:
    text = f"{100 * value:.1f}"
    return "0.0" if text == "-0.0" else text
