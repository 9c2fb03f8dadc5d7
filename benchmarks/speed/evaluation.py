"""What does it cost to compute every metric of a whole index?

Two cases, each against baselines in the same process, in turns:

- `gldv2`: 1,129 queries on 761,757 index items, the sizes of GLDv2. The baselines do no more than
  rank: the product of the embeddings alone, with `torch.sort`, and with `numpy.argsort`.
- `self`: 10,000 items that query each other. The baseline is the plain way: sort every list in
  full, look up the labels in that order, compute each metric by its definition.

    python -m hgld.benchmarks.speed.evaluation --out evaluation.json
"""

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hgld.benchmarks.environment import describe_environment
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.metrics import (
    Evaluation,
    EvaluationSettings,
    average_precision,
    average_precision_at_k,
    average_precision_at_r,
    average_set_intersection,
    decay_relevance,
    evaluate,
    hierarchical_average_precision,
    item_relevance,
    level_counts,
    mistake_severity,
    ndcg,
    precision_at_1,
    recall_at_k,
    shared_levels,
)

_LEVELS = 3
_DIMENSIONS = 512
NATURAL, HUMAN_MADE = 18, 60  # super-categories
_IMAGES_PER_LANDMARK = 8
SORTED_ROWS = 64  # queries that a baseline ranks at a time
PLAIN_ROWS = 256

EvaluationRun = Callable[[], Evaluation | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much to evaluate."""

    queries: int
    index: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationCost:
    """What one way of doing a case cost."""

    case: str
    method: str
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    cpu_s: float
    """Median processor time of all threads, which other work on the machine leaves alone."""
    pair_ns: float
    """Median time for one query and one index item."""
    peak_mb: float | None
    """Most memory of the process meanwhile, embeddings and torch included."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    numbers = {"rounds": 3, "seed": 0, "queries": 1_129, "index": 761_757, "items": 10_000}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    sizes = Sizes(queries=options.queries, index=options.index, items=options.items)
    load = os.getloadavg()
    device = torch.device(options.device)
    measured, agreement = [], {}
    for case, make_runs, pairs in (
        ("gldv2", gldv2_runs, sizes.queries * sizes.index),
        ("self", self_runs, sizes.items**2),
    ):
        taken, results = measure_runs(
            case, make_runs(sizes, options.seed, device), pairs, options.rounds
        )
        measured += taken
        if "plain" in results:
            agreement[case] = largest_difference(results["plain"], results["evaluate"])
    report = {
        "metadata": {
            **describe_environment(["torch", "numpy"]),
            "device": str(device),
            "seed": options.seed,
            "rounds": options.rounds,
            "sizes": asdict(sizes),
            "dimensions": _DIMENSIONS,
            "levels": _LEVELS,
            "load_average": {"before": load, "after": os.getloadavg()},
            "note": options.note,
        },
        "results": [asdict(measurement) for measurement in measured],
        "ratios": against_baselines(measured),
        "largest_difference_from_plain": agreement,
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report["ratios"], indent=2))


def gldv2_runs(sizes: Sizes, seed: int, device: torch.device) -> dict[str, EvaluationRun]:
    """Queries apart from a large index."""
    generator = torch.Generator().manual_seed(seed)
    index, index_labels = landmark_images(
        sizes.index, sizes.index // _IMAGES_PER_LANDMARK + 1, generator
    )
    drawn = torch.randint(0, sizes.index, (sizes.queries,), generator=generator)
    noise = torch.randn(sizes.queries, _DIMENSIONS, generator=generator)
    queries = normalize(index[drawn] + 0.05 * noise).to(device)
    labels, index = index_labels[drawn], index.to(device)

    def ranked(sort: Callable[[Tensor], object]) -> EvaluationRun:
        def run() -> None:
            for start in range(0, len(queries), SORTED_ROWS):
                sort(queries[start : start + SORTED_ROWS] @ index.T)
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return run

    runs: dict[str, EvaluationRun] = {
        "evaluate": lambda: evaluate(queries, labels, index, index_labels),
        "product": ranked(lambda _: None),
        "product and torch.sort": ranked(lambda x: torch.sort(x, dim=1, descending=True)),
    }
    if device.type == "cpu":
        runs["product and numpy.argsort"] = ranked(lambda x: (-x).numpy().argsort(axis=1))
    return runs


def self_runs(sizes: Sizes, seed: int, device: torch.device) -> dict[str, EvaluationRun]:
    """Every item a query of all others."""
    generator = torch.Generator().manual_seed(seed)
    items, labels = landmark_images(sizes.items, sizes.items // _IMAGES_PER_LANDMARK + 1, generator)
    items, labels = items.to(device), labels.to(device)
    ids = torch.arange(sizes.items)
    return {
        "evaluate": lambda: evaluate(items, labels, items, labels, query_ids=ids, index_ids=ids),
        "plain": lambda: evaluate_plainly(items, labels),
    }


def landmark_images(count: int, places: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws images of landmarks in super-categories, 76% of them human-made, as in H-GLDv2.

    Returns:
        (count, D) unit length embeddings near their landmark and super-category; (count, 3) labels.
    """
    human_made = torch.rand(places, generator=generator) < 0.76  # noqa: PLR2004 - as in H-GLDv2
    supercategory = torch.where(
        human_made,
        NATURAL + torch.randint(0, HUMAN_MADE, (places,), generator=generator),
        torch.randint(0, NATURAL, (places,), generator=generator),
    )
    landmark = torch.randint(0, places, (count,), generator=generator)
    coarse = torch.randn(NATURAL + HUMAN_MADE, _DIMENSIONS, generator=generator)
    fine = torch.randn(places, _DIMENSIONS, generator=generator)
    embeddings = torch.randn(count, _DIMENSIONS, generator=generator)
    embeddings += fine[landmark]
    embeddings += coarse[supercategory[landmark]]
    labels = torch.stack([landmark, supercategory[landmark], human_made[landmark].long()], dim=1)
    return normalize(embeddings), labels


def evaluate_plainly(items: Tensor, labels: Tensor) -> Evaluation:
    """Computes every metric of `evaluate` by its definition, from lists that are sorted in full."""
    chosen = EvaluationSettings()
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(items), PLAIN_ROWS):
        rows = torch.arange(start, min(start + PLAIN_ROWS, len(items)), device=items.device)
        similarities = items[rows] @ items.T
        similarities[rows - start, rows] = -torch.inf
        order = similarities.sort(dim=1, descending=True, stable=True).indices[:, :-1]
        level = shared_levels(labels[rows], labels).gather(1, order)
        table = decay_relevance(level_counts(level, _LEVELS), chosen.alpha)
        values = {
            "h_ap": hierarchical_average_precision(item_relevance(level, table)),
            "ndcg": ndcg(level),
            "asi": average_set_intersection(level),
        }
        for k in chosen.mistake_severity_at:
            values[f"mistake_severity_at_{k}"] = mistake_severity(level, _LEVELS, k)
        for column in range(_LEVELS):
            values |= _plain_level(level >= _LEVELS - column, column, chosen)
        for key, value in values.items():
            parts.setdefault(key, []).append(value.cpu())
    return Evaluation({key: torch.cat(values) for key, values in parts.items()})


def _plain_level(positive: Tensor, column: int, chosen: EvaluationSettings) -> dict[str, Tensor]:
    """The metrics of one level."""
    values = {
        f"map_at_{k}_level{column}": average_precision_at_k(positive, k)
        for k in chosen.average_precision_at
    }
    values[f"ap_level{column}"] = average_precision(positive)
    values[f"map_at_r_level{column}"] = average_precision_at_r(positive)
    values[f"p_at_1_level{column}"] = precision_at_1(positive)
    for k in chosen.recall_at:
        values[f"r_at_{k}_level{column}"] = recall_at_k(positive, k)
    return values


def measure_runs(
    case: str, runs: dict[str, EvaluationRun], pairs: int, rounds: int
) -> tuple[list[EvaluationCost], dict[str, Evaluation]]:
    """Runs each way in turns, so that what else the machine does falls on all alike."""
    seconds: dict[str, list[float]] = {method: [] for method in runs}
    cpu: dict[str, list[float]] = {method: [] for method in runs}
    peaks: dict[str, float | None] = {}
    results: dict[str, Evaluation] = {}
    for _ in range(rounds):
        for method, run in runs.items():
            gc.collect()
            reset_peak_memory()
            started, cpu_started = time.perf_counter(), time.process_time()
            result = run()
            seconds[method].append(time.perf_counter() - started)
            cpu[method].append(time.process_time() - cpu_started)
            peaks[method] = peak_memory_mb()
            if result is not None:
                results[method] = result
            print(f"{case}: {method}: {seconds[method][-1]:.1f} s, {peaks[method]} MB", flush=True)
    return [
        EvaluationCost(
            case=case,
            method=method,
            seconds=[round(s, 6) for s in taken],
            median_s=round(statistics.median(taken), 6),
            spread_s=round(max(taken) - min(taken), 6),
            cpu_s=round(statistics.median(cpu[method]), 6),
            pair_ns=round(statistics.median(taken) / pairs * 1e9, 3),
            peak_mb=peaks[method],
        )
        for method, taken in seconds.items()
    ], results


def against_baselines(measured: Sequence[EvaluationCost]) -> dict[str, dict[str, float]]:
    """Computes how the median times of `evaluate` compare with each baseline of its case."""
    ours = {m.case: m for m in measured if m.method == "evaluate"}
    return {
        f"{m.case}: evaluate / {m.method}": {
            "time": round(ours[m.case].median_s / m.median_s, 4),
            "cpu": round(ours[m.case].cpu_s / m.cpu_s, 4),
        }
        for m in measured
        if m.method != "evaluate"
    }


def largest_difference(one: Evaluation, other: Evaluation) -> float:
    """Finds the largest difference of any metric and query; infinite where only one is defined."""
    largest = 0.0
    for key, values in one.per_query.items():
        if not torch.equal(values.isnan(), other.per_query[key].isnan()):
            return float("inf")
        largest = max(largest, float((values - other.per_query[key]).nan_to_num().abs().max()))
    return largest


if __name__ == "__main__":
    main()
