"""The log of persons' decisions on classes: `review/decisions.jsonl`.

One JSON object a line, appended and flushed to disk, never changed or removed by code. The last
decision on a class is in force. A class that no scrape knows any more keeps its decision: it may
come back. Each line has its number and a checksum of all before it (`hgld.review.chain`), and a
copy lies beside the log: what a person decided cannot be made again, so that nothing is read from a
log that is not as it was written.
"""

import contextlib
import dataclasses
import json
import logging
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.config import from_mapping
from hgld.engine.files import append_bytes, atomic_file
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError
from hgld.review.chain import Scan, scan, sealed
from hgld.review.guard import Verdict, judge
from hgld.tables import TAXONOMY

logger = logging.getLogger(__name__)

DECISIONS_FILE = "review/decisions.jsonl"
DECISIONS_COPY = "review/decisions.backup.jsonl"
"""Every whole line of the log, made anew each time that lines are added."""

_CUT_OFF = "was cut off by a crash and does not count; apply its sheet again"

SIDES = ("natural", "human-made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided on a class."""

    decided_at: str
    """ISO 8601, UTC."""
    reviewer: str
    class_qid: str
    class_label: str
    """As it was when the decision was made; the Q-id is what counts."""
    action: Literal["assign", "ignore"]
    hierarchical_label: str | None = None
    """The super-category; null where the class is ignored."""
    natural_or_human_made: str | None = None
    """Null where the class is ignored."""
    note: str = ""

    def __post_init__(self) -> None:
        """Checks the decision.

        Raises:
            ValueError: an assignment without a label, or with a side that is none, or text that is
                no Unicode.
        """
        for name in self.__slots__:
            try:
                (getattr(self, name) or "").encode()
            except UnicodeEncodeError as error:  # half a surrogate pair, from a shell's argument
                raise ValueError(
                    f"{name} must be text that UTF-8 can hold, got {getattr(self, name)!r}; write "
                    f"it anew"
                ) from error
        if self.action == "ignore":
            return
        if not (self.hierarchical_label or "").strip():
            raise ValueError("assign needs a hierarchical_label; fill it in, or choose ignore")
        if self.natural_or_human_made not in SIDES:
            raise ValueError(
                f"natural_or_human_made must be natural or human-made for an assigned class, got "
                f"{self.natural_or_human_made or 'nothing'!r}; write one of the two"
            )

    @property
    def content(self) -> tuple[str | None, ...]:
        """What was decided, without when and by whom."""
        if self.action == "ignore":
            return (self.action, None, None, self.note)
        return (self.action, self.hierarchical_label, self.natural_or_human_made, self.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """The log as it was read: whole."""

    found: Scan
    decisions: tuple[tuple[int, Decision], ...]
    """Each with the number of its line."""

    def in_force(self, line: int | None = None) -> dict[str, Decision]:
        """Returns the decision in force on each class, by `class_qid`.

        Args:
            line: as of this line; None: now.
        """
        end = self.found.count if line is None else line
        return {one.class_qid: one for number, one in self.decisions if number <= end}


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
    decisions = tuple(
        (number, _parsed(text, f"{path} line {number}")) for number, text in found.lines
    )
    if verdict.copy_damage:
        when = "it is made again" if mend else "the next `hgld review` makes it again"
        logger.warning("%s %s; %s", workspace.path(DECISIONS_COPY), verdict.copy_damage, when)
    if found.tail:
        logger.warning("%s line %d %s", path, found.count + 1, _CUT_OFF)
    if mend and found.mended:
        if found.missing:
            append_bytes(path, found.missing)
        if found.tail or not verdict.is_copied:
            _copy(workspace, found.mended)
        found = scan(found.mended)
    return DecisionLog(found=found, decisions=decisions)


def read_decisions(workspace: Workspace) -> dict[str, Decision]:
    """Returns the decision in force on each class, by `class_qid`; empty where there is no log.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision; the text gives its number.
    """
    return read_log(workspace).in_force()


def append_decisions(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    """Appends decisions to the log, flushes it to disk, and copies it; does nothing for none.

    Args:
        workspace: a build whose lock the caller holds, where another process may write to it.
        decisions: in their order.

    Raises:
        DamagedError: the log is not as it was written; the text says what to do.
        InputError: a line is no decision, or the disk is full.
    """
    if not decisions:
        return
    data = read_log(workspace, mend=True).found.data
    lines = sealed(data, map(asdict, decisions))
    append_bytes(workspace.path(DECISIONS_FILE), lines)
    _copy(workspace, data + lines)


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
        again = "" if verdict.log_damage else f"; {workspace.command('review')} makes it again"
        damages.append(Damage(DECISIONS_COPY, f"{verdict.copy_damage}{again}"))
    return damages


def label_key(label: str) -> str:
    """Returns what two spellings of one super-category have in common: no case, single spaces."""
    return " ".join(label.split()).casefold()


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
    return f"{decision.class_qid} ({decision.class_label})"


def _judged(workspace: Workspace) -> Verdict:
    """Holds the log against its copy, and against what the last review made of it."""
    verdict = judge(workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY))
    damage = verdict.log_damage or _missed_by_review(workspace, verdict.found)
    if damage and not verdict.found.damaged_line:
        places = (
            workspace.path(DECISIONS_COPY),
            workspace.path(TAXONOMY.path),
            workspace.manifest_path(TAXONOMY.stage),
        )
        remove = shlex.join(["rm", "-rf", *map(str, places)])
        damage += f"; if the log is right as it is, `{remove}` makes it count"
    return dataclasses.replace(verdict, log_damage=damage)


def _missed_by_review(workspace: Workspace, found: Scan) -> str:
    """Returns what the last review read in the log that is not in it, also where the copy is gone.

    Without this a build whose folder `review` was emptied would go on with a machine's proposals.
    """
    done = workspace.manifest(TAXONOMY.stage)
    if done is not None:
        digest = done.inputs.get(DECISIONS_FILE, "absent")
        is_lost = digest != "absent" and not found.grew_from(digest)
    else:
        decided = _decided(workspace)
        is_lost = bool(decided) and not decided <= {_qid(text) for _, text in found.lines}
    if not is_lost:
        return ""
    if workspace.path(DECISIONS_FILE).exists():
        what = (
            f"ends after line {found.count} and lacks decisions that the last review read, or has "
            f"others in their place"
        )
    else:
        what = "is gone, and so is its copy, and the last review read decisions in it"
    return f"{what}; restore it from a backup of your own"


def _decided(workspace: Workspace) -> set[str]:
    """Returns the classes that the taxonomy says a person decided, finished or not."""
    qids: set[str] = set()
    for path in workspace.shards(TAXONOMY):
        try:
            table = pq.read_table(path, columns=["class_qid", "reviewer"], partitioning=None)
            rows = table.to_pylist()
        except (pa.ArrowException, OSError, ValueError):  # damaged: its stage makes it again
            continue
        qids.update(row["class_qid"] for row in rows if row["reviewer"] is not None)
    return qids


def _copy(workspace: Workspace, data: bytes) -> None:
    with atomic_file(workspace.path(DECISIONS_COPY)) as temporary:
        temporary.write_bytes(data)


def _parsed(text: bytes, where: str) -> Decision:
    values = json.loads(text)
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a JSON object, got {values!r}; mend or remove the line")
    present = {
        key: value
        for key, value in values.items()
        if value is not None and key not in {"number", "chain"}
    }
    if "chain" in values:  # checked when it was written, and so several times faster
        with contextlib.suppress(TypeError, ValueError):  # but not by the rules of another version
            return Decision(**present)
    return from_mapping(Decision, present, where=where)


def _qid(text: bytes) -> str:
    values = json.loads(text)
    return str(values.get("class_qid")) if isinstance(values, Mapping) else ""
