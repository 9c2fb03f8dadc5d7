"""The settings of the stage `cluster`, and the stage it is with them; light to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage
from hgld.tables import (
    CENTRES,
    CLUSTER_CHANGES,
    CLUSTERS,
    EMBEDDINGS,
    LABELS,
    SUPERCLASSES,
)

ClusterMethod = Literal["kmeans", "ward", "average", "hdbscan", "subclasses"]
Unplaced = Literal["nearest", "alone"]

_SEEDS = 1 << 32  # of scikit-learn
_MOST = 1_000
"""Starts of K-Means, draws and steps of P279: beyond it is a slip of the keyboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Settings of the stage."""

    method: ClusterMethod = setting(
        "kmeans",
        "How clusters are made. kmeans, as H-GLDv2 did; it starts from the clusters of the run "
        "before. ward, average: agglomerative. hdbscan: by density, and as many as it finds. "
        "subclasses: by the nearest cut point above a class in Wikidata's subclass tree.",
    )
    clusters: int = setting(
        78, "How many clusters kmeans, ward and average make; H-GLDv2 has 78 labels."
    )
    seed: int = setting(0, "Seed of K-Means, and of the draws that measure stability.")
    n_init: int = setting(
        10, "How often K-Means starts where it starts cold; the best inertia is kept."
    )
    by_landmarks: bool = setting(
        False, "With kmeans: whether a label weighs as many as landmarks have it, instead of one."
    )
    centre: bool = setting(
        True,
        "Whether the mean of all vectors is taken from each, and their unit norm restored: texts "
        "of CLIP lie in a narrow cone.",
    )
    whiten: bool = setting(
        False, "Whether every direction is scaled to about equal variance, beyond centring."
    )
    superclass_weight: float = setting(
        0.0,
        "Share, from 0 to below 1, that common superclasses on Wikidata have in how near two "
        "classes are; their texts have the rest.",
    )
    superclass_depth: int = setting(
        6, "How many steps of P279 up a superclass or cut point counts at most."
    )
    cut_points: Path | None = setting(
        None,
        "With subclasses: CSV file of the cut points, with the columns superclass_qid, "
        "superclass_label and hierarchical_label; those of one hierarchical_label make one "
        "cluster. Not set: those of the package.",
        changes_rows=False,  # its digest does
    )
    min_cluster_size: int = setting(5, "With hdbscan: labels that a cluster has at least.")
    unplaced: Unplaced = setting(
        "nearest",
        "Where a class goes that hdbscan takes for noise, or that no cut point lies above. "
        "nearest: into the cluster with the nearest centre. alone: into one of its own.",
    )
    draws: int = setting(
        20, "Bootstrap draws from which the stability of each cluster is measured; 0: it is not."
    )
    recluster: bool = setting(
        False,
        "Runs again although nothing changed, and starts cold: no cluster of the run before is "
        "held on to, except by its number.",
        changes_rows=False,  # it is said of one run, not of the build
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a number out of its range, or settings that cannot go together.
        """
        check_settings(self)
        if self.clusters < 1:
            raise ValueError(f"clusters must be at least 1, got {self.clusters}; H-GLDv2 has 78")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}; choose 0 or more")
        if self.seed >= _SEEDS:
            raise ValueError(f"seed must be below 2^32, got {self.seed}; choose a smaller one")
        for name, least in (("n_init", 1), ("superclass_depth", 1), ("draws", 0)):
            if not least <= (value := getattr(self, name)) <= _MOST:
                raise ValueError(f"{name} must be from {least} to {_MOST:,}, got {value}")
        if self.min_cluster_size < 2:  # noqa: PLR2004 - HDBSCAN's own least
            raise ValueError(f"min_cluster_size must be at least 2, got {self.min_cluster_size}")
        if not 0 <= self.superclass_weight < 1:
            raise ValueError(
                f"superclass_weight must be from 0 to below 1, got {self.superclass_weight}; "
                f"superclasses alone are method = 'subclasses'"
            )
        self._check_together()

    def _check_together(self) -> None:
        if self.by_landmarks and self.method != "kmeans":
            raise ValueError(
                f"by_landmarks needs method 'kmeans', got {self.method!r}; leave it out"
            )
        if self.superclass_weight and self.method == "subclasses":
            raise ValueError("superclass_weight has no use with method 'subclasses'; leave it out")
        if self.cut_points is not None and self.method != "subclasses":
            raise ValueError(f"cut_points needs method 'subclasses', got {self.method!r}")

    @property
    def reads_superclasses(self) -> bool:
        """Whether clusters depend on what lies above a class on Wikidata."""
        return self.method == "subclasses" or self.superclass_weight > 0


def cluster_stage(config: ClusterConfig) -> Stage:
    """Returns the stage with these settings: it reads superclasses only where they count."""
    superclasses = (SUPERCLASSES,) if config.reads_superclasses else ()
    return Stage(
        name="cluster",
        version=2,  # centred vectors, ids that stay, stability; proposals are made elsewhere
        inputs=(LABELS, EMBEDDINGS, *superclasses),
        outputs=(CLUSTERS, CENTRES, CLUSTER_CHANGES),
        result=CLUSTERS.path,
    )
