"""From the sums of ranked lists to the metrics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hgld.metrics.binary import average_precision_at_k, recall_at_k
from hgld.metrics.ranked import divide
from hgld.metrics.settings import EvaluationSettings
from hgld.metrics.streamed.sums import RankedSums


def metric_keys(settings: EvaluationSettings, names: Sequence[str]) -> list[str]:
    """Returns the keys of an evaluation, in the order of its results.

    Args:
        settings: which metrics to compute.
        names: L names of the levels, finest first.

    Returns:
        Those of `GRADED`, `mistake_severity_at_{k}`, and for each level `map_at_{k}_{name}`,
        `ap_{name}`, `map_at_r_{name}`, `p_at_1_{name}` and `r_at_{k}_{name}`.
    """
    keys = [*GRADED]
    keys += [f"mistake_severity_at_{k}" for k in settings.mistake_severity_at]
    for name in names:
        keys += [f"map_at_{k}_{name}" for k in settings.average_precision_at]
        keys += [f"ap_{name}", f"map_at_r_{name}", f"p_at_1_{name}"]
        keys += [f"r_at_{k}_{name}" for k in settings.recall_at]
    return keys


def head_length(settings: EvaluationSettings) -> int:
    """Returns how many of the first ranks the metrics that look no further need."""
    wanted = (*settings.recall_at, *settings.average_precision_at, *settings.mistake_severity_at)
    return max(wanted, default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What is known of the ranked lists of B queries."""

    sums: RankedSums
    counts: Tensor
    """(B, L) int64 items of each level 1..L in the list."""
    lengths: Tensor
    """(B,) int64 items in the list."""
    relevance: Tensor
    """(B, L) float64 relevance of each level 1..L."""
    multiplicity: Tensor
    """(B, L) how often a level counts in H-AP: once."""
    head: Tensor
    """(B, K) int32 levels of the first ranks."""
    discounts: Tensor
    """(N,) float64 discounts of NDCG."""

    @property
    def relevant(self) -> Tensor:
        """(B, L) R_1..R_L, items that share as many levels or more."""
        return self.counts.flip(1).cumsum(1).flip(1)


def metrics_of_lists(
    lists: Lists, settings: EvaluationSettings, names: Sequence[str]
) -> dict[str, Tensor]:
    """Computes every metric of some queries.

    Args:
        lists: their ranked lists.
        settings: which metrics to compute.
        names: L names of the levels, finest first.

    Returns:
        For each of `metric_keys` (B,) float64, NaN where undefined.
    """
    relevant = lists.relevant
    graded = [metric(lists) for metric in GRADED.values()]
    graded += [_severity(lists, k, relevant[:, 0]) for k in settings.mistake_severity_at]
    binary = [
        value
        for depth in range(len(names), 0, -1)  # the finest level is the deepest
        for value in _at_depth(lists, depth, relevant[:, depth - 1], settings)
    ]
    return dict(zip(metric_keys(settings, names), graded + binary, strict=True))


def _h_ap(lists: Lists) -> Tensor:
    """H-AP: sum over items k of H-rank(k) / k, by the level of k and the levels counted."""
    relevance = lists.relevance
    smaller = torch.minimum(relevance[:, :, None], relevance[:, None, :])  # (B, L, L)
    ranked = (smaller * lists.multiplicity[:, None, :] * lists.sums.precision).sum(dim=(1, 2))
    return divide(ranked, (relevance * lists.counts).sum(dim=1))


def _ndcg(lists: Lists) -> Tensor:
    """NDCG with gain 2^l - 1: the ideal list has the items of level l at ranks R_{l+1} + 1..R_l."""
    relevant = lists.relevant
    level = torch.arange(1, lists.counts.shape[1] + 1, device=relevant.device)
    gain = torch.exp2(level.to(torch.float64)) - 1
    summed = lists.discounts.cumsum(0)
    up_to = torch.cat((summed.new_zeros(1), summed))[relevant]
    ideal = up_to - torch.cat((up_to[:, 1:], torch.zeros_like(up_to[:, :1])), dim=1)
    return divide((lists.sums.discounted * gain).sum(dim=1), (ideal * gain).sum(dim=1))


def _asi(lists: Lists) -> Tensor:
    """Agreement of the first k with an ideal list, averaged over k up to R_1."""
    return divide(lists.sums.intersection, lists.relevant[:, 0])


GRADED: dict[str, Callable[[Lists], Tensor]] = {"h_ap": _h_ap, "ndcg": _ndcg, "asi": _asi}
"""Metrics that score all levels together, by key: (B,) float64, NaN for a query without anything
relevant. One more line computes one more in every evaluation."""


def _severity(lists: Lists, k: int, relevant: Tensor) -> Tensor:
    """Levels missed by the first k results, or by all where the list is shorter."""
    levels = lists.counts.shape[1]
    rank = torch.arange(1, lists.head.shape[1] + 1, device=relevant.device)
    counted = lists.lengths.clamp(max=k)
    missed = (levels - lists.head) * (rank <= counted[:, None])
    severity = missed.sum(dim=1).to(torch.float64) / counted
    return severity.masked_fill(relevant == 0, torch.nan)


def _at_depth(
    lists: Lists, depth: int, relevant: Tensor, settings: EvaluationSettings
) -> Iterator[Tensor]:
    """The metrics of one level, its positives the items that share `depth` levels or more."""
    positive = lists.head >= depth
    for k in settings.average_precision_at:
        yield average_precision_at_k(positive, k, relevant=relevant)
    yield divide(lists.sums.precision[:, depth - 1 :, depth - 1 :].sum(dim=(1, 2)), relevant)
    yield divide(lists.sums.precision_at_r[:, depth - 1], relevant)
    for k in (1, *settings.recall_at):
        yield recall_at_k(positive, k, relevant=relevant)
