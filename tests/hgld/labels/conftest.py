"""What tests of this room share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hgld.labels.fills.lexicon import Lexicon, read_lexicon
from hgld.labels.taxonomy.rows import TaxonomyTables, load_taxonomy_tables
from tests.worlds.builders import TrigramEncoder
from tests.worlds.stub_encoder import stubbed_encoder
from tests.worlds.tiny_clip import write_tiny_clip


@pytest.fixture
def encoder() -> Iterator[TrigramEncoder]:
    """Stands in for the model, and remembers what it was asked to encode."""
    with stubbed_encoder() as encoder:
        yield encoder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small CLIP, which open_clip knows from then on."""
    pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
    return write_tiny_clip(tmp_path_factory.mktemp("tiny_clip"))


@pytest.fixture(scope="session")
def shipped_tables() -> TaxonomyTables:
    return load_taxonomy_tables()


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    """Knows all words, but has a sixth of them as examples to learn from, which take the time."""
    whole = read_lexicon()
    return replace(whole, examples=whole.examples[::6])
