"""What tests of this room share."""

from pathlib import Path

import pytest

from hgld.labels.embedding import stage as embed
from tests.worlds.builders import TrigramEncoder
from tests.worlds.tiny_clip import write_tiny_clip


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> TrigramEncoder:
    """Stands in for the model, and remembers what it was asked to encode."""
    encoder = TrigramEncoder()
    monkeypatch.setattr(embed, "load_encoder", lambda _: encoder)
    return encoder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small CLIP, which open_clip knows from then on."""
    pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
    return write_tiny_clip(tmp_path_factory.mktemp("tiny_clip"))
