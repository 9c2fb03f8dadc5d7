"""What ships of WordNet is what Debian's `wordnet-base` gives."""

from pathlib import Path

import pytest

from hgld.labels.taxonomy.distil import distil_wordnet
from hgld.labels.taxonomy.rows import SHIPPED

DEBIAN = Path("/usr/share/wordnet")


def test_debians_wordnet_gives_what_ships() -> None:
    if not DEBIAN.is_dir():
        pytest.skip("needs Debian's wordnet-base: apt-get install wordnet-base")
    if "WordNet 3.0" not in (DEBIAN / "data.noun").read_text(encoding="utf-8")[:2000]:
        pytest.skip(f"needs WordNet 3.0, {DEBIAN} is another")
    assert distil_wordnet(DEBIAN) == (SHIPPED / "wordnet.csv").read_text(encoding="utf-8")
