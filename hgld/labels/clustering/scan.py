"""How many clusters: a build's classes grouped into several numbers of them, as table and plot."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hgld.engine.files import atomic_file, write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.clustering.classes import ClassVectors, class_vectors
from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.clustering.kmeans import inertia_of
from hgld.labels.clustering.methods import group_points
from hgld.labels.clustering.stability import point_stability
from hgld.labels.scikit_learn import one_thread
from hgld.tables import LABELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 5_000
"""Points of which all pairs are compared for the silhouette."""
_PANELS = (
    ("inertia", "Inertia", "squared distance to the own centre, summed; lower is tighter"),
    ("silhouette", "Silhouette", "-1 to 1; higher is further from the next cluster"),
    ("stability", "Stability", "bootstrapped Jaccard, mean over clusters; 1 is found again"),
    ("agreement", "Agreement with decisions", "adjusted Rand index; 0 is chance, 1 is equal"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 380, 240, 64, 56, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """What grouping the classes into K clusters, from nothing, comes to."""

    clusters: int
    """K"""
    inertia: float
    """Sum of squared distances of points to the mean of their cluster, weighted as they are."""
    silhouette: float
    """Mean over points (5,000 of them at most) of (b - a) / max(a, b): a the mean distance to
    others of the own cluster, b to those of the nearest other. NaN where each is one of its own,
    or all are one. Source: Rousseeuw, 1987."""
    stability: float
    """Mean over clusters of `bootstrap_stability`; NaN without draws."""
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
    decided: Mapping[str, str] | None = None,
) -> list[ScanRow]:
    """Groups a build's classes into several numbers of clusters; writes nothing.

    Args:
        workspace: a build whose `embed` has finished.
        config: the settings; its `clusters` does not count.
        counts: the numbers K to try, 1 or more each.
        decided: class_qid to the hierarchical_label that was decided for it, if any.

    Returns:
        A row for each K, ascending; none for a build without classes. K above the number of
        different labels comes to as many as those.

    Raises:
        InputError: no K or one below 1, or a method that is not told how many.
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
        DamagedError: embeddings that are no vectors of the classes.
    """
    if config.method in {"hdbscan", "subclasses"}:
        raise InputError(
            f"{config.method} finds for itself how many clusters there are; scan with method "
            f"kmeans, ward or average"
        )
    if not counts or min(counts) < 1:
        raise InputError(
            f"the numbers of clusters to scan must be at least 1 each, got {list(counts)}; such as "
            f"20,40,78,150"
        )
    labels = workspace.read(LABELS)
    if not len(labels):
        return []
    with one_thread():
        classes = class_vectors(workspace, labels, config)
        ks = sorted({min(count, len(classes.points.vectors)) for count in counts})
        return [_row(classes, replace(config, clusters=k), decided or {}) for k in ks]


def write_scan(rows: Sequence[ScanRow], folder: Path) -> tuple[Path, Path]:
    """Writes a scan as `scan.csv` and, drawn, as `scan.svg`; NaN is an empty cell.

    Args:
        rows: of `scan_clusters`.
        folder: where to; it is made where it is missing.

    Returns:
        The two paths.
    """
    table, plot = folder / "scan.csv", folder / "scan.svg"
    with atomic_file(table) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ScanRow)])
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in asdict(row).items()})
    write_text(plot, scan_plot(rows))
    return table, plot


def scan_plot(rows: Sequence[ScanRow]) -> str:
    """Draws a scan as one SVG that needs nothing else: a panel a measure, over K."""
    width, height = 2 * _WIDTH, 2 * _HEIGHT
    panels = "".join(
        f'<g transform="translate({place % 2 * _WIDTH} {place // 2 * _HEIGHT})">'
        f"{_panel(title, what, [(row.clusters, getattr(row, name)) for row in rows])}</g>\n"
        for place, (name, title, what) in enumerate(_PANELS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="11">\n<title>Numbers of clusters compared</title>\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{panels}</svg>\n'
    )


def _row(classes: ClassVectors, config: ClusterConfig, decided: Mapping[str, str]) -> ScanRow:
    import numpy as np

    points = classes.points
    groups = group_points(
        points.vectors, points.weights, config, seed=config.seed, n_init=config.n_init
    )
    sizes = np.bincount(groups)
    stability = point_stability(points, groups, config)
    return ScanRow(
        clusters=config.clusters,
        inertia=inertia_of(points.vectors, points.weights, groups),
        silhouette=_silhouette(points.vectors, groups),
        stability=float(np.nanmean(stability)) if config.draws else math.nan,
        agreement=_agreement(classes.qids, groups[points.row], decided),
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


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _panel(title: str, what: str, values: Sequence[tuple[int, float]]) -> str:
    shown = [(k, value) for k, value in values if not math.isnan(value)]
    head = (
        f'<text x="16" y="20" font-size="14" font-weight="bold">{title}</text>'
        f'<text x="16" y="36" fill="#555">{what}</text>'
    )
    if not shown:
        return f'{head}<text x="{_LEFT}" y="{_HEIGHT / 2}" fill="#555">not measured</text>'
    x = _scale([k for k, _ in values], _LEFT, _WIDTH - 32)
    y = _scale([value for _, value in shown], _HEIGHT - _BOTTOM - 16, _TOP + 16)
    places = [(x(k), y(value)) for k, value in shown]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    foot, right = _HEIGHT - _BOTTOM, _WIDTH - 16
    marks = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="#1f5fa8"/>'
        f'<text x="{a:.1f}" y="{b - 7:.1f}" text-anchor="middle">{value:.3g}</text>'
        f'<text x="{a:.1f}" y="{foot + 14}" text-anchor="middle" fill="#555">{k}</text>'
        for (a, b), (k, value) in zip(places, shown, strict=True)
    )
    return (
        f'{head}<path d="M{_LEFT - 24} {foot}H{right}" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>{marks}'
    )


def _scale(values: Sequence[float], low: float, high: float) -> Callable[[float], float]:
    """Returns what maps the least of values to `low` and the largest to `high`."""
    least, span = min(values), max(values) - min(values)
    return lambda value: low + (high - low) * ((value - least) / span if span else 0.5)
