"""Commands and stages that encode texts, with no model."""

import contextlib
from collections.abc import Iterator

import pytest

from hgld.labels.embedding import stage as embed
from hgld.labels.embedding import weights
from tests.worlds.builders import TrigramEncoder


@contextlib.contextmanager
def stubbed_encoder() -> Iterator[TrigramEncoder]:
    """Stands in for every encoder meanwhile; 3,400 words take 0.05 s, by MiniLM 15 s.

    Nor is MiniLM looked for, whose 88 MB take 0.2 s to tell: as where it is not installed.
    """
    encoder = TrigramEncoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load_encoder", lambda _: encoder)
        patch.setattr(weights, "minilm_weights", dict)
        yield encoder
