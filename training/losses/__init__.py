"""Losses for training a retrieval model, from the embeddings of a batch and its (B, L) labels.

Functions first; `training.losses.modules` has an `nn.Module` for each. Embeddings are taken as
they are: give them unit length, so that a product is a cosine similarity.
"""

from training.losses.hierarchical import sup_hap_loss
from training.losses.proxies import clustering_loss

__all__ = ["clustering_loss", "sup_hap_loss"]
