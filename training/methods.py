"""What a model is trained for: each method's settings, as published, and its loss of a batch.

A method is chosen by its name (`method = "roadmap"`), or by a table with `name` and the settings
that differ from the published ones. Light to import: losses need torch, and are imported when the
first one is computed. A new method is a loss in `hgld.losses`, and a class in this file that
`TrainingMethod` names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from hgld.engine.config import Settings, setting

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a loss is computed of: B embeddings of D numbers, with labels at L levels."""

    embeddings: "Tensor"
    """(B, D) unit norm, float32."""
    labels: "Tensor"
    """(B, L) int64; column 0 numbers the landmarks from 0."""
    references: "Tensor | None" = None
    """(N, D), what the batch is ranked against; None: itself."""
    reference_labels: "Tensor | None" = None
    """(N, L)."""
    proxies: "Tensor"
    """(C, D), one of each landmark; (0, D) where the method has none."""
    proxy_labels: "Tensor"
    """(C, L)."""

    def ranked(self, loss: "Callable[..., Tensor]") -> "Tensor":
        """Returns a loss that ranks images, of the batch against its references."""
        return loss(
            self.embeddings,
            self.labels,
            ref_embeddings=self.references,
            ref_labels=self.reference_labels,
        )

    def classified(self, loss: "Callable[..., Tensor]") -> "Tensor":
        """Returns a loss that compares images with proxies of which it reads the labels."""
        return loss(self.embeddings, self.labels, self.proxies, self.proxy_labels)


class Cost(NamedTuple):
    """The loss of a batch."""

    total: "Tensor"
    """What is minimised, a scalar."""
    parts: "dict[str, Tensor]"
    """What it is the weighted sum of, for the log; empty where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Method(Settings):
    compares_with: ClassVar[Literal["images", "proxies", "both"]] = "images"
    """What an image is compared with: others of the batch and its references, or proxies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happier(_Method):
    """(1 - w) Sup-H-AP + w clustering.

    Source: Ramzi et al., Hierarchical Average Precision Training for Pertinent Image Retrieval,
    ECCV 2022, equation 9.
    """

    compares_with: ClassVar[Literal["both"]] = "both"
    name: Literal["happier"] = "happier"
    alpha: float = setting(
        1.0,
        "Exponent of the relevance (l / L)^alpha of an item that shares l of L levels.",
        above=0,
    )
    clustering_weight: float = setting(
        0.1, "Weight w of the clustering loss, from 0 to 1; Sup-H-AP has the rest.", least=0, most=1
    )
    temperature: float = setting(0.05, "What the clustering loss divides similarities by.", above=0)
    unknown: Literal["leave_out", "depth"] = setting(
        "leave_out",
        "What becomes of two images of which it is unknown how many levels they share: not "
        "compared, or by those that they are known to share.",
    )

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        ranking = batch.ranked(partial(losses.sup_hap_loss, alpha=self.alpha, unknown=self.unknown))
        clustering = losses.clustering_loss(
            batch.embeddings, batch.labels, batch.proxies, self.temperature
        )
        weight = self.clustering_weight
        total = (1 - weight) * ranking + weight * clustering
        return Cost(total, {"sup_hap": ranking, "clustering": clustering})


@dataclass(frozen=True, slots=True, kw_only=True)
class Roadmap(_Method):
    """(1 - w) Sup-AP + w decomposability, at the landmark level.

    Source: Ramzi et al., Robust and Decomposable Average Precision for Image Retrieval, NeurIPS
    2021, equation 8.
    """

    name: Literal["roadmap"] = "roadmap"
    decomposability_weight: float = setting(
        0.5, "Weight w, from 0 to 1; Sup-AP has the rest.", least=0, most=1
    )
    positive_similarity: float = setting(
        0.9, "What images of one landmark should reach.", least=-1, most=1
    )
    negative_similarity: float = setting(
        0.6, "What those of two should not exceed.", least=-1, most=1
    )

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        ranking = batch.ranked(losses.sup_ap_loss)
        bound = partial(
            losses.decomposability_loss,
            alpha=self.positive_similarity,
            beta=self.negative_similarity,
        )
        spread = batch.ranked(bound)
        weight = self.decomposability_weight
        total = (1 - weight) * ranking + weight * spread
        return Cost(total, {"sup_ap": ranking, "decomposability": spread})


@dataclass(frozen=True, slots=True, kw_only=True)
class SupAP(_Method):
    """Only Sup-AP, at the landmark level: ROADMAP without decomposability, HAPPIER of one level.

    Source: as of ROADMAP, equation 5.
    """

    name: Literal["sup_ap"] = "sup_ap"

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        return Cost(batch.ranked(losses.sup_ap_loss), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothAP(_Method):
    """Average precision whose steps are sigmoids, at the landmark level.

    Source: Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV
    2020, equation 6.
    """

    name: Literal["smooth_ap"] = "smooth_ap"
    tau: float = setting(0.01, "Width of the sigmoid, in units of similarity.", above=0)

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        return Cost(batch.ranked(partial(losses.smooth_ap_loss, tau=self.tau)), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class CSL(_Method):
    """The composite similarity loss: proxies, with a margin for each level.

    Source: Sun et al., Dynamic Metric Learning, CVPR 2021, equation 5.
    """

    compares_with: ClassVar[Literal["proxies"]] = "proxies"
    name: Literal["csl"] = "csl"
    margins: tuple[float, ...] = setting((0.25, 0.35, 0.45), "One a level, finest first.")
    scale: float = setting(32.0, "What similarities and margins are multiplied by.", above=0)

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        bound = partial(losses.csl_loss, margins=self.margins, scale=self.scale)
        return Cost(batch.classified(bound), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class HXE(_Method):
    """Hierarchical cross-entropy over one proxy a landmark: the softmax of NSM, level by level.

    Source: Bertinetto et al., Making Better Mistakes: Leveraging Class Hierarchies with Deep
    Networks, CVPR 2020, equation 5.
    """

    compares_with: ClassVar[Literal["proxies"]] = "proxies"
    name: Literal["hxe"] = "hxe"
    alpha: float = setting(
        0.1, "How fast the weights exp(-alpha l) fall from coarse to fine levels.", least=0
    )
    temperature: float = setting(0.05, "What similarities are divided by.", above=0)

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        bound = partial(losses.hxe_loss, alpha=self.alpha, temperature=self.temperature)
        return Cost(batch.classified(bound), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class NSM(_Method):
    """Normalised softmax over one proxy a landmark: only the clustering loss of HAPPIER.

    Source: Zhai, Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019,
    equation 3.
    """

    compares_with: ClassVar[Literal["proxies"]] = "proxies"
    name: Literal["nsm"] = "nsm"
    temperature: float = setting(0.05, "What similarities are divided by.", above=0)

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        total = losses.clustering_loss(
            batch.embeddings, batch.labels, batch.proxies, self.temperature
        )
        return Cost(total, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFace(_Method):
    """Softmax over one proxy a landmark, with an angle added at the right one.

    Source: Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019,
    equation 3.
    """

    compares_with: ClassVar[Literal["proxies"]] = "proxies"
    name: Literal["arcface"] = "arcface"
    # Pi turns every cosine around.
    margin: float = setting(0.5, "The angle, in radians.", least=0, most=3)
    scale: float = setting(64.0, "What cosines are multiplied by.", above=0)

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        bound = partial(losses.arcface_loss, margin=self.margin, scale=self.scale)
        return Cost(bound(batch.embeddings, batch.labels, batch.proxies), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet(_Method):
    """The triplet loss of each image's farthest positive and nearest negative, by cosine.

    Source: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification,
    2017, equation 5.
    """

    name: Literal["triplet"] = "triplet"
    margin: float = setting(
        0.1, "By how much a positive should be nearer, in units of cosine.", least=0, most=3
    )

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        return Cost(batch.ranked(partial(losses.triplet_loss, margin=self.margin)), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAtK(_Method):
    """A smooth recall at k, averaged over several k, at the landmark level.

    Source: Patel, Tolias, Matas, Recall@k Surrogate Loss with Large Batches and Similarity Mixup,
    CVPR 2022, equations 4 to 6; without the mixup.
    """

    name: Literal["recall_at_k"] = "recall_at_k"
    ks: tuple[int, ...] = setting((1, 2, 4, 8, 16), "The cut-offs k.")
    temperature: float = setting(1.0, "Width of the cut-off, in ranks.", above=0)
    tau: float = setting(0.01, "Width of the sigmoid, in units of similarity.", above=0)

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        _Method.__post_init__(self)
        if not self.ks or min(self.ks) < 1:
            raise ValueError(f"ks must be one or more numbers above 0, got {list(self.ks)}")

    def cost(self, batch: Batch) -> Cost:
        """Returns the loss of a batch."""
        from hgld import losses

        bound = partial(
            losses.recall_at_k_loss, ks=self.ks, temperature=self.temperature, tau=self.tau
        )
        return Cost(batch.ranked(bound), {})


TrainingMethod = (
    Happier | Roadmap | SupAP | SmoothAP | CSL | HXE | NSM | ArcFace | Triplet | RecallAtK
)
"""The methods, each with its settings."""
