"""A finished build, damaged in one file: does whoever goes on with it get to know?

Each damage is done to a copy of the build, on which `hgld verify` and `hgld build` are run. What
came of it is one of

    named       the build stopped with one line that names the file, and with the file put back
                the build is the clean one
    healed      the build ended, is the clean one, and a line named the file
    verified    the build went on with the damage, and `hgld verify` named the file
    harmless    the build is the clean one and nothing was named, for a reason (`is_harmless`)
    unnamed     the build stopped with an error that does not name the file
    unmentioned the build ended and is the clean one, and nothing named the file
    lost        the file was put back, and the build is not the clean one
    silent      the build ended with other content
    traceback   what a user sees is a traceback, a crash or nothing at all for minutes
    unfired     the file is what it was: no damage, and not counted
"""

import dataclasses
import functools
import gzip
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from hgld import tables
from hgld.benchmarks.retrieval.config import result_files
from hgld.benchmarks.retrieval.results import TIMED
from hgld.engine.dataset import Dataset, read_stable, rows_digest
from hgld.engine.workspace import Workspace, load_manifest
from hgld.errors import DamagedError
from hgld.review.log.decisions import DECISIONS_FILE
from tests.soak.commands import Ended, run_forked
from tests.soak.damages import PlannedDamage, files_by_kind, plan_damages

BAD = ("unnamed", "unmentioned", "lost", "silent", "traceback")
"""Outcomes that must not be."""

_NO_RESULT = (
    *("stages/", "raw/", "benchmarks/embeddings/", "images/tars/", "labels/cache/"),
    *("metadata/csv/FILES", "review/decisions.backup"),
)
"""What a build is made by or kept with, and no part of what it says."""

_ASKED_AGAIN = {"checkpoint", "embedding cache", "kept vectors", "list of tars"}
"""Kinds that are made anew where they are gone: all that is lost is time."""

_DATASETS = [
    one
    for value in vars(tables).values()
    for one in (value.values() if isinstance(value, dict) else [value])
    if isinstance(one, Dataset)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedBuilds:
    """The builds that are damaged, copies of which are made."""

    finished: Path
    """A whole build."""
    earlier: Path
    """The same at an earlier time."""
    training_stopped: Path
    """The whole build but for what follows a checkpoint."""
    benchmark_stopped: Path
    """The whole build but for what follows the embeddings of its benchmark."""

    def for_kind(self, kind: str) -> Path:
        """Returns the build in which a kind of file is there and is read."""
        others = {"checkpoint": self.training_stopped, "embedding cache": self.benchmark_stopped}
        return others.get(kind, self.finished)

    def kinds(self) -> dict[str, list[str]]:
        """Returns the files of each kind, in the build in which they are damaged."""
        found = files_by_kind(self.finished)
        for kind in ("checkpoint", "embedding cache"):
            found |= {kind: files_by_kind(self.for_kind(kind))[kind]}
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzOutcome:
    """What came of one damage."""

    damage: PlannedDamage
    outcome: str
    said: str
    """By `hgld verify` and `hgld build`."""


def digest_build(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Returns what a build says, table by table and file by file, without its times.

    Args:
        root: of the build.
        files: what the clean build consists of, relative to it; of tables all shards that there
            are count, as readers take all.

    Returns:
        Table or file to the digest of its rows or bytes; "gone" and "unreadable" are digests too.
    """
    found: dict[str, str] = {}
    for relative in files:
        if dataset := _dataset_of(relative):
            found[dataset.path] = _table(root, dataset)
        elif not relative.startswith(_NO_RESULT):
            found[relative] = _file(root, relative) if (root / relative).is_file() else "gone"
    return found


@functools.cache
def _dataset_of(relative: str) -> Dataset | None:
    return next((one for one in _DATASETS if one.own([relative])), None)


def _table(root: Path, dataset: Dataset) -> str:
    shards = Workspace(root).shards(dataset)
    if not all(shard.is_file() for shard in shards):  # to read a FIFO takes for ever
        return "no file"
    try:
        return " ".join(f"{shard.name} {_rows(shard.read_bytes(), dataset)}" for shard in shards)
    except (pa.ArrowException, OSError, KeyError) as error:
        return f"unreadable: {error}"


@functools.lru_cache(maxsize=1_000)  # of some kB each
def _rows(content: bytes, dataset: Dataset) -> str:
    """Returns the digest of a shard's rows.

    Of 51 shards all but one or two have the bytes of the clean build's: to read them each time took
    most of the 0.3 s of a digest, of which each damage needs two to four.
    """
    return rows_digest(read_stable(pa.BufferReader(content), dataset.schema))


def _file(root: Path, relative: str) -> str:
    if relative in result_files():
        return _without_times(root, relative)
    content = (root / relative).read_bytes()
    if relative == DECISIONS_FILE:
        # What a crash left of a last line stays in the log, and counts for nothing.
        content = b"".join(line for line in content.splitlines() if line.endswith(b"}"))
    return hashlib.sha256(content).hexdigest()


def _without_times(root: Path, relative: str) -> str:
    """Returns the digest of a benchmark's results or report without when and how fast it was.

    Nor of which commit: somebody may commit between one build and the other.
    """
    text = (root / relative).read_bytes().decode("utf-8", "replace")
    try:
        metadata = json.loads((root / result_files().setting).read_bytes())["metadata"]
        varying = [metadata["date"], metadata["git_commit"]]
    except (OSError, ValueError, KeyError, TypeError):
        varying = []
    lines = [line for line in text.splitlines() if not any(name in line for name in TIMED)]
    text = "\n".join(lines)
    for value in varying:
        text = text.replace(str(value), "")
    return hashlib.sha256(text.encode()).hexdigest()


def try_damage(
    builds: FinishedBuilds,
    damage: PlannedDamage,
    run: Callable[[Sequence[str]], Ended] = run_forked,
) -> FuzzOutcome:
    """Damages a copy of a build, goes on with it, and says what came of that.

    Args:
        builds: what is copied.
        damage: what is done to the copy.
        run: runs `hgld`.
    """
    clean = builds.for_kind(damage.kind)
    files = [one for found in files_by_kind(builds.finished).values() for one in found]
    with tempfile.TemporaryDirectory(prefix="hgld-fuzz-") as folder:
        root = Path(folder) / "build"
        shutil.copytree(clean, root)
        if not damage.inflict(root, builds.earlier):
            return FuzzOutcome(damage=damage, outcome="unfired", said="")
        # Of pictures only this looks at every byte.
        deep = ["--deep"] if damage.kind == "picture" else []
        verified = run(["verify", *deep, "--root", str(root)])
        built = run(["build", "--root", str(root)])
        is_clean = digest_build(root, files) == digest_build(builds.finished, files)
        outcome = classify_run(damage, verified, built, is_clean=is_clean)
        if outcome == "unmentioned" and is_harmless(damage, root, clean):
            outcome = "harmless"
        if outcome == "named":
            damage.mend(root, clean)
            again = run(["build", "--root", str(root)])
            built = Ended(again.status, f"{built.said}--- put back\n{again.said}")
            if again.status or digest_build(root, files) != digest_build(builds.finished, files):
                outcome = "lost"
    said = f"--- verify {verified.status}\n{verified.said}--- build {built.status}\n{built.said}"
    return FuzzOutcome(damage=damage, outcome=outcome, said=said)


def classify_run(damage: PlannedDamage, verified: Ended, built: Ended, *, is_clean: bool) -> str:
    """Returns what came of a damage, by what `hgld verify` and `hgld build` said and left."""
    if verified.is_traceback or built.is_traceback:
        return "traceback"
    is_named = names_damage(damage, f"{verified.said}\n{built.said}")
    if built.status:
        return "named" if is_named else "unnamed"
    if not is_clean:
        # Of millions of pictures a build looks at size and time, `hgld verify --deep` at all bytes.
        by_verify = verified.status == 1 and names_damage(damage, verified.said)
        return "verified" if by_verify and damage.kind == "picture" else "silent"
    return "healed" if is_named else "unmentioned"


def names_damage(damage: PlannedDamage, said: str) -> bool:
    """Says whether a user was told of the file.

    A manifest stands for its stage: that it is gone, or another one, shows as a stage that is done
    once more, and a stale one names files that it does not fit.
    """
    if damage.kind == "manifest" and damage.how in {"deleted", "swapped", "earlier version"}:
        stages = (Path(damage.relative).stem, Path(damage.other).stem)
        return any(f"{stage}: done" in said or f"`hgld {stage}`" in said for stage in stages)
    if damage.kind == "list of answers":  # or an answer is named that it does not fit
        return f"{Path(damage.relative).parent.as_posix()}/" in said
    return any(name in said for name in damage.names())


def is_harmless(damage: PlannedDamage, root: Path, clean: Path) -> bool:
    """Says whether a damage may pass without a word where the build is the clean one."""
    # Of a table that is one file no other file is read.
    is_one_file = any(dataset.path == damage.relative for dataset in _DATASETS)
    reads_all = damage.kind.startswith(("table ", "raw answer")) and not is_one_file
    if damage.how == "copied beside" and not reads_all:
        return True  # no stage reads a file that it does not name
    if damage.how == "deleted" and damage.kind in _ASKED_AGAIN:
        return True
    if damage.kind == "raw answer" and damage.how == "swapped":
        return True  # the archive is a set of answers, each with what was asked
    is_earlier_manifest = (damage.kind, damage.how) == ("manifest", "earlier version")
    may_say_the_same = damage.kind in {"list of tars", "raw answer"} or is_earlier_manifest
    return may_say_the_same and _says_the_same(root / damage.relative, clean / damage.relative)


def _says_the_same(path: Path, other: Path) -> bool:
    after, before = path.read_bytes(), other.read_bytes()
    if after == before:
        return True  # a folder is asked for its list each time
    try:
        if path.suffix == ".json":  # a manifest of the very same files, at another time
            now, then = load_manifest(path), load_manifest(other)
            return dataclasses.replace(now, finished_at=then.finished_at) == then
        # A bit of gzip's header that says nothing of the content.
        return gzip.decompress(after) == gzip.decompress(before)
    except (DamagedError, OSError, EOFError, zlib.error):
        return False


_ROUNDS = 10
"""Of drawing again what changed no file; of 100 damages it is 17 at most."""


def fuzz(builds: FinishedBuilds, kind: str, count: int, seed: int) -> list[FuzzOutcome]:
    """Tries damages to a kind of file, two at a time.

    Args:
        builds: what is damaged.
        kind: of `builds.kinds()`.
        count: damages that change a file; one that changed none is drawn again.
        seed: of which files, where and how.
    """
    files, outcomes = builds.kinds()[kind], list[FuzzOutcome]()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for drawn in range(_ROUNDS):
            planned = plan_damages(kind, files, count, seed + drawn)
            tried = list(pool.map(partial(try_damage, builds), planned))
            outcomes += tried
            count = sum(one.outcome == "unfired" for one in tried)
    return outcomes
