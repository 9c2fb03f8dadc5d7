"""The map of all labels: how long it takes, what it keeps of the neighbours, how far labels move.

The baseline is the field's way on the same vectors: reduced to 50 numbers by principal components,
then scikit-learn's t-SNE as it comes. The quick view is what a page shows meanwhile. 95% of the
labels are laid out first, and all of them from that map and without it.

    python -m hgld.benchmarks.speed.review.label_map --out label_map.json

It needs the extras `cluster` and `offline`. All is on one thread.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.labels.lists import made_up_classes
from hgld.benchmarks.speed.measuring import write_report
from hgld.labels.clustering.geometry import points_of
from hgld.labels.embedding.encoders import MiniLmEncoder
from hgld.labels.embedding.projection import label_projection, quick_projection
from hgld.labels.scikit_learn import one_thread
from hgld.memory import peak_memory_mb, reset_peak_memory

MOST_S = 60.0
MOST_QUICK_S = 0.2
MOST_MOVED = 0.02
_NEW_SHARE = 0.05
_REDUCED = 50
_NEIGHBOURS = 10
_JUDGED = 1_500
_COMPARED = ("all of them", "and the rest")
"""Ways whose map is compared with that of 95% of the labels."""

Vectors = NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the JSON file, and fails where the bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    classes = made_up_classes(options.labels, options.seed)
    vectors = MiniLmEncoder().encode([f"A picture of a {label}" for label in classes])
    names = np.unique(list(classes.values()), return_inverse=True)[1]
    with one_thread("the benchmark"):
        results = measure_ways(vectors, names, options.seed)
    report = {
        "metadata": {
            **describe_environment(["numpy", "scikit-learn", "sentence-transformers"]),
            "threads": 1,
            "labels": len(classes),
            "seed": options.seed,
            "note": options.note,
        },
        "results": results,
    }
    bars = {
        "all_of_them_cpu_s": (results["all of them"]["cpu_s"], MOST_S),
        "quick_view_cpu_s": (results["quick view"]["cpu_s"], MOST_QUICK_S),
        "moved": (results["and the rest"]["moved"], MOST_MOVED),
    }
    write_report(parser, options.out, report, bars)


def measure_ways(
    vectors: Vectors, names: NDArray[np.int64], seed: int
) -> dict[str, dict[str, Any]]:
    """Lays vectors out in every way.

    Args:
        vectors: float32 (n, D), unit norm.
        names: int64 (n,), the number of each one's super-category.
        seed: of the draw of new labels, and of the labels that are judged.

    Returns:
        By way: seconds, peak memory with the libraries, and what `_Judge.tell` tells.
    """
    order = np.random.default_rng(seed).permutation(len(vectors))
    most = np.sort(order[: round(len(order) * (1 - _NEW_SHARE))])
    points = points_of(vectors)
    points_as_given = points.vectors[points.row]
    rows = order[-_JUDGED:]
    judge = _Judge(names=names, rows=rows, truth=_nearest(points_as_given, rows))
    _, first = _measured(lambda: label_projection(vectors[most]))
    before = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    before[most] = first
    ways: dict[str, Callable[[], Vectors]] = {
        "quick view": lambda: quick_projection(vectors),
        "reduced to 50 numbers, as it comes": lambda: _usual_way(points_as_given),
        "all of them": lambda: label_projection(vectors),
        "and the rest": lambda: label_projection(vectors, before),
    }
    results: dict[str, dict[str, Any]] = {"no map": judge.tell(points_as_given, None)}
    for name, lay_out in ways.items():
        told, plane = _measured(lay_out)
        results[name] = told | judge.tell(plane, before if name in _COMPARED else None)
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """What is known of the labels that are judged."""

    names: NDArray[np.int64]
    """(n,), of all labels the number of the super-category."""
    rows: NDArray[np.int64]
    """(J,), of the labels that are judged."""
    truth: NDArray[np.int64]
    """(J, 10), their nearest labels."""

    def tell(self, plane: Vectors, before: Vectors | None) -> dict[str, float]:
        """Returns what a map keeps, and how far it moves what was on one before.

        Args:
            plane: (n, 2), or the vectors themselves.
            before: (n, 2), NaN where a label was not there; None: it is not compared.

        Returns:
            kept: the share of the 10 nearest labels that are among the 10 nearest there. same: the
            share of those that have the label's super-category. moved, moved_95: the median and
            95th percentile of the distances to the places before.
        """
        found = _nearest(plane, self.rows)
        pairs = zip(found, self.truth, strict=True)
        told = {
            "kept": float(np.mean([len(set(a) & set(b)) / _NEIGHBOURS for a, b in pairs])),
            "same": float((self.names[found] == self.names[self.rows][:, None]).mean()),
        }
        if before is not None:
            far = np.linalg.norm(plane - before, axis=1)
            told["moved"] = float(np.nanmedian(far))
            told["moved_95"] = float(np.nanquantile(far, 0.95))
        return {name: round(value, 4) for name, value in told.items()}


def _usual_way(points: Vectors) -> Vectors:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    reduced = PCA(min(_REDUCED, *points.shape), random_state=0).fit_transform(points)
    perplexity = min(30.0, (len(points) - 1) / 3)
    model = TSNE(perplexity=perplexity, random_state=0, n_jobs=1)
    return np.asarray(model.fit_transform(reduced), dtype=np.float32)


def _nearest(points: Vectors, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the 10 nearest others of some points, (J, 10)."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(points).kneighbors(points[rows])[1]
    others = [[one for one in near if one != row] for row, near in zip(rows, found, strict=True)]
    return np.array([near[:_NEIGHBOURS] for near in others])


def _measured(lay_out: Callable[[], Vectors]) -> tuple[dict[str, Any], Vectors]:
    reset_peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    plane = lay_out()
    told = {
        "wall_s": round(time.perf_counter() - start, 2),
        # On one thread it is the wall time of a core that has nothing else to do.
        "cpu_s": round(time.process_time() - cpu_start, 2),
        "peak_mb": peak_memory_mb(),
    }
    return told, plane


if __name__ == "__main__":
    main()
