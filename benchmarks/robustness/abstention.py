"""Which queries should a retrieval system refuse? Scores and learned heads compared.

The groups (landmarks) of some images are split: the images of one part fit the heads, each
searching all others of the part; those of another part choose what is to be chosen, and the
thresholds. What is measured took no part.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hgld.benchmarks.robustness.failures import margin, negative_entropy
from hgld.benchmarks.robustness.measures import area_under_risk_coverage
from hgld.benchmarks.robustness.networks import ChoosingRows, Values, choose_head
from hgld.benchmarks.robustness.results import Measured, Part
from hgld.benchmarks.robustness.rows import Features, Numbers, Rows, RowTable, UnfitRowsError
from hgld.metrics import EvaluationSettings, evaluate

ORACLE, RANDOM = "Oracle order", "Random order"
"""The bounds: queries in the order of their H-AP, and in any order."""
SIMPLE_SCORES = ("Nearest similarity", "Group margin", "Group entropy")
LEARNED_SCORES = {"Head on the list": "nearest", "Head on the embedding": "embeddings"}
"""Heads that predict the H-AP of a query, and the field of `Searched` that each sees."""

_TEMPERATURES = (0.01, 0.02, 0.05, 0.1, 0.2)
_DEPTH = 10
_LEAST_GROUPS = 8
_EVALUATION = EvaluationSettings(recall_at=(), average_precision_at=(), mistake_severity_at=())


class Searched(NamedTuple):
    """What is known of queries: the lists that they get, and how good these are."""

    embeddings: Features
    """(Q, D) unit norm."""
    groups: Numbers
    """(Q,)"""
    best: Values
    """(Q, M), see `best_by_group`."""
    nearest: Features
    """(Q, 20), what a head on the list has: similarities of the nearest images, then groups."""
    h_ap: Values
    """(Q,) in [0, 1]."""


def measure_abstention(table: RowTable, seed: int) -> Iterator[Measured]:
    """Yields the results of every score, for each way that a table has to learn and to measure.

    On the queries heads and thresholds are learned from the training images, or from the index:
    these a model has not been trained on. Training groups that are held out are measured too, of a
    model that was not trained on them. A table whose groups are single rows gives nothing.

    Args:
        table: of rows.
        seed: of which groups are held out, and of the heads.
    """
    train = table.splits["train"]
    plans: list[tuple[str, Rows, Rows | None]] = []
    if {"query", "index"} <= table.splits.keys():
        plans += [("queries, learned on train", train, table.splits["query"])]
        plans += [("queries, learned on index", table.splits["index"], table.splits["query"])]
    if not table.is_trained_on_train:
        plans += [("held-out groups of train", train, None)]
    for name, learned, queries in plans:
        several = np.bincount(learned.groups)[learned.groups] > 1
        if len(np.unique(learned.groups[several])) >= _LEAST_GROUPS:
            index = None if queries is None else table.splits["index"]
            yield judge_queries(name, learned, queries, index, seed)


def judge_queries(
    name: str, learned: Rows, queries: Rows | None, index: Rows | None, seed: int
) -> Measured:
    """Fits heads and thresholds on some groups, and gives every score of other queries.

    Args:
        name: of the task.
        learned: images to learn from, each searching all others.
        queries: what is measured; None holds a third of the groups out.
        index: what the queries search.
        seed: of the split and of the heads.

    Returns:
        The scores of the measured queries; `truth` is their H-AP.
    """
    shares = (0.4, 0.3, 0.3) if queries is None else (0.5, 0.5)
    random = np.random.default_rng(seed)
    parts = learned.split(shares, random, each_label=False)
    fitting, validation, *held_out = (search(learned.take(part)) for part in parts)
    measured = search(queries, index) if queries is not None else held_out[0]
    better: Callable[[Values], float] = partial(answered_area, validation.h_ap)
    temperature = max(
        _TEMPERATURES, key=lambda one: better(negative_group_entropy(validation.best, one))
    )
    heads = {}
    for method, seen in LEARNED_SCORES.items():
        choosing = ChoosingRows(getattr(validation, seen), better)
        heads[method] = choose_head(getattr(fitting, seen), fitting.h_ap, choosing, seed)

    def scores_of(asked: Searched) -> dict[str, Values]:
        entropy = negative_group_entropy(asked.best, temperature)
        simple = (asked.best.max(axis=1), margin(asked.best), entropy)
        return dict(zip(SIMPLE_SCORES, simple, strict=True)) | {
            method: head.confidence(getattr(asked, LEARNED_SCORES[method]))
            for method, head in heads.items()
        }

    chosen = {method: str(head) for method, head in heads.items()}
    chosen[SIMPLE_SCORES[2]] = f"temperature {temperature:g}"
    scores, others = scores_of(measured), scores_of(validation)
    more = {
        method: threshold_measures(measured.h_ap, others[method], score)
        for method, score in scores.items()
    }
    bounds = {ORACLE: measured.h_ap, RANDOM: np.zeros(len(measured.h_ap))}
    return Measured(
        group=name,
        truth=measured.h_ap,
        groups=measured.groups,
        scores=scores | bounds,
        chosen=chosen,
        more=more,
    )


def search(queries: Rows, index: Rows | None = None) -> Searched:
    """Ranks the index for every query, and measures H-AP.

    Args:
        queries: Q rows.
        index: what they search; None: each searches all others.

    Returns:
        The queries that have something relevant to find.

    Raises:
        UnfitRowsError: an index of fewer than two groups.
    """
    searched = queries if index is None else index
    asked, found = (one.unit.astype(np.float32) for one in (queries, searched))
    similarity = (asked @ found.T).astype(np.float64)
    ids = list(range(len(similarity))) if index is None else None
    if index is None:
        np.fill_diagonal(similarity, -np.inf)
    arrays = (asked, queries.levels, found, searched.levels)
    sides = [torch.from_numpy(one) for one in arrays]
    measured = evaluate(*sides, query_ids=ids, index_ids=ids, settings=_EVALUATION)
    h_ap = measured.per_query["h_ap"].numpy()
    known = np.isfinite(h_ap)
    best = best_by_group(similarity, searched.groups)[known]
    nearest = np.hstack([_nearest(similarity[known]), _nearest(best)]).astype(np.float32)
    # Rounding may leave a perfect list a hair above 1, which no sigmoid reaches.
    h_ap = h_ap[known].clip(0, 1).astype(np.float64)
    return Searched(asked[known], queries.groups[known], best, nearest, h_ap)


def best_by_group(similarity: NDArray[np.floating], groups: Numbers) -> Values:
    """Returns of each query how near the nearest image of each group is.

    Args:
        similarity: (Q, N), `-inf` for an image that is no answer, such as the query itself.
        groups: (N,) of each index image, two or more different ones.

    Returns:
        (Q, M), a column for each group, in their order.

    Raises:
        UnfitRowsError: some query has answers of fewer than two groups.

    Example:
        >>> best_by_group(np.array([[0.1, 0.9, 0.5]]), np.array([7, 3, 7])).tolist()
        [[0.9, 0.5]]
    """
    order = np.argsort(groups, kind="stable")
    starts = np.unique(groups[order], return_index=True)[1]
    best: Values = np.maximum.reduceat(similarity[:, order].astype(np.float64), starts, axis=1)
    if (np.isfinite(best).sum(axis=1) < 2).any():  # noqa: PLR2004 - a nearest and a next
        raise UnfitRowsError("the index must have images of two groups or more for each query")
    return best


def negative_group_entropy(best: Values, temperature: float) -> Values:
    """Minus the entropy of the softmax of b_m / T over the groups.

    Args:
        best: (Q, M) of `best_by_group`.
        temperature: T > 0.

    Returns:
        (Q,) in [-ln M, 0].

    Example:
        >>> negative_group_entropy(np.array([[0.5, 0.5]]), 0.1).round(3).tolist()
        [-0.693]
    """
    from scipy.special import softmax

    return negative_entropy(softmax(best / temperature, axis=1))


def answered_area(h_ap: Values, score: Values) -> float:
    """Mean H-AP of the answered queries over all shares answered, the surest first.

    Args:
        h_ap: (Q,) in [0, 1].
        score: (Q,) higher where a query is rather answered.

    Returns:
        In [0, 1], the mean H-AP by chance; NaN without a query.

    Example:
        >>> answered_area(np.array([1.0, 0.0]), np.array([2.0, 1.0]))  # (1 + 1/2) / 2
        0.75
    """
    return 1 - area_under_risk_coverage(1 - h_ap, score)


def threshold_measures(h_ap: Values, chosen_on: Values, score: Values) -> dict[str, float]:
    """What a threshold comes to at which 80% (50%) of the validation queries are answered.

    Args:
        h_ap: (Q,) of the measured queries.
        chosen_on: (V,) scores of the validation queries.
        score: (Q,)

    Returns:
        `answered_80`, the share answered of the measured ones, and `h_ap_answered_80`, their mean
        H-AP, NaN of none; the same for 50%.
    """
    found = {}
    for percent in (80, 50):
        is_answered = score >= np.quantile(chosen_on, 1 - percent / 100)
        found[f"answered_{percent}"] = float(is_answered.mean())
        answered = h_ap[is_answered]
        found[f"h_ap_answered_{percent}"] = float(answered.mean()) if len(answered) else np.nan
    return found


def _nearest(similarity: Values) -> Values:
    """Returns the greatest values of each row, falling; a shorter row is filled up by its last."""
    ranked = -np.sort(-similarity, axis=1)[:, :_DEPTH]
    ranked = np.pad(ranked, ((0, 0), (0, _DEPTH - ranked.shape[1])), constant_values=-np.inf)
    lasts = ranked.min(axis=1, keepdims=True, where=np.isfinite(ranked), initial=np.inf)
    return np.asarray(np.maximum(ranked, lasts))


ABSTENTION = Part(
    measure_abstention,
    lambda h_ap, score: {"area": answered_area(h_ap, score)},
    answered_area,
    [*LEARNED_SCORES],
    SIMPLE_SCORES,
)
