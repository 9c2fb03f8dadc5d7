"""How good are the clusters: how even, how alike by seeds, how few classes a re-scrape moves?

    python -m hgld.benchmarks.labels.clusters --labels LABELS.csv --vectors VECTORS.npz --out F.json

Reads a list of labels (column `label`; encoded by MiniLM, `hgld[offline]`) and vectors of CLIP
(array `vectors`). Geometry, seeds and re-scrapes are measured on points as the stage makes them;
the time is that of one thread, on vectors made from pairs of the labels'.
"""

import argparse
import csv
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from hgld.benchmarks.environment import describe_environment
from hgld.labels.clustering.kmeans import (
    Points,
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

_PROMPT = "A picture of a {}"
_NEW_SHARE = 0.05
_SINGLE_STARTS = 20
_TIMED_CLUSTERS = 78
_GEOMETRIES = {"plain": False, "centred": True}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labels", type=Path, required=True, help="CSV with a column label")
    parser.add_argument("--vectors", type=Path, required=True, help="npz with an array vectors")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--clusters", type=int, nargs="+", default=[78, 150])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--timed", type=int, default=10_000, help="labels of the timed run")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    labels = read_and_encode(options.labels)
    with np.load(options.vectors) as file:
        clip = unit_rows(file["vectors"])
    with one_thread():
        report = {
            "metadata": {
                **describe_environment(["numpy", "scipy", "scikit-learn"]),
                "threads": 1,
                "labels": len(labels),
                "clip_vectors": len(clip),
                "seeds": options.seeds,
                "note": options.note,
            },
            "geometry": [
                {"vectors": name, **row}
                for name, vectors in (("MiniLM", labels), ("CLIP", clip))
                for row in compare_geometries(vectors, options.clusters[0], options.seeds)
            ],
            "rescrape": [
                rescrape(labels, clusters, options.seeds) for clusters in options.clusters
            ],
            "time": time_of(mixed_vectors(labels, options.timed)),
        }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def read_and_encode(path: Path) -> Vectors:
    """Encodes the labels of a list, float32 (n, 384), unit norm."""
    with path.open(encoding="utf-8", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    return MiniLmEncoder().encode([_PROMPT.format(label) for label in labels])


def compare_geometries(vectors: Vectors, clusters: int, seeds: int) -> list[dict[str, Any]]:
    """Says how even clusters are and how far seeds agree, by geometry; means over seeds."""
    rows = []
    for name, centre in _GEOMETRIES.items():
        points = points_of(vectors, centre=centre)
        runs = [_cold(points, clusters, seed) for seed in range(seeds)]
        sizes = [np.bincount(groups) for groups in runs]
        starts = (
            cold_groups(points.vectors, clusters, seed=seed, n_init=1)
            for seed in range(_SINGLE_STARTS)
        )
        single = [int((np.bincount(groups) == 1).sum()) for groups in starts]
        agreements = [
            adjusted_rand_score(one, other) for one, other in itertools.combinations(runs, 2)
        ]
        rows.append(
            {
                "geometry": name,
                "clusters": clusters,
                "mean_cosine": _rounded((points.vectors @ points.vectors.T).mean()),
                "singletons": _rounded(np.mean([(one == 1).sum() for one in sizes])),
                "singletons_of_one_start": _spread(single),
                "largest": _rounded(np.mean([one.max() for one in sizes])),
                "size_variation": _rounded(np.mean([one.std() / one.mean() for one in sizes])),
                "seeds_ari": _spread(agreements),
            }
        )
    return rows


def rescrape(vectors: Vectors, clusters: int, seeds: int) -> dict[str, Any]:
    """Says which share of the old classes stays in its matched cluster when 5% are new.

    Each seed holds out another 5%, clusters the rest at seed 0, and then all: warm, and cold at
    seed 0 and at another.
    """
    count = len(vectors)
    runs: dict[str, list[float]] = {}
    for seed in range(seeds):
        new = np.zeros(count, dtype=bool)
        chosen = np.random.default_rng(seed).choice(
            count, round(count * _NEW_SHARE / (1 + _NEW_SHARE)), replace=False
        )
        new[chosen] = True
        old = points_of(vectors[~new])
        before = _cold(old, clusters, 0)
        ids = np.full(count, -1)
        ids[~new] = before[old.row]
        points = points_of(vectors)
        start = np.full(len(points.vectors), -1)
        start[points.row[~new]] = ids[~new]
        centres = _means(old, before, clusters)
        after = {
            "warm": warm_groups(points.vectors, start, centres),
            "cold": _cold(points, clusters, 0),
            "cold_other_seed": _cold(points, clusters, seed + 1),
        }
        for name, groups in after.items():
            numbers = np.arange(count)
            canonical = canonical_clusters(groups[points.row], np.ones_like(numbers), numbers)
            kept = matched_ids(ids, canonical, clusters)[~new] == ids[~new]
            runs.setdefault(f"{name}_kept", []).append(float(kept.mean()))
            means = _means(points, groups, clusters)
            inertia = float(((points.vectors - means[groups]) ** 2).sum())
            runs.setdefault(f"{name}_inertia", []).append(inertia)
        ari = adjusted_rand_score(after["cold"], after["cold_other_seed"])
        runs.setdefault("cold_seeds_ari", []).append(float(ari))
    return {"clusters": clusters, **{name: _spread(values) for name, values in runs.items()}}


def time_of(vectors: Vectors) -> dict[str, Any]:
    """Returns what each part of the default settings takes, on one thread.

    CPU time is what it would take alone; the wall clock says what else the machine did.
    """
    seconds: dict[str, Any] = {"labels": len(vectors), "width": vectors.shape[1]}
    clock = _Clock(seconds)
    points = points_of(vectors)
    clock.stop("points")
    groups = _cold(points, _TIMED_CLUSTERS, 0)
    clock.stop("cold")
    centres = _means(points, groups, _TIMED_CLUSTERS)
    start = np.where(np.arange(len(groups)) % 20, groups, -1)
    warm_groups(points.vectors, start, centres)
    clock.stop("warm")
    return seconds


def mixed_vectors(vectors: Vectors, count: int) -> Vectors:
    """Makes as many different vectors as are wanted from pairs of real ones."""
    random = np.random.default_rng(0)
    first = random.integers(len(vectors), size=count)
    second = (first + random.integers(1, len(vectors), size=count)) % len(vectors)
    share = random.uniform(0.5, 1, (count, 1))
    return unit_rows(vectors[first] * share + vectors[second] * (1 - share))


class _Clock:
    """Writes down the seconds since it was last stopped."""

    def __init__(self, seconds: dict[str, Any]) -> None:
        self._seconds = seconds
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self, name: str) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        self._seconds[f"{name}_cpu_s"] = round(cpu - self._cpu, 2)
        self._seconds[f"{name}_wall_s"] = round(wall - self._wall, 2)
        self._cpu, self._wall = time.process_time(), time.perf_counter()


def _cold(points: Points, clusters: int, seed: int) -> NDArray[np.int64]:
    return cold_groups(points.vectors, clusters, seed=seed)


def _means(points: Points, groups: NDArray[np.int64], clusters: int) -> Vectors:
    ones = np.ones(len(points.vectors))
    return group_means(points.vectors, ones, groups, clusters).astype(np.float32)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": _rounded(np.mean(values)),
        "least": _rounded(min(values)),
        "most": _rounded(max(values)),
    }


def _rounded(value: float | np.floating) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
