"""What does it cost to compute every metric of a whole index?

Two cases, each against baselines in the same process, in turns:

- `gldv2`: 1,129 queries on 761,757 index items, the sizes of GLDv2. The baselines do no more than
  rank: the product of the embeddings alone, with `torch.sort`, and with `numpy.argsort`.
- `self`: 10,000 items that query each other. The baseline is the plain way: sort every list in
  full, look up the labels in that order, compute each metric by its definition.

    python -m hgld.benchmarks.speed.evaluation --out evaluation.json
"""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hgld import metrics
from hgld.benchmarks.speed.measuring import measure_in_turns, read_options, write_report
from hgld.metrics import Evaluation, EvaluationSettings, evaluate

_LEVELS, _DIMENSIONS = 3, 512
_NATURAL, _HUMAN_MADE, _HUMAN_MADE_SHARE = 18, 60, 0.76  # super-categories, as in H-GLDv2
_IMAGES_PER_LANDMARK = 8
_SORTED_ROWS, _PLAIN_ROWS = 64, 256  # queries that a baseline ranks at a time


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        queries=1_129,
        index=761_757,
        items=10_000,
        rounds=3,
        seed=0,
        device="cpu",
    )
    on_itself = runs_on_itself(options)
    cases: dict[str, Mapping[str, Callable[[], object]]] = {
        "gldv2": runs_on_index(options),
        "self": on_itself,
    }
    pairs = {"gldv2": options.queries * options.index, "self": options.items**2}
    results, ratios = [], {}
    for case, runs in cases.items():
        costs = measure_in_turns(runs, options.rounds)
        ours = costs["evaluate"]
        for method, cost in costs.items():
            pair_ns = round(cost["median_s"] / pairs[case] * 1e9, 3)
            results.append({"case": case, "method": method, **cost, "pair_ns": pair_ns})
            if cost is not ours:
                ratios[f"{case}: evaluate / {method}"] = {
                    "time": round(ours["median_s"] / cost["median_s"], 4),
                    "cpu": round(ours["cpu_s"] / cost["cpu_s"], 4),
                }
    differ = {"self": largest_difference(*(run() for run in on_itself.values()))}
    write_report(
        options, ["torch", "numpy"], results, ratios=ratios, largest_difference_from_plain=differ
    )


def runs_on_index(options: Namespace) -> Mapping[str, Callable[[], object]]:
    """Returns the ways to rank or evaluate queries on a large index."""
    index, index_labels = landmark_images(options.index, _IMAGES_PER_LANDMARK, options.seed)
    generator = torch.Generator().manual_seed(options.seed + 1)
    drawn = torch.randint(0, options.index, (options.queries,), generator=generator)
    noise = torch.randn(options.queries, _DIMENSIONS, generator=generator)
    queries = normalize(index[drawn] + 0.05 * noise).to(options.device)
    labels, index = index_labels[drawn], index.to(options.device)

    def ranked(sort: Callable[[Tensor], object]) -> Callable[[], None]:
        def run() -> None:
            for start in range(0, len(queries), _SORTED_ROWS):
                sort(queries[start : start + _SORTED_ROWS] @ index.T)
            index[0, 0].item()  # waits for a GPU

        return run

    return {
        "evaluate": lambda: evaluate(queries, labels, index, index_labels),
        "product": ranked(lambda _: None),
        "product and torch.sort": ranked(lambda x: torch.sort(x, dim=1, descending=True)),
        "product and numpy.argsort": ranked(lambda x: (-x).cpu().numpy().argsort(axis=1)),
    }


def runs_on_itself(options: Namespace) -> Mapping[str, Callable[[], Evaluation]]:
    """Returns the ways to evaluate items that are each a query of all others."""
    items, labels = landmark_images(options.items, _IMAGES_PER_LANDMARK, options.seed)
    items, labels, ids = (
        items.to(options.device),
        labels.to(options.device),
        torch.arange(len(items)),
    )
    return {
        "evaluate": lambda: evaluate(items, labels, items, labels, query_ids=ids, index_ids=ids),
        "plain": lambda: evaluate_plainly(items, labels),
    }


def landmark_images(count: int, a_landmark: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draws images of landmarks in super-categories, in any order.

    Args:
        count: how many images.
        a_landmark: how many of them show the same landmark.
        seed: of the draws.

    Returns:
        (count, D) unit length embeddings near their landmark and super-category; (count, L) labels.
    """
    generator = torch.Generator().manual_seed(seed)
    places = -(-count // a_landmark)
    human_made = torch.rand(places, generator=generator) < _HUMAN_MADE_SHARE
    built = _NATURAL + torch.randint(0, _HUMAN_MADE, (places,), generator=generator)
    grown = torch.randint(0, _NATURAL, (places,), generator=generator)
    supercategory = torch.where(human_made, built, grown)
    landmark = torch.randperm(count, generator=generator) // a_landmark
    coarse = torch.randn(_NATURAL + _HUMAN_MADE, _DIMENSIONS, generator=generator)
    fine = torch.randn(places, _DIMENSIONS, generator=generator)
    embeddings = torch.randn(count, _DIMENSIONS, generator=generator)
    embeddings += fine[landmark]
    embeddings += 0.5 * coarse[supercategory[landmark]]
    labels = torch.stack([landmark, supercategory[landmark], human_made[landmark].long()], dim=1)
    return normalize(embeddings), labels


def evaluate_plainly(items: Tensor, labels: Tensor) -> Evaluation:
    """Computes every metric of `evaluate` by its definition, from lists that are sorted in full."""
    chosen = EvaluationSettings()
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(items), _PLAIN_ROWS):
        rows = torch.arange(start, min(start + _PLAIN_ROWS, len(items)), device=items.device)
        similarities = items[rows] @ items.T
        similarities[rows - start, rows] = -torch.inf
        order = similarities.sort(dim=1, descending=True, stable=True).indices[:, :-1]
        level = metrics.shared_levels(labels[rows], labels).gather(1, order)
        table = metrics.decay_relevance(metrics.level_counts(level, _LEVELS), chosen.alpha)
        relevance = metrics.item_relevance(level, table)
        values = {
            "h_ap": metrics.hierarchical_average_precision(relevance),
            "ndcg": metrics.ndcg(level),
            "asi": metrics.average_set_intersection(level),
            "hops": metrics.hierarchically_ordered_preference_score(level),
        }
        for k in chosen.mistake_severity_at:
            values[f"mistake_severity_at_{k}"] = metrics.mistake_severity(level, _LEVELS, k)
        for column in range(_LEVELS):
            values |= _of_level(level, column, chosen)
        for key, value in values.items():
            parts.setdefault(key, []).append(value.cpu())
    return Evaluation({key: torch.cat(values) for key, values in parts.items()})


def _of_level(level: Tensor, column: int, chosen: EvaluationSettings) -> dict[str, Tensor]:
    depth = _LEVELS - column
    positive = level >= depth
    values = {
        f"ap_level{column}": metrics.average_precision(positive),
        f"map_at_r_level{column}": metrics.average_precision_at_r(positive),
        f"p_at_1_level{column}": metrics.precision_at_1(positive),
    }
    for k in chosen.average_precision_at:
        values[f"map_at_{k}_level{column}"] = metrics.average_precision_at_k(positive, k)
    for k in chosen.recall_at:
        values[f"r_at_{k}_level{column}"] = metrics.recall_at_k(positive, k)
        values[f"level_recall_at_{k}_level{column}"] = metrics.level_recall_at_k(level, k, depth)
    return values


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
