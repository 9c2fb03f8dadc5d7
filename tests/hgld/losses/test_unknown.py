"""Losses of labels of which some are unknown, against one query and its list at a time."""

import random
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from hgld.losses.pairwise import decomposability_loss, triplet_loss
from hgld.losses.proxies import csl_loss, hxe_loss
from tests.hgld.losses.test_ranking_losses import LOOPS
from tests.worlds.plain.metrics import plain_bounds

Loss = Callable[..., Tensor]
LEVELS = 3


def cases(count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields embeddings and labels in a tree, of which any may be unknown."""
    chance = random.Random(0)
    for _ in range(count):
        torch.manual_seed(chance.randrange(1 << 30))
        items, hidden = chance.randint(2, 9), chance.choice([0.1, 0.3, 0.6])
        finest = torch.randint(8, (items,))
        labels = torch.stack([finest, finest // 2, finest // 4], dim=1)
        labels[torch.rand(items, LEVELS) < hidden] = -1
        yield normalize(torch.randn(items, 4, dtype=torch.float64), dim=1), labels


def alone(loss: Loss, embeddings: Tensor, query: int, level: dict[int, int]) -> Tensor:
    """The loss of a query that ranks some items, of which it shares so many levels with each."""
    items = [*level]
    if not items:
        return embeddings.new_tensor(torch.nan)
    labels = torch.tensor([[1] * (LEVELS - level[one]) + [0] * level[one] for one in items])
    return loss(
        embeddings[[query]],
        torch.zeros(1, LEVELS, dtype=torch.int64),
        ref_embeddings=embeddings[items],
        ref_labels=labels,
        reduction="none",
    )[0]


@pytest.mark.parametrize("unknown", ["leave_out", "depth"])
@pytest.mark.parametrize("name", ["sup_hap", "smooth_hap", "sup_ndcg", "smooth_ndcg", "sup_ap"])
def test_equals_a_loop_and_each_query_with_what_is_kept_of_its_list(
    name: str, unknown: Literal["leave_out", "depth"]
) -> None:
    loss, loop = LOOPS[name]
    is_binary = name == "sup_ap"  # which leaves out where it is uncertain what is positive
    settings: dict[str, Any] = {} if is_binary else {"unknown": unknown}
    for embeddings, labels in cases(200):
        embeddings.requires_grad_()
        values = loss(embeddings, labels, reduction="none", **settings)
        expected, rows = [], labels.tolist()
        for query, scores in enumerate((embeddings @ embeddings.T).tolist()):
            bounds = [plain_bounds(rows[query], item) for item in rows]
            kept = {
                item: least
                for item, (least, most) in enumerate(bounds)
                if (unknown == "depth" and not is_binary)
                or least == most
                or (is_binary and most < LEVELS)
            }
            expected.append(alone(loss, embeddings, query, kept))
            if LEVELS in kept.values() or (any(kept.values()) and not is_binary):
                looped = 1 - loop([scores[item] for item in kept], [*kept.values()], LEVELS)
                assert expected[-1].item() == pytest.approx(looped, abs=1e-6)
            else:
                assert expected[-1].isnan()
        right = torch.stack(expected)
        torch.testing.assert_close(values, right, rtol=0, atol=1e-9, equal_nan=True)
        (actual,), (wanted,) = (
            torch.autograd.grad(one.nansum(), embeddings, allow_unused=True)
            if one.requires_grad
            else (None,)
            for one in (values, right)
        )
        if wanted is not None:
            torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-9)


def test_a_pair_that_may_be_of_one_landmark_is_neither_drawn_near_nor_away() -> None:
    embeddings = normalize(torch.tensor([[1.0, 0.0], [0.9, 0.5], [0.0, 1.0]]), dim=1)
    labels = torch.tensor([[0, 0], [-1, 0], [1, 1]])
    with_it = decomposability_loss(embeddings, labels, alpha=1.0, beta=-1.0)
    # The first and the last alone, and the middle one with the last, of another side.
    cosines = embeddings @ embeddings.T
    apart = (cosines[0, 2] + cosines[1, 2] + 2) / 2
    assert float(with_it) == pytest.approx(float(apart), abs=1e-6)


@pytest.mark.parametrize("loss", [csl_loss, hxe_loss])
def test_a_proxy_of_unknown_kind_takes_no_part_in_what_is_asked_of_kinds(loss: Loss) -> None:
    embeddings, proxies = torch.eye(4)[:3], torch.eye(4)
    known = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1]])
    settings: dict[str, Any] = {"margins": [0.2, 0.3], "scale": 2.0} if loss is csl_loss else {}
    partial = known.clone()
    partial[3, 1] = -1
    value = loss(embeddings, known[:3], proxies, partial, **settings)
    assert value.isfinite()
    if loss is hxe_loss:
        # Of the last landmark it is not known whether it is of the kind of any other.
        without = loss(embeddings, known[:3], proxies[:3], known[:3], **settings)
        torch.testing.assert_close(value, without)
    else:
        # It is another landmark, and no negative of a kind. All negatives have a cosine of 0.
        of_landmark, of_kind = torch.tensor(3.0), torch.tensor([1.0, 1.0, 2.0])
        landmarks = softplus(of_landmark.log() - 2.0 * 1 + 2.0 * 0.2)
        kinds = softplus(of_kind.log() - 2.0 * 1 + 2.0 * 0.3)
        torch.testing.assert_close(value, landmarks + kinds.mean())


def test_triplets_need_landmarks_that_are_known() -> None:
    with pytest.raises(ValueError, match="-1"):
        triplet_loss(torch.eye(2), torch.tensor([[0], [-1]]))
