"""A finished build, damaged in more than a file's bytes: does whoever goes on with it get to know?

A file is damaged together with what proves it, a folder is gone, or in a file's place is something
that cannot be read as one. On a copy of the build `hgld verify`, `hgld build` and `hgld verify` are
run. What came of it is one of

    named       a command stopped, with a line that names the place
    told        the build ended, and is the clean one; a line named the place, or a stage ran again
    changed     the build ended and is another one, which `hgld verify` or a line had told before
    untold      the build ended and is the clean one, and nothing was said
    unnamed     a command stopped, and no line names the place
    silent      the build ended and is another one, and nothing was said
    traceback   what a user sees is a traceback, a crash or nothing at all for minutes
"""

import ctypes
import hashlib
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from hgld.engine.workspace import load_manifest
from tests.soak.commands import Ended, run_forked
from tests.soak.damages import PlannedDamage, files_by_kind
from tests.soak.fuzz import FuzzOutcome, digest_build

WRONG = ("unnamed", "silent", "traceback")
"""Outcomes that must not be."""


def plan_wholes(root: Path, count: int, seed: int) -> Iterator[PlannedDamage]:
    """Yields damages, each way in turn at a place that is drawn."""
    moments = random.Random(seed)
    files = [one for found in files_by_kind(root).values() for one in found]
    folders = sorted(
        {str(Path(one).parent) for one in files} | {one.split("/")[0] for one in files}
    )
    listed = [one for one in files if one.startswith("raw/") and one.endswith(".gz")]
    places = {
        "file with its line": listed,
        "line with its file gone": listed,
        "manifest with its table": [one for one in files if one.startswith("stages/")],
        "manifest of another stage": [one for one in files if one.startswith("stages/")],
        "folder gone": folders,
        "folder for a file": files,
        "unreadable": [*files, *folders],
        "FIFO": files,
    }
    ways = list(places)
    for number in range(count):
        how = ways[number % len(ways)]
        relative = moments.choice(places[how])
        yield PlannedDamage(
            kind=how, how=how, relative=relative, other=relative, seed=moments.getrandbits(32)
        )


def _relist(path: Path, line: str) -> None:
    """Puts a line into the place of a file's own in the list beside it; nothing removes it."""
    sums = path.with_name("SHA256SUMS")
    lines = sums.read_text(encoding="utf-8").splitlines(keepends=True)
    sums.write_text("".join(line if path.name in one else one for one in lines), encoding="utf-8")


def _inflict(damage: PlannedDamage, root: Path) -> None:  # noqa: C901 - a case a way
    path, moments = root / damage.relative, random.Random(damage.seed)
    match damage.how:
        case "file with its line":
            data = bytearray(path.read_bytes())
            data[moments.randrange(len(data))] ^= 1
            path.write_bytes(data)
            _relist(path, f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
        case "line with its file gone":
            path.unlink()
            _relist(path, "")
        case "manifest with its table":
            for name in load_manifest(path).records:
                (root / name).unlink(missing_ok=True)
            path.unlink()
        case "manifest of another stage":
            others = sorted(one for one in path.parent.glob("*.json") if one != path)
            shutil.copyfile(moments.choice(others), path)
        case "folder gone":
            shutil.rmtree(path)
        case "unreadable":
            path.chmod(0)
        case "folder for a file" | "FIFO" as how:
            path.unlink()
            os.mkfifo(path) if how == "FIFO" else path.mkdir()


def try_whole(clean: Path, damage: PlannedDamage) -> FuzzOutcome:
    """Damages a copy of a build, goes on with it, and says what came of that."""
    files = [one for found in files_by_kind(clean).values() for one in found]
    folder = Path(tempfile.mkdtemp(prefix="hgld-wholes-"))
    try:
        root = folder / "build"
        shutil.copytree(clean, root)
        _inflict(damage, root)
        words = [[word, "--root", str(root)] for word in ("verify", "build", "verify")]
        ran = [run_forked(one, before=_mind_modes) for one in words]
        _readable(root)
        is_clean = digest_build(root, files) == digest_build(clean, files)
    finally:
        _readable(folder)
        shutil.rmtree(folder)
    said = "".join(f"--- {one.status}\n{one.said}" for one in ran)
    return FuzzOutcome(damage=damage, outcome=_outcome(damage, *ran, is_clean=is_clean), said=said)


def _outcome(
    damage: PlannedDamage, verified: Ended, built: Ended, after: Ended, *, is_clean: bool
) -> str:
    if any(one.is_traceback for one in (verified, built, after)):
        return "traceback"
    place, name = damage.relative, Path(damage.relative).name
    said = verified.said + built.said
    is_named = any(one in said for one in (place, f"{Path(place).parent.name}/{name}"))
    is_named = is_named or f"{Path(place).stem}: done" in said
    if built.status:
        return "named" if is_named or verified.status else "unnamed"
    told = verified.status or is_named or ": done" in built.said
    if is_clean:
        return "told" if told else "untold"
    return "changed" if told or after.status else "silent"


def _mind_modes() -> None:
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


def _readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not stat.S_IMODE(path.lstat().st_mode):
            path.chmod(0o755)


def try_wholes(root: Path, count: int, seed: int) -> list[FuzzOutcome]:
    """Tries damages, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(partial(try_whole, root), plan_wholes(root, count, seed)))
