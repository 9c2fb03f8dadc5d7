"""Ways in which a file of a raw archive is damaged, and what must come of it."""

import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.scrape.stage import EVIDENCE_STAGE, STAGE
from hgld.scrape.verify import archive_findings
from tests.worlds.wikimedia.scraping import STATUSES, Small

Way = Callable[[Path, random.Random], None]


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def zero(path: Path, chance: random.Random) -> None:
    path.write_bytes(bytes(chance.choice([0, path.stat().st_size])))


def swap(path: Path, chance: random.Random) -> None:
    others = [one for one in path.parent.parent.rglob("*.json.gz") if one != path]
    other, data = chance.choice(sorted(others)), path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def remove(path: Path, _: random.Random) -> None:
    path.unlink()


def copy(path: Path, chance: random.Random) -> None:
    shutil.copy(path, path.with_name(f"{chance.randrange(20, 100):06d}.json.gz"))


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
    for stage in (STAGE, EVIDENCE_STAGE):
        workspace.manifest_path(stage.name).unlink()
    assert small.scrape().manifest.outputs == small.clean
    for stage in (STAGE, EVIDENCE_STAGE):
        done = workspace.manifest(stage.name)
        assert done is not None
        assert not done.failed
    assert archive_findings(workspace) == []
