"""Items sorted and counted, and their ranks: counted, or smooth by a stand-in for the step."""

from typing import NamedTuple

import torch
from torch import Tensor

from hgld.losses.ranking.steps import Step
from hgld.losses.ranking.sums import Method, step_sums
from hgld.metrics.arguments import check_choice
from hgld.metrics.relevance import level_counts


class Ranking(NamedTuple):
    """What some queries rank, each row in ascending order of similarity."""

    scores: Tensor  # (R, N)
    level: Tensor  # (R, N) shared levels
    counts: Tensor  # (R, L + 1) items of each level
    relevant: Tensor  # (R, K) those scores with a level above 0, padded with +inf
    relevant_level: Tensor  # (R, K), 0 at the padding
    ahead: list[Tensor]  # L + 1 of (R, K): items of that level as similar or more, itself included
    method: Method

    @property
    def real(self) -> Tensor:
        """(R, K) bool, False at the padding."""
        return self.relevant_level > 0


def rank_rows(scores: Tensor, level: Tensor, levels: int, method: Method) -> Ranking:
    """Sorts each query's items and counts who is ahead of the relevant ones.

    Args:
        scores: (R, N) float64 similarities.
        level: (R, N) int64 in [0, L].
        levels: L.
        method: how sums over steps are done, see `step_sums`.

    Raises:
        ValueError: another method.
    """
    check_choice("method", method, Method)
    counts = level_counts(level, levels)
    order = scores.detach().argsort(1)
    scores, level = scores.gather(1, order), level.gather(1, order)
    place, padding = _marked(level > 0)
    relevant = scores.gather(1, place).masked_fill(padding, torch.inf)
    # The first of the items as similar: those before it are behind, whatever the order of ties.
    first = torch.searchsorted(scores.detach().contiguous(), relevant.detach())
    ahead = []
    for each in range(levels + 1):
        smaller = torch.nn.functional.pad((level == each).cumsum(1), (1, 0))
        ahead.append((counts[:, each, None] - smaller.gather(1, first)).to(scores.dtype))
    relevant_level = level.gather(1, place).masked_fill(padding, 0)
    return Ranking(scores, level, counts, relevant, relevant_level, ahead, method)


def sup_rank(ranking: Ranking, step: Step) -> Tensor:
    """Ranks the relevant items by the upper bound `step` where it counts less relevant ones.

    Items of the same or a higher level ahead count 1, without gradient: pushing them back would
    gain nothing.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    rank = torch.zeros_like(ranking.ahead[0])
    for level, ahead in enumerate(ranking.ahead):
        rank = rank + ahead * (ranking.relevant_level <= level)
        rank = _add_steps(rank, ranking, level, ranking.relevant_level > level, step)
    return torch.where(ranking.real, rank, 1.0)


def hard_h_rank(ranking: Ranking, relevance: Tensor) -> Tensor:
    """H-rank(k) = rel_k + sum over the items j ahead of min(rel_k, rel_j), without gradient.

    Args:
        ranking: the items.
        relevance: (R, L + 1) of each level.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = torch.zeros_like(own)
    for level, ahead in enumerate(ranking.ahead):
        h_rank.addcmul_(torch.minimum(own, relevance[:, level, None]), ahead)
    return h_rank


def smooth_h_rank(ranking: Ranking, relevance: Tensor, step: Step) -> Tensor:
    """H-rank with `step` in place of the count where the items ahead are more relevant.

    Returns:
        (R, K) float64; 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = torch.zeros_like(own)
    for level, ahead in enumerate(ranking.ahead):
        shared = torch.minimum(own, relevance[:, level, None])
        counted = ahead * (ranking.relevant_level >= level)
        lower = ranking.real & (ranking.relevant_level < level)
        h_rank = h_rank + shared * _add_steps(counted, ranking, level, lower, step)
    return h_rank


def smooth_rank(ranking: Ranking, step: Step) -> Tensor:
    """Rank with `step`, symmetric about step(0) = 1 / 2, whatever the levels of the two items.

    Returns:
        (R, K) float64; 1 at the padding.
    """
    # Among the items is k itself, which counts step(0): the other half makes it 1.
    rank = 0.5 + step_sums(ranking.relevant, ranking.scores, step, method=ranking.method)
    return torch.where(ranking.real, rank, 1.0)


def smooth_ranks(ranking: Ranking, relevance: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    """`smooth_rank`, and H-rank with the same step.

    Returns:
        Two (R, K) float64 tensors; rank is 1 and H-rank 0 at the padding.
    """
    own = relevance.gather(1, ranking.relevant_level) * ranking.real
    h_rank = 0.5 * own
    for level in range(1, len(ranking.ahead)):
        shared = torch.minimum(own, relevance[:, level, None])
        sums = _add_steps(torch.zeros_like(own), ranking, level, ranking.real, step)
        h_rank = h_rank + shared * sums
    return smooth_rank(ranking, step), h_rank


def _add_steps(to: Tensor, ranking: Ranking, level: int, mask: Tensor, step: Step) -> Tensor:
    """Adds to the marked relevant items the step of what lies between them and one level."""
    place, padding = _marked(ranking.level == level)
    if not (mask.any() and place.shape[1]):
        return to
    others = ranking.scores.gather(1, place).masked_fill(padding, torch.inf)
    place, padding = _marked(mask)
    targets = ranking.relevant.gather(1, place).masked_fill(padding, torch.inf)
    # A padded target points to the first place, and its sum is 0.
    return to.scatter_add(1, place, step_sums(targets, others, step, method=ranking.method))


def _marked(mask: Tensor) -> tuple[Tensor, Tensor]:
    """(R, K) the marked places of each row in their order, and which are padding, at 0."""
    count = mask.sum(1)
    width = int(count.amax())
    place = torch.where(mask, mask.cumsum(1) - 1, width)
    index = torch.zeros(len(mask), width + 1, dtype=torch.int64, device=mask.device)
    index.scatter_(1, place, torch.arange(mask.shape[1], device=mask.device).expand_as(place))
    return index[:, :width], torch.arange(width, device=mask.device) >= count[:, None]
