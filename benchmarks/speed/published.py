"""Sup-H-AP as published, for `loss.py`: by its definition, and by SupRank's own code."""

import runpy
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import torch
from torch import Tensor

from hgld.errors import MissingInputError
from hgld.metrics.relevance import (
    item_relevance,
    level_counts,
    published_decay_relevance,
    shared_levels,
)


def plain_loss(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Compares every pair of items for every query, in tensors of B x B x B."""
    tau, rho, delta, start, offset = 0.01, 100.0, 0.05, 0.5, 1.44
    scores = embeddings @ embeddings.T
    level = shared_levels(labels, labels)
    relevance = _relevance(level).to(scores.dtype)
    x = scores[:, None, :] - scores[:, :, None]  # (B, B, B): query, k, j
    others = 1 - torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    ahead = (x >= 0).to(scores.dtype)
    sigmoid = torch.sigmoid(x / tau)
    smooth = torch.where(x <= delta, start + sigmoid, rho * (x - delta) + offset)
    smooth = torch.where(x <= 0, sigmoid, smooth)
    lower = level[:, None, :] < level[:, :, None]
    rank = 1 + (torch.where(lower, smooth, ahead) * others).sum(2)
    shared = torch.minimum(relevance[:, None, :], relevance[:, :, None])
    h_rank = relevance + (shared * ahead * others).sum(2)
    return (1 - (h_rank / rank).sum(1) / relevance.sum(1)).mean()


class SupRankLoss:
    """SupRank's `SupHRank`, from its file only: the package around it needs many others."""

    def __init__(self, folder: Path) -> None:
        """Runs the file.

        Args:
            folder: a clone of https://github.com/elias-ramzi/SupRank, or one with that file.

        Raises:
            MissingInputError: no `differentiable_rank.py` lies in it.
        """
        file = next(folder.rglob("differentiable_rank.py"), None)
        if file is None:
            raise MissingInputError(f"{folder} has no differentiable_rank.py; clone SupRank there")
        lib, mixup = ModuleType("lib"), ModuleType("mixup")
        vars(lib)["create_label_matrix"] = lambda a, b, dtype: shared_levels(a, b).to(dtype)
        vars(mixup)["pos_mixup"] = None  # is not used
        around = {"suprank": ModuleType("suprank"), "suprank.lib": lib}
        around["suprank.losses.tools.pos_mixup"] = mixup
        with mock.patch.dict(sys.modules, around):
            names = runpy.run_path(str(file))
        self._ranks = names["SupHRank"](hierarchy_level="MULTI", offset=1.44)

    def __call__(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Computes the loss of a batch."""
        rank, h_rank, relevance = self._ranks(embeddings, labels, relevance_fn=_relevance)
        average: Tensor = (1 - (h_rank / rank).sum(1) / relevance).mean()
        return average


def _relevance(level: Tensor) -> Tensor:
    """Returns the (B, B) relevance of the published code from the levels."""
    levels = int(level.max())  # each query is among the items
    return item_relevance(level, published_decay_relevance(level_counts(level, levels)))
