"""The log of persons' decisions on classes: `review/decisions.jsonl`.

One JSON object a line, appended and flushed to disk, never changed or removed by code. A line is an
event (`hgld.review.log.events`) or, as earlier versions wrote them, one decision on one class. The
last edit on a class that counts is in force (`hgld.review.log.history`). A class that no scrape
knows any more keeps its decision: it may come back. Each line has its number and a checksum of all
before it (`hgld.review.log.chain`), and a copy lies beside the log: what a person decided cannot be
made again, so that nothing is read from a log that is not as it was written.
"""

import contextlib
import dataclasses
import fcntl
import json
import logging
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from hgld.engine.config import from_mapping
from hgld.engine.files import atomic_file, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError, WorkspaceBusyError
from hgld.review.log.appending import append_lines
from hgld.review.log.chain import Scan, scan, sealed
from hgld.review.log.events import Change, Event, event_content, event_of, label_key
from hgld.review.log.guard import Verdict, judge
from hgld.review.log.history import Decision, Standing, standing_of
from hgld.review.log.missed import missed_by_review
from hgld.review.log.texts import harmless, zoned_time
from hgld.tables import TAXONOMY

logger = logging.getLogger(__name__)

DECISIONS_FILE = "review/decisions.jsonl"
DECISIONS_COPY = "review/decisions.backup.jsonl"
"""Every whole line of the log; it follows the log each time that lines are added."""

_CUT_OFF = "was cut off by a crash and does not count; do again what it said"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """The log as it was read: whole."""

    found: Scan
    events: tuple[Event, ...]
    """In the order of their numbers, which are those of their lines."""

    def standing(self, line: int | None = None) -> Standing:
        """Returns what the edits that count come to.

        Args:
            line: as of this line; None: now.
        """
        return standing_of(self.events, line)

    def in_force(self, line: int | None = None) -> dict[str, Decision]:
        """Returns the decision in force on each class, by `class_qid`.

        Args:
            line: as of this line; None: now.
        """
        return self.standing(line).decisions()


@contextlib.contextmanager
def log_lock(workspace: Workspace, *, wait_s: float = 30.0) -> Iterator[None]:
    """Keeps every other process from adding to the log; waits for one that does.

    It is apart from the lock of the workspace, so that persons decide while a stage runs.

    Raises:
        WorkspaceBusyError: another process holds it all the while.
    """
    path = workspace.path("review/.log.lock")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab", buffering=0)
    with file:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise WorkspaceBusyError(
                        f"{workspace.path(DECISIONS_FILE)} is being written by another process for "
                        f"{wait_s:.0f} s; wait for it and try again"
                    ) from error
                time.sleep(0.01)
        yield


def read_log(workspace: Workspace, *, mend: bool = False) -> DecisionLog:
    """Reads the log; one that is not there, and never was, holds no decision.

    A last line that a crash left unfinished is reported as a warning and counts as not written.

    Args:
        workspace: a build.
        mend: whether a line left unfinished is ended, and a copy that is not whole made again; for
            a caller that holds the lock of the workspace.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision, or the disk is full.
    """
    path, verdict = workspace.path(DECISIONS_FILE), _judged(workspace)
    found = verdict.found
    if verdict.log_damage:
        raise DamagedError(f"{path} {verdict.log_damage}")
    events = tuple(
        parse_event(text, number, f"{path} line {number}") for number, text in found.lines
    )
    if verdict.copy_damage:
        when = "it is made again" if mend else "the next `hgld review --settle` makes it again"
        logger.warning("%s %s; %s", workspace.path(DECISIONS_COPY), verdict.copy_damage, when)
    if found.tail:
        logger.warning("%s line %d %s", path, found.count + 1, _CUT_OFF)
    if mend and found.mended:
        if found.missing:
            append_lines(path, found.missing)
        if found.tail or not verdict.is_copied:
            copy_log(workspace, found.mended)
        found = scan(found.mended) if found.missing else found
    return DecisionLog(found=found, events=events)


def read_decisions(workspace: Workspace) -> dict[str, Decision]:
    """Returns the decision in force on each class, by `class_qid`; empty where there is no log.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision; the text gives its number.
    """
    return read_log(workspace).in_force()


def append_decisions(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    """Appends decisions, a line each, flushes the log, and copies it; does nothing for none.

    All are appended, or none where that fails; where only the copy fails they are in the log, and
    the copy is made when the log is next read to be written to.

    Args:
        workspace: a build whose `log_lock` the caller holds, where another process may write to it.
        decisions: in their order.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision, or the disk is full.
    """
    _append(workspace, [asdict(each) for each in decisions])


def append_event(workspace: Workspace, event: Event) -> None:
    """Appends an event, flushes the log to disk, and copies it.

    A page, which appends many, keeps the log open instead (`hgld.review.log.opened`).

    Args:
        workspace: a build whose `log_lock` the caller holds, where another process may write to it.
        event: any number; it gets that of its line.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision, or the disk is full.
    """
    _append(workspace, [event_content(event)])


def check_decisions(workspace: Workspace) -> list[Damage]:
    """Returns what is not as it was written, of the log and its copy, and changes nothing.

    Each text says what to do. `read_decisions` raises the same, where it is the log.
    """
    verdict = _judged(workspace)
    damages = []
    if verdict.log_damage:
        damages.append(Damage(DECISIONS_FILE, verdict.log_damage))
    elif verdict.found.tail:
        damages.append(Damage(DECISIONS_FILE, f"line {verdict.found.count + 1} {_CUT_OFF}"))
    if verdict.copy_damage:
        settle = workspace.command("review --settle")
        again = "" if verdict.log_damage else f"; {settle} makes it again"
        damages.append(Damage(DECISIONS_COPY, f"{verdict.copy_damage}{again}"))
    return damages


def labels_in_use(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Returns one assignment for each super-category, by `label_key`.

    Raises:
        InputError: one super-category spelt in two ways, or natural for one class and human-made
            for another.
    """
    used: dict[str, Decision] = {}
    for decision in decisions:
        if decision.hierarchical_label is None or decision.action == "ignore":
            continue
        first = used.setdefault(label_key(decision.hierarchical_label), decision)
        if first.hierarchical_label != decision.hierarchical_label:
            raise InputError(
                f"{_named(decision)} has hierarchical_label {decision.hierarchical_label!r} and "
                f"{_named(first)} {first.hierarchical_label!r}; use one spelling"
            )
        if first.natural_or_human_made != decision.natural_or_human_made:
            raise InputError(
                f"hierarchical_label {decision.hierarchical_label!r} is "
                f"{decision.natural_or_human_made} for {_named(decision)} and "
                f"{first.natural_or_human_made} for {_named(first)}; choose one for all"
            )
    return used


def _named(decision: Decision) -> str:
    return f"{harmless(decision.class_qid)} ({harmless(decision.class_label)})"


def _judged(workspace: Workspace) -> Verdict:
    """Holds the log against its copy, and against what the last review made of it."""
    verdict = judge(workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY))
    damage = verdict.log_damage or missed_by_review(workspace, DECISIONS_FILE, verdict.found)
    if damage and not verdict.found.damaged_line:
        places = (
            workspace.path(DECISIONS_COPY),
            workspace.path(TAXONOMY.path),
            workspace.manifest_path(TAXONOMY.stage),
        )
        remove = shlex.join(["rm", "-rf", *map(str, places)])
        damage += f"; if the log is right as it is, `{remove}` makes it count"
    return dataclasses.replace(verdict, log_damage=damage)


def _append(workspace: Workspace, contents: Sequence[Mapping[str, object]]) -> None:
    if not contents:
        return
    data = read_log(workspace, mend=True).found.data
    lines = sealed(data, contents)
    # Before they are written: a line that cannot be read back would close the log to all.
    for number, text in enumerate(lines.split(b"\n")[:-1], start=data.count(b"\n") + 1):
        parse_event(text, number, f"{workspace.path(DECISIONS_FILE)} line {number}")
    append_lines(workspace.path(DECISIONS_FILE), lines)
    copy_log(workspace, data + lines)


def copy_log(workspace: Workspace, data: bytes) -> None:
    """Makes the copy of the log anew, of all its bytes."""
    path = workspace.path(DECISIONS_COPY)
    with writing(path), atomic_file(path) as temporary:
        temporary.write_bytes(data)


def parse_event(text: bytes, number: int, where: str) -> Event:
    """Reads a line of the log. A time without its zone is one of UTC.

    Args:
        text: without its line feed.
        number: of the line.
        where: the line in words, for an error.

    Raises:
        InputError: it is neither an event nor a decision, or nobody can tell when it was.
    """
    event = parse_foreign_event(text, number, where)
    try:
        at = zoned_time(event.decided_at)
    except ValueError as error:
        raise InputError(
            f"{where} is no event: {error}; restore the log from a backup of your own, or keep the "
            f"lines before it alone, `head -n {number - 1}`, in the log and in its copy"
        ) from error
    return event if at == event.decided_at else dataclasses.replace(event, decided_at=at)


def parse_foreign_event(text: bytes, number: int, where: str) -> Event:
    """Reads a line of another log, whose time is as it is written; takes what `parse_event` does.

    Raises:
        InputError: it is neither an event nor a decision.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); mend or remove the line") from error
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a JSON object, got {values!r}; mend or remove the line")
    if "event" in values:
        return event_of({**values, "number": number}, where)
    present = {
        key: value
        for key, value in values.items()
        if value is not None and key not in {"number", "chain"}
    }
    if "chain" in values:  # checked when it was written, and so several times faster
        with contextlib.suppress(TypeError, ValueError):  # but not by the rules of another version
            return _as_event(Decision(**present), number)
    missing = [name for name in _NEEDED if name not in present]
    if missing and present.keys() <= {one.name for one in dataclasses.fields(Decision)}:
        raise InputError(
            f"{where}: no event, which has the key event, and as a decision it has "
            f"{', '.join(missing)} missing; mend or remove the line"
        )
    try:
        return _as_event(from_mapping(Decision, present, where=where), number)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}; mend or remove the line") from error


_NEEDED = [one.name for one in dataclasses.fields(Decision) if one.default is dataclasses.MISSING]


def _as_event(decision: Decision, number: int) -> Event:
    return Event(
        event="decision",
        number=number,
        decided_at=decision.decided_at,
        # A log of an earlier version may lack the name.
        reviewer=decision.reviewer if decision.reviewer.strip() else "unknown",
        changes=(
            Change(
                classes={decision.class_qid: decision.class_label},
                effect=decision.action,
                hierarchical_label=decision.hierarchical_label,
                natural_or_human_made=decision.natural_or_human_made,
                note=decision.note,
            ),
        ),
    )
