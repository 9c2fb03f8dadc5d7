"""Settings of a model that cannot be are refused where they are made."""

from typing import Any

import pytest

from hgld.training.model.config import ModelConfig


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"gem_p": 0.0}, "gem_p"),
        ({"gem_p": float("nan")}, "gem_p"),
        ({"drop_path": 1.0}, "drop_path"),
        ({"drop_path": float("nan")}, "drop_path"),
        ({"crop_pct": 0.0}, "crop_pct"),
        ({"crop_pct": 1.01}, "crop_pct"),
        ({"crop_pct": float("nan")}, "crop_pct"),
        ({"pooling": "max"}, "pooling"),
        ({"pooling": "cls", "learn_gem_p": True}, "learn_gem_p"),
        ({"projection_norm": "l2"}, "projection_norm"),
        ({"whitening": True}, "whitening"),
        ({"inner_weight": -0.1}, "inner_weight"),
        ({"inner_weight": float("nan")}, "inner_weight"),
        ({"inner_weight": 0.7, "pooling": "cls"}, "inner_weight"),
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, -1.0)}, "scales"),
        ({"scales": (0.001,)}, "scales"),
        ({"scales": 1.0}, "scales"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ModelConfig(**settings)


def test_before_training_is_the_backbone_and_its_pooling_alone() -> None:
    config = ModelConfig(
        backbone="test_vit",
        gem_p=2.0,
        learn_gem_p=True,
        embedding_dim=8,
        projection_norm="layer",
        whitening=True,
        inner_weight=0.7,
        centring=True,
        scales=(1.0, 1.5),
        drop_path=0.1,
        gradient_checkpointing=True,
        compile=True,
    )
    assert config.before_training == ModelConfig(backbone="test_vit", gem_p=2.0, scales=(1.0, 1.5))
