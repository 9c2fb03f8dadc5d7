"""The settings of each training method, as published; light to import.

A method is chosen by its name (`method = "roadmap"`), or by a table with `name` and what is to
differ from what was published.
"""

from dataclasses import dataclass
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.training.model.config import require_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Happier:
    """(1 - w) Sup-H-AP + w clustering.

    Source: Ramzi et al., Hierarchical Average Precision Training for Pertinent Image Retrieval,
    ECCV 2022, equation 9.
    """

    name: Literal["happier"] = "happier"
    alpha: float = setting(
        1.0, "Exponent of the relevance (l / L)^alpha of an item that shares l of L levels."
    )
    clustering_weight: float = setting(
        0.1, "Weight w of the clustering loss, from 0 to 1; Sup-H-AP has the rest."
    )
    temperature: float = setting(0.05, "What the clustering loss divides similarities by.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("alpha", self.alpha)
        require_positive("temperature", self.temperature)
        _require_share("clustering_weight", self.clustering_weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roadmap:
    """(1 - w) Sup-AP + w decomposability, at the landmark level.

    Source: Ramzi et al., Robust and Decomposable Average Precision for Image Retrieval, NeurIPS
    2021, equation 8.
    """

    name: Literal["roadmap"] = "roadmap"
    decomposability_weight: float = setting(0.5, "Weight w, from 0 to 1; Sup-AP has the rest.")
    positive_similarity: float = setting(0.9, "What images of one landmark should reach.")
    negative_similarity: float = setting(0.6, "What those of two should not exceed.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        _require_share("decomposability_weight", self.decomposability_weight)
        for field in ("positive_similarity", "negative_similarity"):
            if not -1 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} must be from -1 to 1, got {getattr(self, field)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupAP:
    """Sup-AP alone, at the landmark level: ROADMAP without decomposability, HAPPIER of one level.

    Source: as of ROADMAP, equation 5.
    """

    name: Literal["sup_ap"] = "sup_ap"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothAP:
    """Average precision whose steps are sigmoids, at the landmark level.

    Source: Brown et al., Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, ECCV
    2020, equation 6.
    """

    name: Literal["smooth_ap"] = "smooth_ap"
    tau: float = setting(0.01, "Width of the sigmoid, in units of similarity.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("tau", self.tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class CSL:
    """The composite similarity loss: proxies, with a margin for each level.

    Source: Sun et al., Dynamic Metric Learning, CVPR 2021, equation 5.
    """

    name: Literal["csl"] = "csl"
    margins: tuple[float, ...] = setting((0.25, 0.35, 0.45), "One a level, finest first.")
    scale: float = setting(32.0, "What similarities and margins are multiplied by.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("scale", self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class NSM:
    """Normalised softmax over one proxy a landmark: the clustering loss of HAPPIER alone.

    Source: Zhai, Wu, Classification is a Strong Baseline for Deep Metric Learning, BMVC 2019,
    equation 3.
    """

    name: Literal["nsm"] = "nsm"
    temperature: float = setting(0.05, "What similarities are divided by.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("temperature", self.temperature)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArcFace:
    """Softmax over one proxy a landmark, with an angle added at the right one.

    Source: Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019,
    equation 3.
    """

    name: Literal["arcface"] = "arcface"
    margin: float = setting(0.5, "The angle, in radians.")
    scale: float = setting(64.0, "What cosines are multiplied by.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("scale", self.scale)
        if not 0 <= self.margin <= 3:  # noqa: PLR2004 - pi turns every cosine around
            raise ValueError(f"margin must be from 0 to 3 radians, got {self.margin}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """The triplet loss of each image's farthest positive and nearest negative, by cosine.

    Source: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification,
    2017, equation 5.
    """

    name: Literal["triplet"] = "triplet"
    margin: float = setting(0.1, "By how much a positive should be nearer, in units of cosine.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("margin", self.margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAtK:
    """A smooth recall at k, averaged over several k, at the landmark level.

    Source: Patel, Tolias, Matas, Recall@k Surrogate Loss with Large Batches and Similarity Mixup,
    CVPR 2022, equations 4 to 6; without the mixup.
    """

    name: Literal["recall_at_k"] = "recall_at_k"
    ks: tuple[int, ...] = setting((1, 2, 4, 8, 16), "The cut-offs k.")
    temperature: float = setting(1.0, "Width of the cut-off, in ranks.")
    tau: float = setting(0.01, "Width of the sigmoid, in units of similarity.")

    def __post_init__(self) -> None:
        """Refuses values that make no loss."""
        check_settings(self)
        require_positive("temperature", self.temperature)
        require_positive("tau", self.tau)
        if not self.ks or min(self.ks) < 1:
            raise ValueError(f"ks must be one or more numbers above 0, got {list(self.ks)}")


TrainingMethod = Happier | Roadmap | SupAP | SmoothAP | CSL | NSM | ArcFace | Triplet | RecallAtK
"""The methods, each with its settings."""


def _require_share(field: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{field} must be from 0 to 1, got {value}")
