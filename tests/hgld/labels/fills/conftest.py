"""What tests of this room share: the shipped words are read once."""

from dataclasses import replace

import pytest

from hgld.labels.fills.lexicon import Lexicon, read_lexicon


@pytest.fixture(scope="session")
def whole_lexicon() -> Lexicon:
    return read_lexicon()


@pytest.fixture(scope="session")
def lexicon(whole_lexicon: Lexicon) -> Lexicon:
    """Knows all words, but has a sixth of them as examples to learn from, which take the time."""
    return replace(whole_lexicon, examples=whole_lexicon.examples[::6])
