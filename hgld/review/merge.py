"""A filled sheet merged with the log: what its reviewer changed, and where another did as well.

Each row knows how far the log went when it was exported. The decision in force then is the base:
a row that still says the same decides nothing, whatever others decided since; one that says
something else is a decision of its reviewer, unless another came first, which makes a conflict.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from hgld.errors import ConflictError, InputError
from hgld.review.log.decisions import DecisionLog
from hgld.review.log.history import Decision
from hgld.review.sheet import POSITION, read_sheet

Prefer = Literal["mine", "theirs"]
"""Whose version counts in a conflict: the sheet's, or that of the log."""

# Words, so that no spreadsheet takes it for a number or a date and writes it its own way; the piece
# of the digest tells the logs of two builds apart.
_POSITION = re.compile(r"after line (\d{1,15}) \(([0-9a-f]{12})\)")

_CELL_LIMIT = 32_767
"""Characters that Excel keeps of a cell; it cuts off the rest without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a sheet adds to the log."""

    new: dict[str, Decision]
    """By `class_qid`, in the order of the sheet."""
    unchanged: int
    """Rows with a decision that adds nothing."""
    settled: int
    """Conflicts in which the preferred version was taken."""


def position_of(log: DecisionLog) -> str:
    """Returns how far a log goes, as a cell of a sheet.

    Example:
        >>> from hgld.review.log.chain import scan
        >>> position_of(DecisionLog(found=scan(b""), events=()))
        'after line 0 (e3b0c44298fc)'
    """
    return f"after line {log.found.count} ({log.found.digests()[-1][:12]})"


def sheet_decisions(
    path: Path, labels: Mapping[str, str], reviewer: str, log: DecisionLog
) -> list[tuple[Decision, int]]:
    """Reads the decisions of a sheet, checking each row on its own.

    Args:
        path: the sheet.
        labels: `class_qid` to label of the classes that the build has.
        reviewer: who filled it in.
        log: to which the positions of its rows belong.

    Returns:
        Each decision, and the line of the log after which its row was exported.

    Raises:
        InputError: no such sheet, or a row that decides nothing clear or is not of this build; the
            text names it.
    """
    decided_at = datetime.now(UTC).isoformat(timespec="seconds")
    digests = log.found.digests()
    decisions: list[tuple[Decision, int]] = []
    seen: set[str] = set()
    for number, row in read_sheet(path):
        qid = row["class_qid"]
        where = f"{path} row {number} ({qid})"
        if qid not in labels:
            raise InputError(
                f"{where}: the build has no class {qid!r}; export a new sheet, or remove the row"
            )
        if row["class_label"] != labels[qid]:
            raise InputError(
                f"{where}: class_label must be {labels[qid]!r}, got {row['class_label']!r}; were "
                f"columns sorted apart? export a new sheet to compare"
            )
        if qid in seen:
            raise InputError(f"{where}: the class has another row above; keep one")
        seen.add(qid)
        try:
            line = _line(row[POSITION], digests)
            decision = _row_decision(row, decided_at, reviewer)
        except ValueError as error:
            raise InputError(f"{where}: {error}; nothing was applied") from error
        if decision is not None:
            decisions.append((decision, line))
    return decisions


def merge(
    decided: Iterable[tuple[Decision, int]], log: DecisionLog, prefer: Prefer | None
) -> Merged:
    """Tells what is new in a sheet from what the log had when it was exported, or has got since.

    Args:
        decided: the decisions of the sheet, each with the line it was exported after.
        log: as it is now.
        prefer: whose version counts in a conflict; None: neither.

    Raises:
        ConflictError: both changed a class differently, and neither is preferred.
        InputError: a text that is new and too long.
    """
    now, then = log.in_force(), cache(log.in_force)
    new: dict[str, Decision] = {}
    conflicts: list[tuple[Decision, Decision]] = []
    unchanged = 0
    for mine, line in decided:
        base, theirs = then(line).get(mine.class_qid), now.get(mine.class_qid)
        if _is_same(mine, base) or _is_same(mine, theirs):
            unchanged += 1
            continue
        _check_lengths(mine)
        if theirs is not None and not _is_same(theirs, base):
            conflicts.append((mine, theirs))
            if prefer != "mine":
                continue
        new[mine.class_qid] = mine
    if conflicts and prefer is None:
        rows = "1 row was" if len(conflicts) == 1 else f"{len(conflicts)} rows were"
        raise ConflictError(
            f"{rows} changed in the sheet and, since its export, in the log; nothing was applied: "
            f"--mine takes the sheet's versions, --theirs those of the log, the rest is applied "
            f"with either",
            [_conflict(*pair) for pair in conflicts],
        )
    return Merged(new=new, unchanged=unchanged, settled=len(conflicts))


def _line(position: str, digests: Sequence[str]) -> int:
    """Returns the line of the log that a row was exported after.

    Raises:
        ValueError: it is none of this log.
    """
    match = _POSITION.fullmatch(position.strip())
    if match is None:
        raise ValueError(
            f"{POSITION} must be as it was exported, such as 'after line 0 ({digests[0][:12]})', "
            f"got {position!r}; export a new sheet and copy over what you changed"
        )
    line = int(match[1])
    if line >= len(digests):
        what = f"the log ends after line {len(digests) - 1}"
    elif not digests[line].startswith(match[2]):
        what = "the log has another line there"
    else:
        return line
    raise ValueError(
        f"{POSITION} is {position!r}, but {what}: the sheet is of another build, or the log is not "
        f"what it was; export a new sheet"
    )


def _row_decision(row: Mapping[str, str], decided_at: str, reviewer: str) -> Decision | None:
    """Returns what a row decides, or None where it is left blank.

    Raises:
        ValueError: it decides nothing clear.
    """
    action, side = row["action"].strip(), row["natural_or_human_made"].strip()
    # Kept as it is: a published super-category really ends in a space.
    label = row["hierarchical_label"]
    common: dict[str, Any] = {
        "decided_at": decided_at,
        "reviewer": reviewer,
        "class_qid": row["class_qid"],
        "class_label": row["class_label"],
        "note": row["note"],
    }
    if action == "ignore":
        return Decision(action="ignore", **common)
    if action not in ("", "assign"):
        raise ValueError(f"action must be assign, ignore or blank, got {action!r}; choose one")
    if not action and not label.strip():
        if side or row["note"].strip():
            raise ValueError(
                "natural_or_human_made or note is filled in, but nothing is decided; add a "
                "hierarchical_label or the action ignore, or clear them"
            )
        return None
    return Decision(action="assign", hierarchical_label=label, natural_or_human_made=side, **common)


def _is_same(one: Decision, other: Decision | None) -> bool:
    """Says whether two decisions have the same content, however a spreadsheet breaks lines."""
    return other is not None and _unbroken(one) == _unbroken(other)


def _unbroken(decision: Decision) -> list[str | None]:
    return [text and "\n".join(re.split("\r\n|\r|\n", text)) for text in decision.content]


def _check_lengths(decision: Decision) -> None:
    for name, text in (
        ("hierarchical_label", decision.hierarchical_label),
        ("note", decision.note),
    ):
        if len(text or "") > _CELL_LIMIT:
            raise InputError(
                f"{decision.class_qid}: {name} must have at most {_CELL_LIMIT:,} characters, as "
                f"many as spreadsheets keep of a cell, got {len(text or ''):,}; shorten it; "
                f"nothing was applied"
            )


def _conflict(mine: Decision, theirs: Decision) -> str:
    return (
        f"{mine.class_qid} {mine.class_label!r}: the sheet has {_words(mine)}; the log has "
        f"{_words(theirs)}, of {theirs.reviewer!r} at {theirs.decided_at}"
    )


def _words(decision: Decision) -> str:
    words: str = decision.action
    if decision.action == "assign":
        words += f" {decision.hierarchical_label!r} {decision.natural_or_human_made}"
    return f"{words}, note {decision.note!r}" if decision.note else words
