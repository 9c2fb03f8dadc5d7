"""A finished build, damaged in more than a file's bytes, is the clean one in the end or tells.

A file is damaged together with what proves it, a folder is gone, or in a file's place is something
that cannot be read as one.
"""

import ctypes
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hgld.engine.files import file_digest
from hgld.engine.workspace import load_manifest
from tests.soak.commands import run_forked
from tests.soak.damages import files_of
from tests.soak.fuzz import FinishedBuilds
from tests.worlds.damage import flip


def _relist(path: Path, line: str) -> None:
    """Puts a line into the place of a file's own in the list beside it; nothing removes it."""
    sums = path.with_name("SHA256SUMS")
    lines = sums.read_text(encoding="utf-8").splitlines(keepends=True)
    sums.write_text("".join(line if path.name in one else one for one in lines), encoding="utf-8")


def places(root: Path) -> dict[str, list[str]]:
    """Returns the ways to damage a build, each with the places where it may be."""
    files = files_of(root)
    folders = sorted(
        {str(Path(one).parent) for one in files} | {one.split("/")[0] for one in files}
    )
    answers = [one for one in files if one.startswith("raw/") and one.endswith(".gz")]
    manifests = [one for one in files if one.startswith("stages/")]
    return {
        **dict.fromkeys(("file with its line", "line with its file gone"), answers),
        **dict.fromkeys(("manifest with its table", "manifest of another stage"), manifests),
        **dict.fromkeys(("folder for a file", "FIFO"), files),
        "folder gone": folders,
        "unreadable": [*files, *folders],
    }


def inflict(how: str, path: Path, moments: random.Random) -> None:
    match how:
        case "file with its line":
            flip(path, moments)
            _relist(path, f"{file_digest(path)}  {path.name}\n")
        case "line with its file gone":
            path.unlink()
            _relist(path, "")
        case "manifest with its table":
            for name in load_manifest(path).records:
                (path.parents[1] / name).unlink(missing_ok=True)
            path.unlink()
        case "manifest of another stage":
            others = sorted(one for one in path.parent.glob("*.json") if one != path)
            shutil.copyfile(moments.choice(others), path)
        case "folder gone":
            shutil.rmtree(path)
        case "unreadable":
            path.chmod(0)
        case _:
            path.unlink()
            os.mkfifo(path) if how == "FIFO" else path.mkdir()


def mind_modes() -> None:
    """Has the modes of files count in this process, also where it is root's.

    Root reads all by two capabilities (capabilities(7)), which are put down.
    """
    override, read_search, version = 1 << 1, 1 << 2, 0x20080522
    header, data = (ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    libc.capget(header, data)
    for place in (0, 1):  # effective, permitted
        data[place] &= ~(override | read_search)
    libc.capset(header, data)


@pytest.mark.parametrize("number", range(320))  # forty of each way
def test_a_build_that_ends_as_another_one_or_stops_tells_where(
    builds: FinishedBuilds,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    number: int,
) -> None:
    moments, ways = random.Random(number), places(builds.finished)
    how = [*ways][number % len(ways)]
    place = moments.choice(ways[how])
    root = Path(shutil.copytree(builds.finished, tmp_path / "build"))
    inflict(how, root / place, moments)
    words = ("verify", "build", "verify")
    ran = [run_forked([word, "--root", str(root)], before=mind_modes) for word in words]
    for path in (root, *root.rglob("*")):
        if not stat.S_IMODE(path.lstat().st_mode):
            path.chmod(0o755)
    told = place + "".join(f"\n--- {one.status}\n{one.said}" for one in ran)
    assert not any(one.is_traceback for one in ran), told
    verified, built, after = ran
    said, names = verified.said + built.said, (place, "/".join(Path(place).parts[-2:]))
    is_told = verified.status or any(name in said for name in names)
    is_told = is_told or f"{Path(place).stem}: done" in said
    is_clean = not built.status and builds.is_said_by(root)
    if built.status:
        assert is_told, told
    elif not is_clean:
        assert is_told or ": done" in built.said or after.status, told
    ended = "stopped" if built.status else "the clean one" if is_clean else "another one, told"
    record_property("told", f"{how}: {ended}")
