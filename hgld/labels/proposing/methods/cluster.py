"""The method `cluster`: what most others of a class's cluster are.

Weak evidence: another seed makes other clusters. It looks at the cluster's own members alone, so
that nothing done to one cluster reaches another.
"""

from typing import TYPE_CHECKING

import numpy as np

from hgld.labels.proposing.methods.ballot import Hint, Targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE = 0.9
"""The confidence from which a class speaks for its cluster; decided ones do."""
_FEWEST = 3  # of fewer that speak, a majority is chance
_MOST = 0.8


def cluster_candidates(
    clusters: "NDArray[np.int64]",
    best: "NDArray[np.int64]",
    is_sure: "NDArray[np.bool_]",
    targets: Targets,
) -> list[list[Hint]]:
    """Returns what the other members of each class's cluster say.

    Args:
        clusters: int64 (n,), the cluster of each class; whole clusters.
        best: int64 (n,), the column of the target of each without this method.
        is_sure: bool (n,), who speaks.
        targets: the columns.

    Returns:
        For each class the target of most others that speak, where more than half agree.
    """
    places, cluster = np.unique(clusters, return_inverse=True)
    speaking = np.zeros((len(places), len(targets.columns)), dtype=np.int64)
    np.add.at(speaking, (cluster[is_sure], best[is_sure]), 1)
    others = speaking[cluster]  # (n, T)
    others[np.flatnonzero(is_sure), best[is_sure]] -= 1
    total, most = others.sum(axis=1), others.max(axis=1, initial=0)
    column = others.argmax(axis=1)
    found: list[list[Hint]] = [[] for _ in clusters]
    for row in np.flatnonzero((total >= _FEWEST) & (2 * most > total)):
        target = targets.columns[column[row]]
        tier = "most" if most[row] >= _MOST * total[row] else "half"
        words = f"so are {most[row]} of {total[row]} sure ones in its cluster"
        found[row].append(Hint(target, tier, words))
    return found
