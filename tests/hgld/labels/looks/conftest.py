"""What tests of this room share."""

import math

import pytest

from hgld.labels.looks import stage
from tests.worlds.unlabelled import ColourModel


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ColourModel:
    """Stands in for CLIP: with a scale of ln 6 a plain colour is sure by 6 / (6 + 1 + 1) = 3/4."""
    model = ColourModel(math.log(6))
    monkeypatch.setattr(stage, "load_clip", lambda *_: model)
    return model
