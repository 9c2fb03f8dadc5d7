import re
from pathlib import Path
from typing import Any

import pytest

from hgld.labels.clustering.config import ClusterConfig


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clusters": 0}, "clusters must be at least 1, got 0; H-GLDv2 has 78"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"seed": 1 << 65}, "seed must be below 2^32, got 36893488147419103232"),
        ({"n_init": 0}, "n_init must be from 1 to 1,000, got 0"),
        ({"draws": -1}, "draws must be from 0 to 1,000, got -1"),
        ({"draws": 10**9}, "draws must be from 0 to 1,000, got 1000000000"),
        ({"superclass_depth": 0}, "superclass_depth must be from 1 to 1,000, got 0"),
        ({"min_cluster_size": 1}, "min_cluster_size must be at least 2, got 1"),
        ({"superclass_weight": 1.0}, "superclass_weight must be from 0 to below 1, got 1.0"),
        (
            {"superclass_weight": float("nan")},
            "superclass_weight must be from 0 to below 1, got nan",
        ),
        ({"method": "spectral"}, "method must be one of 'kmeans', 'ward', 'average', 'hdbscan'"),
        ({"unplaced": "lost"}, "unplaced must be one of 'nearest', 'alone', got 'lost'"),
        (
            {"method": "ward", "by_landmarks": True},
            "by_landmarks needs method 'kmeans', got 'ward'; leave it out",
        ),
        (
            {"method": "subclasses", "superclass_weight": 0.5},
            "superclass_weight has no use with method 'subclasses'; leave it out",
        ),
        ({"cut_points": Path("x.csv")}, "cut_points needs method 'subclasses', got 'kmeans'"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        ClusterConfig(**settings)
