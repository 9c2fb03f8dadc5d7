"""A finished build, damaged in one file: does whoever goes on with it get to know?

Each damage is done to a copy of the build, on which `hgld verify` and `hgld build` are run.
"""

import dataclasses
import functools
import gzip
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
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
from tests.soak.damages import Damage, files_by_kind, files_of, plan_damages

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
    earlier: Callable[[], Path]
    """Gives the same at an earlier time."""
    stopped: Mapping[str, Path]
    """Kind of file to a build that is whole but for what follows it: there such a file is read."""

    def kinds(self) -> dict[str, list[str]]:
        """Returns the files of each kind, in the build in which they are damaged."""
        stopped = {kind: files_by_kind(root)[kind] for kind, root in self.stopped.items()}
        return dict(sorted((files_by_kind(self.finished) | stopped).items()))

    def is_said_by(self, root: Path) -> bool:
        """Says whether a build says the same as the finished one."""
        files = files_of(self.finished)
        return digest_build(root, files) == digest_build(self.finished, files)


def digest_build(root: Path, files: Sequence[str]) -> dict[str, str]:
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


_DRAWS = 12
"""Of a damage until one changes a file: of 100 some 17 do not."""


def check_a_damage(
    builds: FinishedBuilds, kind: str, seed: int, run: Callable[[Sequence[str]], Ended] = run_forked
) -> str:
    """Damages a file of a kind, and checks what comes of that; returns it, as `check_damage`.

    Args:
        builds: of which a copy is damaged.
        kind: of the file.
        seed: of which file, and how.
        run: runs `hgld`.
    """
    planned = islice(plan_damages(kind, builds.kinds()[kind], seed), _DRAWS)
    return next(filter(None, (check_damage(builds, damage, run) for damage in planned)))


def check_damage(
    builds: FinishedBuilds, damage: Damage, run: Callable[[Sequence[str]], Ended] = run_forked
) -> str:
    """Damages a copy of a build and goes on with it: it is named or told of, and never silent.

    Returns:
        "named" where the build stopped, and was the clean one once the file was put back;
        "healed" where it made the file again; "verified" where `hgld verify` alone told of it;
        "harmless" where nobody needed to; empty where the file is what it was.
    """
    clean = builds.stopped.get(damage.kind, builds.finished)
    with tempfile.TemporaryDirectory(prefix="hgld-fuzz-") as folder:
        root = Path(folder) / "build"
        shutil.copytree(clean, root)
        if not damage.inflict(root, builds.earlier):
            return ""
        # Of pictures only this looks at every byte.
        deep = ["--deep"] if damage.kind == "picture" else []
        verified = run(["verify", *deep, "--root", str(root)])
        built = run(["build", "--root", str(root)])
        said = f"{damage}\n--- verify {verified.status}\n{verified.said}--- build {built.status}\n"
        said += built.said
        assert not any(one.is_traceback for one in (verified, built)), said
        is_named = names_damage(damage, f"{verified.said}\n{built.said}")
        if built.status:
            assert is_named, said
            damage.mend(root, clean)
            again = run(["build", "--root", str(root)])
            assert again.status == 0, f"{said}--- put back\n{again.said}"
            assert builds.is_said_by(root), said
            return "named"
        if not builds.is_said_by(root):
            # Of millions of pictures a build looks at size and time, this at all bytes.
            assert damage.kind == "picture", said
            assert verified.status == 1, said
            assert names_damage(damage, verified.said), said
            return "verified"
        assert is_named or is_harmless(damage, root, clean), said
        return "healed" if is_named else "harmless"


def names_damage(damage: Damage, said: str) -> bool:
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


def is_harmless(damage: Damage, root: Path, clean: Path) -> bool:
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
