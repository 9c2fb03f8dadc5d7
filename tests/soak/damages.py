"""Which kinds of file a build has, and the ways in which one of them is damaged."""

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.worlds.review.sheets import flip

_KINDS = {
    "manifest": r"stages/[^/]+\.json",
    "official CSV": r"metadata/csv/[^/]+",
    "raw answer": r"raw/.+\.json\.gz",
    "list of answers": r"raw/.+/SHA256SUMS",
    "decisions": r"review/decisions\.jsonl",
    "kept beside the decisions": r"review/(?!\.)[^/]+(?<!decisions\.jsonl)",
    "list of tars": r"images/tars/.+",
    "picture": r"images/(train|index|test)/.+\.jpg",
    "model": r"runs/[^/]+/(?:model\.[a-z]+|config\.json|README\.md)",
    "checkpoint": r"runs/[^/]+/(checkpoint[^/]*|best)\.[a-z]+",
    "kept vectors": r"labels/cache/[^/]+",
    "embedding cache": r"benchmarks/([a-z0-9-]+/)?embeddings/.+",
    "release file": r"annotations/([^/]+\.(csv|json|md|cff)|SHA256SUMS)",
    "results": r"benchmarks/([a-z0-9-]+/)?(results\.csv|setting\.json)",
    "report": r"benchmarks/([a-z0-9-]+/)?(report\.html|results\.tex)",
}
_TABLE = re.compile(
    # tables that share a folder
    r"(annotations/(?:data/|filled/|partial/)?[a-z_]+(?:-filled)?)(?:-\d+-of-\d+)?\.parquet"
    r"|(?!raw/|labels/cache/|annotations/)(.+)/[^/]+\.parquet"
)
_NOT_DAMAGED = re.compile(
    r"hgld\.toml|sheet\.csv"  # the user's own
    r"|(.+/)?\.[^/]+(/.+)?"  # the lock, and what a run is about to rename
    # A log and what shows it: nothing is made of them, and a rerun adds to them.
    r"|runs/[^/]+/(metrics\.jsonl|made_with\.json|run\.html|tensorboard/.+)"
)
_TEXTS = {
    *("official CSV", "list of answers", "decisions", "kept beside the decisions"),
    "release file",
}
"""Kinds in which lines are lost and change places."""

_SECTOR = 512


def kind_of_file(relative: str) -> str:
    """Returns the kind of a file, `table scrape/classes` for instance; empty for none.

    Raises:
        LookupError: the file is of no kind that is known here.
    """
    if table := _TABLE.fullmatch(relative):
        return f"table {table[1] or table[2]}"
    for kind, pattern in _KINDS.items():
        if re.fullmatch(pattern, relative):
            return kind
    if _NOT_DAMAGED.fullmatch(relative):
        return ""
    raise LookupError(f"{relative} is of no kind of file; add it to {__name__}")


def files_by_kind(root: Path) -> dict[str, list[str]]:
    """Returns the files of a build by kind, relative to it, in order."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and (kind := kind_of_file(relative := path.relative_to(root).as_posix())):
            found.setdefault(kind, []).append(relative)
    return found


def files_of(root: Path) -> list[str]:
    """Returns the files of a build of every kind, relative to it."""
    return [one for found in files_by_kind(root).values() for one in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damage to one file of a build."""

    kind: str
    how: str
    relative: str
    other: str
    """Another file of the kind, with which it changes places; itself where there is none."""
    seed: int

    def inflict(self, root: Path, earlier: Callable[[], Path]) -> bool:
        """Does it, and says whether a file is another one now.

        Args:
            root: of the build; the file keeps its time, as one that rots on a disk does.
            earlier: gives the root of the build at an earlier time.
        """
        path = root / self.relative
        before = path.read_bytes()
        stat = path.stat()
        match self.how:
            case "deleted":
                path.unlink()
                return True
            case "copied beside":
                shutil.copy2(path, self._copy(root))
                return True
            case "swapped":
                other = root / self.other
                content = other.read_bytes()
                other.write_bytes(before)
            case "earlier version":
                old = earlier() / self.relative
                content = old.read_bytes() if old.exists() else before
            case _:
                content = _CHANGES[self.how](before, random.Random(self.seed))
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return content != before

    def mend(self, root: Path, clean: Path) -> None:
        """Puts the file back as it is in the clean build."""
        if self.how == "copied beside":
            self._copy(root).unlink(missing_ok=True)
        for relative in {self.relative, self.other}:
            shutil.copy2(clean / relative, root / relative)

    def names(self) -> tuple[str, ...]:
        """Returns the ends of paths of which one has to be in what a user is told."""
        paths = [self._copy(Path())] if self.how == "copied beside" else [self.relative, self.other]
        return tuple("/".join(Path(path).parts[-2:]) for path in paths)

    def _copy(self, root: Path) -> Path:
        """Returns where the copy lies, named as a file manager names it."""
        path = root / self.relative
        stem, dot, suffix = path.name.partition(".")
        return path.with_name(f"{stem} (1){dot}{suffix}")


def _flip(content: bytes, moments: random.Random) -> bytes:
    if not content:
        return content
    return flip(content, moments.randrange(len(content)), moments.randrange(8))


def _blank(content: bytes, moments: random.Random) -> bytes:
    """Returns the content with a sector of zeros."""
    start = moments.randrange(max(1, len(content) // _SECTOR)) * _SECTOR
    end = min(len(content), start + _SECTOR)
    return content[:start] + bytes(end - start) + content[end:]


def _lose_line(content: bytes, moments: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[moments.randrange(len(lines))]
    return b"".join(lines)


def _reorder(content: bytes, moments: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    one, other = moments.randrange(len(lines)), moments.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


_CHANGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bit flipped": _flip,
    "cut": lambda content, moments: content[: moments.randrange(max(1, len(content)))],
    "emptied": lambda content, _: content[:0],
    "appended to": lambda content, moments: (
        content + moments.randbytes(moments.randint(1, 2 * _SECTOR))
    ),
    "sector of zeros": _blank,
    "line lost": _lose_line,
    "lines in another order": _reorder,
}

_EVERY_WAY = (
    *("bit flipped", "deleted", "bit flipped", "copied beside", "cut", "swapped", "emptied"),
    *("bit flipped", "earlier version", "appended to", "bit flipped", "sector of zeros"),
)
_TEXT_WAYS = ("line lost", "lines in another order", *_EVERY_WAY)


def plan_damages(kind: str, files: list[str], seed: int) -> Iterator[Damage]:
    """Yields damages to files of a kind without end, each in a way and a place that are drawn."""
    # Seeded by the text, so that another kind of file changes nothing for this one.
    moments = random.Random(f"{kind} {seed}")
    while True:
        how = moments.choice(_TEXT_WAYS if kind in _TEXTS else _EVERY_WAY)
        relative = moments.choice(files)
        others = [file for file in files if file != relative] if how == "swapped" else []
        other = moments.choice(others or [relative])
        seed = moments.getrandbits(32)
        yield Damage(kind=kind, how=how, relative=relative, other=other, seed=seed)
