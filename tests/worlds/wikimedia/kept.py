"""What a scrape has kept and written, for tests that look into it."""

from pathlib import Path

from hgld.scrape.archive import RawAnswer, RawArchive


def kept_answers(folder: Path) -> list[RawAnswer]:
    """Returns the answers of a folder of the archive, oldest first, all of which are sound."""
    kept: list[RawAnswer] = []
    assert RawArchive(folder).load(kept.append) == {}
    return kept
