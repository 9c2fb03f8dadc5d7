"""Losses for training a retrieval model, from the embeddings of a batch and its (B, L) labels.

Functions first; `training.losses.modules` has an `nn.Module` for each. Embeddings are taken as
they are: give them unit length, so that a product is a cosine similarity.
"""

from training.losses.binary import roadmap_loss, smooth_ap_loss, soft_bin_ap_loss, sup_ap_loss
from training.losses.gains import recall_at_k_loss, smooth_ndcg_loss, sup_ndcg_loss
from training.losses.hierarchical import smooth_hap_loss, sup_hap_loss
from training.losses.pairs import decomposability_loss
from training.losses.proxies import arcface_loss, clustering_loss, csl_loss
from training.losses.triplet import triplet_loss

__all__ = [
    "arcface_loss",
    "clustering_loss",
    "csl_loss",
    "decomposability_loss",
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
