"""How many clusters: a build's classes grouped into several numbers of them, as a table."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from hgld.engine.files import atomic_file
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.clustering.geometry import ClassVectors, read_classes
from hgld.labels.clustering.kmeans import cold_groups, inertia_of, stability_of
from hgld.labels.clustering.stage import ClusterConfig
from hgld.labels.scikit_learn import one_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 5_000
"""Points of which all pairs are compared for the silhouette."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """What grouping the classes into K clusters, from nothing, comes to."""

    clusters: int
    """K"""
    inertia: float
    """Sum of squared distances of points to the mean of their cluster; lower is tighter."""
    silhouette: float
    """Mean over points (5,000 of them at most) of (b - a) / max(a, b): a the mean distance to
    others of the own cluster, b to those of the nearest other. NaN where each is one of its own,
    or all are one. Source: Rousseeuw, 1987."""
    stability: float
    """Mean over clusters of `stability_of`; NaN without draws."""
    agreement: float
    """Adjusted Rand index of clusters and decided labels, over the classes that have one; NaN with
    fewer than two. Source: Hubert and Arabie, 1985."""
    singletons: int
    """Clusters of one point."""
    largest: int
    """Points of the largest cluster."""


def scan_clusters(
    workspace: Workspace,
    config: ClusterConfig,
    counts: Sequence[int],
    decided: Mapping[str, str],
) -> list[ScanRow]:
    """Groups a build's classes into several numbers of clusters; writes nothing.

    Args:
        workspace: a build whose `embed` has finished.
        config: the settings; its `clusters` does not count.
        counts: the numbers K to try, 1 or more each.
        decided: class_qid to the hierarchical_label that was decided for it.

    Returns:
        A row for each K, ascending; none for a build without classes. K above the number of
        different labels comes to as many as those.

    Raises:
        InputError: no K, or one below 1.
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
    """
    if not counts or min(counts) < 1:
        raise InputError(
            f"the numbers of clusters to scan must be at least 1 each, got {list(counts)}; such as "
            f"20,40,78,150"
        )
    with one_thread():
        classes = read_classes(workspace)
        if classes is None:
            return []
        ks = sorted({min(count, len(classes.points.vectors)) for count in counts})
        return [_row(classes, k, config, decided) for k in ks]


def write_scan(rows: Sequence[ScanRow], path: Path) -> None:
    """Writes a scan as CSV; NaN is an empty cell."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ScanRow)])
        writer.writeheader()
        for row in rows:
            values = asdict(row).items()
            writer.writerow({k: "" if math.isnan(value) else f"{value:.6g}" for k, value in values})


def _row(
    classes: ClassVectors, clusters: int, config: ClusterConfig, decided: Mapping[str, str]
) -> ScanRow:
    import numpy as np

    vectors, seed = classes.points.vectors, config.seed
    groups = cold_groups(vectors, clusters, seed=seed, n_init=config.n_init)
    sizes = np.bincount(groups)
    stability = stability_of(vectors, groups, draws=config.draws, seed=seed)
    return ScanRow(
        clusters=clusters,
        inertia=inertia_of(vectors, groups),
        silhouette=_silhouette(vectors, groups),
        stability=float(np.nanmean(stability)) if config.draws else math.nan,
        agreement=_agreement(classes.qids, groups[classes.points.row], decided),
        singletons=int((sizes == 1).sum()),
        largest=int(sizes.max()),
    )


def _silhouette(vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]") -> float:
    import numpy as np
    from sklearn.metrics import silhouette_score

    if len(vectors) > _SAMPLE:
        chosen = np.random.default_rng(0).permutation(len(vectors))[:_SAMPLE]
        vectors, groups = vectors[chosen], groups[chosen]
    if not 1 < len(np.unique(groups)) < len(groups):
        return math.nan
    return float(silhouette_score(vectors, groups))


def _agreement(
    qids: Sequence[str], groups: "NDArray[np.int64]", decided: Mapping[str, str]
) -> float:
    from sklearn.metrics import adjusted_rand_score

    pairs = [
        (decided[qid], group) for qid, group in zip(qids, groups, strict=True) if qid in decided
    ]
    if len(pairs) < 2:  # noqa: PLR2004 - there is no pair to agree on
        return math.nan
    return float(adjusted_rand_score(*zip(*pairs, strict=True)))
