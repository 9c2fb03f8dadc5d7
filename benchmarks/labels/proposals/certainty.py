"""How sure proposals are: from log-odds to how often they are right."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hgld.labels.proposing.calibration import Calibration


class SilverProposal(NamedTuple):
    """A class of the silver set that was proposed without its own lines."""

    log_odds: float
    is_right: bool
    weight: float
    """So that as many are ignored as of the classes of landmarks."""


def isotonic(points: Sequence[SilverProposal], bins: int = 24) -> tuple[tuple[float, float], ...]:
    """Fits how often proposals are right as a line over their log-odds that never falls.

    Args:
        points: what was proposed, and whether it was right.
        bins: of about equal weight; neighbours that fall are put together (pool adjacent
            violators).

    Returns:
        Median log-odds and share that was right of each bin, with one right and one wrong added;
        and last the highest log-odds, a little higher, so that the surest come first.
    """
    order = sorted(points)
    weights = np.cumsum([each.weight for each in order])
    edges = np.searchsorted(weights, np.linspace(0, weights[-1], bins + 1)[1:-1])
    blocks: list[list[SilverProposal]] = []
    for part in np.split(np.arange(len(order)), edges):
        if len(part):
            blocks.append([order[row] for row in part])
        while len(blocks) > 1 and _share(blocks[-2]) >= _share(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    line = [
        (round(float(np.median([each.log_odds for each in block])), 3), round(_share(block), 4))
        for block in blocks
    ]
    highest, most = order[-1].log_odds, (len(order) + 1) / (len(order) + 2)
    return (*line, (round(max(highest, line[-1][0] + 1), 3), round(most, 4)))


def reliability(
    points: Sequence[SilverProposal], calibration: Calibration
) -> list[dict[str, float]]:
    """Compares confidence with accuracy, by tenths of the proposals, the surest first.

    Args:
        points: what was proposed, and whether it was right.
        calibration: what log-odds are worth.

    Returns:
        For each tenth its rows, the mean confidence and the share that was right.
    """
    order = sorted(points, reverse=True)
    told = []
    for part in np.array_split(np.arange(len(order)), 10):
        rows = [order[row] for row in part]
        odds = np.array([each.log_odds for each in rows])
        told.append(
            {
                "rows": len(rows),
                "confidence": round(float(calibration.confident(odds).mean()), 4),
                "right": round(sum(each.is_right for each in rows) / len(rows), 4),
            }
        )
    return told


def _share(block: Sequence[SilverProposal]) -> float:
    right = sum(each.weight for each in block if each.is_right)
    return (right + 1) / (sum(each.weight for each in block) + 2)
