"""What users of each job write, for mypy: names that are exported, and values that have a type."""

from pathlib import Path
from typing import assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import hgld
from hgld import HgldError, __version__, embed_images, load, load_model, losses, metrics
from hgld.errors import InputError
from hgld.losses import CrossBatchMemory, CSLLoss, ProxyLoss, RankingLoss, sup_hap_loss
from hgld.metrics import Evaluation, EvaluationSettings, HierarchicalAveragePrecision, evaluate


def read(source: Path) -> tuple[Tensor, list[str]]:
    assert_type(__version__, str)
    try:
        index = load(source, labels="reviewed", min_confidence=0.5).index
    except InputError as error:
        raise HgldError(f"no labels: {error}") from error
    few = index.of(hierarchical_label=["church", "castle"])
    assert_type(few.image_ids(), list[str])
    assert_type(few.labels(["landmark_id"]), NDArray[np.int64])
    assert_type(few.names("hierarchical_label"), tuple[str, ...])
    assert_type(len(few.torch("images")), int)
    return torch.from_numpy(index.labels()), index.image_ids()


def measure(embeddings: Tensor, labels: Tensor, ids: list[str]) -> float:
    settings = EvaluationSettings()
    found = evaluate(
        *(embeddings, labels, embeddings, labels), query_ids=ids, index_ids=ids, settings=settings
    )
    assert_type(found, Evaluation)
    assert_type(found.per_query["h_ap"], Tensor)
    relevance = metrics.decay_relevance(torch.tensor([[1, 2, 3]]))
    assert_type(metrics.hierarchical_average_precision(relevance), Tensor)
    metric = HierarchicalAveragePrecision()
    metric.update(embeddings, labels)
    assert_type(metric.compute(), Tensor)
    return found.means()["h_ap"]


def train(embeddings: Tensor, labels: Tensor) -> Tensor:
    loss = RankingLoss(sup_hap_loss, alpha=2.0)
    proxies = ProxyLoss(losses.arcface_loss, landmarks=10, embedding_dim=64)
    memory = CrossBatchMemory(256, embedding_dim=64, levels=2)
    assert_type(CSLLoss(labels, 64).forward(embeddings, labels), Tensor)
    assert_type(losses.triplet_loss(embeddings, labels), Tensor)
    assert_type(hgld.losses.sup_ap_loss(embeddings, labels), Tensor)
    assert_type(memory.contents(), tuple[Tensor, Tensor])
    return loss.forward(embeddings, labels) + proxies.forward(embeddings, labels)


def embed(run: Path, pictures: list[str | Path]) -> Tensor:
    model = load_model(run)
    assert_type(model.at_scales(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), [1.0]), Tensor)
    assert_type(hgld.load_model(str(run)).image_size, int)
    return embed_images(model, pictures, scales=[1.0, 0.7])
