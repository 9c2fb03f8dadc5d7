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
        drop_path=0.1,
        gradient_checkpointing=True,
        compile=True,
    )
    assert config.before_training == ModelConfig(backbone="test_vit", gem_p=2.0)
