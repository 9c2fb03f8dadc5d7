from pathlib import Path
from typing import Any

import pytest

from hgld.labels.clustering.config import ClusterConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clusters", 0),
        ("seed", -1),
        ("seed", 1 << 65),
        ("n_init", 0),
        ("draws", -1),
        ("superclass_depth", 0),
        ("min_cluster_size", 1),
        ("superclass_weight", 1.0),
        ("superclass_weight", float("nan")),
        ("method", "spectral"),
        ("unplaced", "lost"),
        ("cut_points", Path("x.csv")),  # of another method
    ],
)
def test_a_setting_that_no_run_could_use_is_named(name: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=name):
        ClusterConfig(**{name: value})


def test_settings_that_the_method_has_no_use_for_are_named() -> None:
    with pytest.raises(ValueError, match="by_landmarks"):
        ClusterConfig(method="ward", by_landmarks=True)
    with pytest.raises(ValueError, match="superclass_weight"):
        ClusterConfig(method="subclasses", superclass_weight=0.5)
