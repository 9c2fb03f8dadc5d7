"""Ways in which a file of a raw archive is damaged, and what must come of it."""

import gzip
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.scrape.stage import EVIDENCE_STAGE, STAGE, run_scrape
from hgld.scrape.verify import archive_findings
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server

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
WAYS_OF_A_LIST: tuple[Way, ...] = (flip, cut, zero, remove)


def archived(workspace: Workspace) -> list[Path]:
    """Returns the files of the archive that are answers."""
    return sorted(workspace.path("raw").rglob("*.json.gz"))


def contents(workspace: Workspace) -> dict[str, bytes]:
    """Returns name to bytes of every file of the archive."""
    raw = workspace.path("raw")
    return {str(p.relative_to(raw)): p.read_bytes() for p in raw.rglob("*") if p.is_file()}


def check_damage(
    workspace: Workspace, server: Server, categories: Path, clean: dict[str, str]
) -> None:
    """Checks that a damage changes no table, and is mended by the next scrape.

    Args:
        workspace: a finished scrape of the small Wikimedia, with a damaged archive.
        server: which it was asked of.
        categories: its landmarks.
        clean: the digests that an undisturbed scrape leaves.
    """
    with pytest.raises(DamagedError) as told:
        run_scrape(workspace, fast_config(server, replay=True), categories)
    assert "\n" not in str(told.value)
    assert statuses_of(workspace) == STATUSES
    # Online: what is damaged is set aside and asked for again, and all is as it was.
    assert _again(workspace, server, categories).manifest.outputs == clean
    assert not _has_failed(workspace)
    assert archive_findings(workspace) == []


def _again(workspace: Workspace, server: Server, categories: Path) -> StageReport:
    for stage in (STAGE, EVIDENCE_STAGE):
        workspace.manifest_path(stage.name).unlink(missing_ok=True)
    return run_scrape(workspace, fast_config(server), categories)


def _has_failed(workspace: Workspace) -> bool:
    """Says whether a row of the scrape or of the evidence has failed."""
    manifests = map(workspace.manifest, (STAGE.name, EVIDENCE_STAGE.name))
    return any(one is not None and one.failed for one in manifests)
