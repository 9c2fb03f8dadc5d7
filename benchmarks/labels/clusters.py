"""How good are the clusters: how even, how alike by seeds, how few classes a re-scrape moves?

    python -m hgld.benchmarks.labels.clusters --labels LABELS.csv --vectors VECTORS.npz --out F.json

Reads a list of labels (column `label`; encoded by MiniLM, `hgld[offline]`) and vectors of CLIP
(array `vectors`). All is measured on points as the stage makes them.
"""

import argparse
import csv
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from hgld.benchmarks.environment import describe_environment
from hgld.labels.clustering.kmeans import (
    cold_groups,
    group_means,
    points_of,
    unit_rows,
    warm_groups,
)
from hgld.labels.clustering.matching import canonical_clusters, matched_ids
from hgld.labels.embedding.encoders import MiniLmEncoder
from hgld.labels.scikit_learn import one_thread

Vectors = NDArray[np.float32]

_NEW_SHARE = 0.05


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labels", type=Path, required=True, help="CSV with a column label")
    parser.add_argument("--vectors", type=Path, required=True, help="npz with an array vectors")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--clusters", type=int, nargs="+", default=[78, 150])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    with options.labels.open(encoding="utf-8", newline="") as file:
        texts = [f"A picture of a {row['label']}" for row in csv.DictReader(file)]
    labels = MiniLmEncoder().encode(texts)
    with np.load(options.vectors) as file:
        clip = unit_rows(file["vectors"])
    with one_thread():
        report = {
            "metadata": {
                **describe_environment(["numpy", "scipy", "scikit-learn"]),
                "labels": len(labels),
                "clip_vectors": len(clip),
                "seeds": options.seeds,
            },
            "geometry": [
                {"vectors": name, **row}
                for name, vectors in (("MiniLM", labels), ("CLIP", clip))
                for row in compare_geometries(vectors, options.clusters[0], options.seeds)
            ],
            "rescrape": [
                rescrape(labels, clusters, options.seeds) for clusters in options.clusters
            ],
        }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def compare_geometries(vectors: Vectors, clusters: int, seeds: int) -> list[dict[str, Any]]:
    """Says how even clusters are and how far seeds agree, by geometry; means over seeds."""
    rows = []
    for name, centre in (("plain", False), ("centred", True)):
        points = points_of(vectors, centre=centre)
        runs = [cold_groups(points.vectors, clusters, seed=seed) for seed in range(seeds)]
        sizes = [np.bincount(groups) for groups in runs]
        agreements = [
            adjusted_rand_score(one, other) for one, other in itertools.combinations(runs, 2)
        ]
        rows.append(
            {
                "geometry": name,
                "clusters": clusters,
                "mean_cosine": _rounded((points.vectors @ points.vectors.T).mean()),
                "largest": _rounded(np.mean([one.max() for one in sizes])),
                "size_variation": _rounded(np.mean([one.std() / one.mean() for one in sizes])),
                "seeds_ari": _spread(agreements),
            }
        )
    return rows


def rescrape(vectors: Vectors, clusters: int, seeds: int) -> dict[str, Any]:
    """Says which share of the old classes stays in its matched cluster when 5% are new.

    Each seed holds out another 5%, clusters the rest at seed 0, and then all: warm, and cold at
    seed 0.
    """
    count = len(vectors)
    kept: dict[str, list[float]] = {"warm_kept": [], "cold_kept": []}
    for seed in range(seeds):
        new = np.zeros(count, dtype=bool)
        chosen = np.random.default_rng(seed).choice(
            count, round(count * _NEW_SHARE / (1 + _NEW_SHARE)), replace=False
        )
        new[chosen] = True
        old = points_of(vectors[~new])
        before = cold_groups(old.vectors, clusters, seed=0)
        centres = group_means(old.vectors, np.ones(len(old.vectors)), before, clusters)
        ids = np.full(count, -1)
        ids[~new] = before[old.row]
        points = points_of(vectors)
        start = np.full(len(points.vectors), -1)
        start[points.row[~new]] = ids[~new]
        after = {
            "warm_kept": warm_groups(points.vectors, start, centres.astype(np.float32)),
            "cold_kept": cold_groups(points.vectors, clusters, seed=0),
        }
        for name, groups in after.items():
            numbers = np.arange(count)
            canonical = canonical_clusters(groups[points.row], np.ones_like(numbers), numbers)
            is_kept = matched_ids(ids, canonical, clusters)[~new] == ids[~new]
            kept[name].append(float(is_kept.mean()))
    return {"clusters": clusters, **{name: _spread(values) for name, values in kept.items()}}


def _spread(values: Sequence[float]) -> dict[str, float]:
    mean = _rounded(np.mean(values))
    return {"mean": mean, "least": _rounded(min(values)), "most": _rounded(max(values))}


def _rounded(value: float | np.floating) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
