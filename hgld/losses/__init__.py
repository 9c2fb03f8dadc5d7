"""Losses for training a retrieval model, from the embeddings of a batch and its (B, L) labels.

Functions, and an `nn.Module` for what binds settings or keeps proxies and past batches. Embeddings
are taken as they are: give them unit length, so that a product is a cosine similarity.
"""

from hgld.errors import needing

with needing("train", "hgld.losses", kind=ModuleNotFoundError):
    from hgld.losses.binary import (
        recall_at_k_loss,
        roadmap_loss,
        smooth_ap_loss,
        soft_bin_ap_loss,
        sup_ap_loss,
    )
from hgld.losses.hierarchical import smooth_hap_loss, smooth_ndcg_loss, sup_hap_loss, sup_ndcg_loss
from hgld.losses.modules import CrossBatchMemory, CSLLoss, ProxyLoss, RankingLoss
from hgld.losses.pairwise import decomposability_loss, triplet_loss
from hgld.losses.proxies import arcface_loss, clustering_loss, csl_loss, hxe_loss

__all__ = [
    "CSLLoss",
    "CrossBatchMemory",
    "ProxyLoss",
    "RankingLoss",
    "arcface_loss",
    "clustering_loss",
    "csl_loss",
    "decomposability_loss",
    "hxe_loss",
    "recall_at_k_loss",
    "roadmap_loss",
    "smooth_ap_loss",
    "smooth_hap_loss",
    "smooth_ndcg_loss",
    "soft_bin_ap_loss",
    "sup_ap_loss",
    "sup_hap_loss",
    "sup_ndcg_loss",
    "triplet_loss",
]
