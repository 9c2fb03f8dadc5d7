"""Whether a log and its copy are as they were written, and what to do where one is not."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from hgld.review.chain import Scan, first_difference, scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a log and of the copy beside it."""

    found: Scan
    """The log."""
    log_damage: str
    """As in "the log *is gone; its copy is whole: ...*", with what to do; empty where it is whole.
    """
    copy_damage: str
    """The same of the copy, which can be made again where the log is whole."""


def judge(log: Path, copy: Path) -> Verdict:
    """Compares a log with the copy of it that was made when lines were last added.

    The log may go further than the copy, by what a process added that was killed before it made
    the copy, and never less far. Neither file need be there.
    """
    # The copy first: the log may grow meanwhile, and the copy after it.
    copied = copy.read_bytes() if copy.exists() else None
    data = log.read_bytes() if log.exists() else b""
    found = scan(data)
    if copied is None:
        damage = found.damaged_line and _without_copy(log, found)
        # An earlier version made no copy.
        return Verdict(
            found=found, log_damage=damage or "", copy_damage="is gone" if found.is_sealed else ""
        )
    kept = scan(copied)
    # Nothing is whole where the log is as empty.
    is_whole = kept.data == copied and not kept.damaged_line and bool(copied or not found.data)
    if not is_whole:
        return _beside_damaged_copy(copy, found, kept, len(copied))
    if found.damaged_line or not found.data.startswith(copied):
        damage = _beside_whole_copy(log, copy, found, kept)
        return Verdict(found=found, log_damage=damage, copy_damage="")
    is_behind = f"ends after line {kept.count}, and the log goes on to line {found.count}"
    return Verdict(
        found=found, log_damage="", copy_damage="" if found.data == copied else is_behind
    )


def _without_copy(log: Path, found: Scan) -> str:
    line = found.damaged_line
    return (
        f"line {line} is not as it was written, and no copy is beside it; restore the file from a "
        f"backup of your own, or keep the lines before: `head -n {line - 1} {_quoted(log)} > "
        f"kept.jsonl && mv kept.jsonl {_quoted(log)}`"
    )


def _beside_damaged_copy(copy: Path, found: Scan, kept: Scan, size: int) -> Verdict:
    line = kept.damaged_line or kept.count + 1
    copy_damage = f"line {line} is not as it was written"
    log_damage = ""
    if found.damaged_line:
        log_damage = (
            f"line {found.damaged_line} is not as it was written, nor is line {line} of its copy "
            f"{copy}; restore the log from a backup of your own, or take from each file the lines "
            f"that are whole, and remove the copy"
        )
    elif size > len(found.data):
        # With what it has more, lines of the log may have been lost.
        log_damage = (
            f"ends after line {found.count}, its copy {copy} is longer and is damaged in line "
            f"{line}; restore the log from a backup of your own, or, if the log lacks nothing, "
            f"remove the copy"
        )
    return Verdict(found=found, log_damage=log_damage, copy_damage=copy_damage)


def _beside_whole_copy(log: Path, copy: Path, found: Scan, kept: Scan) -> str:
    """Returns what is wrong with a log that does not begin with its whole copy."""
    restore = f"`cp {_quoted(copy)} {_quoted(log)}` restores it"
    if kept.data.startswith(found.data) and not found.damaged_line:
        what = f"ends after line {found.count}" if log.exists() else "is gone"
        return f"{what}, its copy is whole and goes on to line {kept.count}: {restore}"
    line = first_difference(found.data, kept.data)
    if not found.damaged_line:
        return (
            f"line {line} is another one than in its copy {copy}, and both files are whole; keep "
            f"the one with the right decisions under both names"
        )
    if found.data.startswith(kept.data):
        line = found.damaged_line
    if found.count <= kept.count:
        return f"line {line} is not as it was written; its copy is whole: {restore}"
    return (
        f"line {line} is not as it was written, and its copy {copy}, which is whole, ends after "
        f"line {kept.count}; put together what is whole in the two, or lose what is only in the "
        f"log: {restore}"
    )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
