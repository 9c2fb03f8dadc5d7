"""Ways in which a file of a raw archive is damaged, and what must come of it."""

import gzip
import random
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.scrape.places import FACTS_STAGE
from hgld.scrape.stage import EVIDENCE_STAGE, STAGE
from hgld.scrape.verify import archive_findings
from tests.worlds.damage import Way, copy, cut, flip, remove, swap, zero
from tests.worlds.wikimedia.scraping import STATUSES, Small


def poison(path: Path, chance: random.Random) -> None:
    """Writes an answer anew, with something odd in it, as a whole file."""
    text = gzip.decompress(path.read_bytes()).decode()
    at = chance.choice([at for at, sign in enumerate(text) if sign in '":,{}[]'])
    odd = chance.choice(["NaN", r'"\ud800"', "[]", "1" * 5_000, "-1e999", "{", ""])
    path.write_bytes(gzip.compress((text[:at] + odd + text[at + 1 :]).encode()))


WAYS: tuple[Way, ...] = (flip, cut, zero, swap, remove, copy, poison)


def contents(workspace: Workspace) -> dict[str, bytes]:
    """Returns name to bytes of every file of the archive."""
    raw = workspace.path("raw")
    return {str(p.relative_to(raw)): p.read_bytes() for p in raw.rglob("*") if p.is_file()}


def check_damage(small: Small) -> None:
    """Checks of a finished scrape that a damage of its archive changes no table, and is mended."""
    workspace, before = small.workspace, contents(small.workspace)
    with pytest.raises(DamagedError, match=r"^.*--no-replay --force.*$"):  # in one line
        small.scrape(replay=True)
    assert contents(workspace) == before
    assert small.statuses() == STATUSES
    # Online: what is damaged is set aside and asked for again, and all is as it was.
    for stage in (STAGE, EVIDENCE_STAGE, FACTS_STAGE):
        workspace.manifest_path(stage.name).unlink()
    assert small.scrape().manifest.outputs == small.clean
    for stage in (STAGE, EVIDENCE_STAGE, FACTS_STAGE):
        done = workspace.manifest(stage.name)
        assert done is not None
        assert not done.failed
    assert archive_findings(workspace) == []
