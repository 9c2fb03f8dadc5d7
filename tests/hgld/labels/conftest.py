"""What tests of this room share."""

import pytest

from hgld.labels.embedding import stage as embed
from tests.worlds.builders import TrigramEncoder


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> TrigramEncoder:
    """Stands in for the model, and remembers what it was asked to encode."""
    encoder = TrigramEncoder()
    monkeypatch.setattr(embed, "load_encoder", lambda _: encoder)
    return encoder
