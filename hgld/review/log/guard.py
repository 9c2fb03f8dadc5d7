"""Whether a log and its copy are as they were written, and what to do where one is not."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from hgld.review.log.chain import Scan, first_difference, scan

_GONE = "is gone"


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
    is_copied: bool
    """Whether the copy has every whole line of the log, and nothing else."""


def judge(log: Path, copy: Path) -> Verdict:
    """Compares a log with the copy of it that was made when lines were last added.

    The log may go further than the copy, by what a process added that was killed before it made
    the copy, and never less far. Neither file need be there.
    """
    # The copy first: the log may grow meanwhile, and the copy after it.
    copied, no_copy = _bytes(copy)
    data, no_log = _bytes(log)
    found = scan(data or b"")
    if copied is None:
        log_damage = _without_copy(log, found) if found.damaged_line else ""
        # An earlier version made no copy.
        copy_damage = no_copy if found.is_sealed or no_copy != _GONE else ""
        is_whole = False
    else:
        kept = found if copied == data else scan(copied)
        # Nothing is whole where the log is as empty.
        is_whole = kept.data == copied and not kept.damaged_line and bool(copied or not data)
        beside = _beside_whole_copy if is_whole else _beside_damaged_copy
        log_damage, copy_damage = beside(log, copy, found, kept)
    if data is None and no_log != _GONE:
        log_damage = f"{no_log}; make it readable, or restore it from a backup of your own"
        if is_whole:
            log_damage = f"{no_log}; make it readable, or {_restore(log, copy)}"
    return Verdict(
        found=found,
        log_damage=log_damage,
        copy_damage=copy_damage,
        is_copied=copied == found.data,
    )


def _bytes(path: Path) -> tuple[bytes | None, str]:
    """Returns what is in a file, or why that is not known."""
    try:
        return path.read_bytes(), ""
    except FileNotFoundError:
        return None, _GONE
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"


def _without_copy(log: Path, found: Scan) -> str:
    line = found.damaged_line
    return (
        f"line {line} is not as it was written, and no copy is beside it; restore the file from a "
        f"backup of your own, or keep the lines before: `head -n {line - 1} {_quoted(log)} > "
        f"kept.jsonl && mv kept.jsonl {_quoted(log)}`"
    )


def _beside_damaged_copy(log: Path, copy: Path, found: Scan, kept: Scan) -> tuple[str, str]:
    """Returns what is wrong with the two."""
    line = kept.damaged_line or kept.count + 1
    copy_damage = f"line {line} is not as it was written"
    if found.damaged_line:
        return (
            f"line {found.damaged_line} is not as it was written, nor is line {line} of its copy "
            f"{copy}; restore the log from a backup of your own, or take from each file the lines "
            f"that are whole, and remove the copy"
        ), copy_damage
    if kept.size > len(found.data):
        # With what it has more, lines of the log may have been lost.
        there = f"ends after line {found.count}" if log.exists() else _GONE
        return (
            f"{there}, its copy {copy} is longer and is damaged in line {line}; restore the log "
            f"from a backup of your own"
        ), copy_damage
    return "", copy_damage


def _beside_whole_copy(log: Path, copy: Path, found: Scan, kept: Scan) -> tuple[str, str]:
    """Returns what is wrong with the log, or how far behind the copy is."""
    if found.data.startswith(kept.data) and not found.damaged_line:
        is_behind = f"ends after line {kept.count}, and the log goes on to line {found.count}"
        return "", "" if found.data == kept.data else is_behind
    if kept.data.startswith(found.data) and not found.damaged_line:
        there = f"ends after line {found.count}" if log.exists() else _GONE
        whole = f"its copy is whole and goes on to line {kept.count}"
        return f"{there}, {whole}: {_restore(log, copy)}", ""
    line = first_difference(found.data, kept.data)
    if not found.damaged_line:
        return (
            f"line {line} is another one than in its copy {copy}, and both files are whole; keep "
            f"the one with the right decisions under both names"
        ), ""
    if found.data.startswith(kept.data):
        line = found.damaged_line
    damage = f"line {line} is not as it was written"
    if found.count <= kept.count:
        return f"{damage}; its copy is whole: {_restore(log, copy)}", ""
    return (
        f"{damage}, and its copy {copy}, which is whole, ends after line {kept.count}; put "
        f"together what is whole in the two, or lose what is only in the log: {_restore(log, copy)}"
    ), ""


def _restore(log: Path, copy: Path) -> str:
    return f"`cp {_quoted(copy)} {_quoted(log)}` restores it"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
