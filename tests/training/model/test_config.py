"""Settings of a model that cannot be are refused where they are made."""

from typing import Any

import pytest

from hgld.training.model.config import ModelConfig


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"gem_p": 0.0}, "gem_p must be above 0, got 0.0"),
        ({"gem_p": float("nan")}, "gem_p must be above 0, got nan"),
        ({"drop_path": 1.0}, "drop_path must be from 0 to below 1, got 1.0"),
        ({"drop_path": float("nan")}, "drop_path must be from 0 to below 1, got nan"),
        ({"pooling": "max"}, "pooling must be one of 'gem', 'average', 'cls', 'tokens', 'backbone"),
        ({"pooling": "cls", "learn_gem_p": True}, "learn_gem_p needs pooling = \"gem\", got 'cls'"),
        ({"projection_norm": "l2"}, "projection_norm needs embedding_dim, .* got .* 'l2' without"),
        ({"whitening": True}, "whitening needs embedding_dim, the width of the linear layer"),
        ({"inner_weight": -0.1}, "inner_weight must be from 0 to 1, got -0.1"),
        ({"inner_weight": float("nan")}, "inner_weight must be from 0 to 1, got nan"),
        (
            {"inner_weight": 0.7, "pooling": "cls"},
            'inner_weight needs pooling = "gem" or "average"',
        ),
        ({"scales": ()}, r"scales must be one or more numbers above 0, got \(\)"),
        ({"scales": (1.0, -1.0)}, "scales must be one or more numbers above 0"),
        ({"scales": (0.001,)}, "image_size times the smallest of scales must be above 0, got 0"),
        ({"scales": 1.0}, "scales must be "),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
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
