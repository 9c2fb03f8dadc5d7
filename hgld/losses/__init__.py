"""Losses for training a retrieval model, from the embeddings of a batch and its (B, L) labels.

Functions first; `hgld.losses.modules` has an `nn.Module` for each. Embeddings are taken as
they are: give them unit length, so that a product is a cosine similarity.
"""

from hgld.losses.binary import roadmap_loss, smooth_ap_loss, soft_bin_ap_loss, sup_ap_loss
from hgld.losses.gains import recall_at_k_loss, smooth_ndcg_loss, sup_ndcg_loss
from hgld.losses.hierarchical import smooth_hap_loss, sup_hap_loss
from hgld.losses.pairwise import decomposability_loss
from hgld.losses.proxies import arcface_loss, clustering_loss, csl_loss
from hgld.losses.triplet import triplet_loss

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
