"""The log of a person's decisions on classes: `review/decisions.jsonl`.

One JSON object a line, appended and flushed to disk, never changed or removed by code. The last
decision on a class is in force. A class that no scrape knows any more keeps its decision: it may
come back.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from hgld.engine.config import from_mapping
from hgld.engine.files import append_bytes
from hgld.engine.workspace import Workspace
from hgld.errors import InputError

logger = logging.getLogger(__name__)

DECISIONS_FILE = "review/decisions.jsonl"

SIDES = ("natural", "human-made")

# Ends what a crash left of a line, when the next decision is appended. JSON cannot end so: a line
# that cannot be read and has no such end was damaged by something else, and is an error.
_TORN = b" #torn"


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
            ValueError: an assignment without a label, or with a side that is none.
        """
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
        return (self.action, self.hierarchical_label, self.natural_or_human_made, self.note)


def read_decisions(workspace: Workspace) -> dict[str, Decision]:
    """Returns the decision in force on each class, by `class_qid`; empty where there is no log.

    A last line that a crash left unfinished is reported as a warning and counts as not written.

    Raises:
        InputError: a line that is no decision; the text gives its number.
    """
    path = workspace.path(DECISIONS_FILE)
    if not path.exists():
        return {}
    *lines, tail = path.read_bytes().split(b"\n")
    in_force: dict[str, Decision] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.endswith(_TORN):
            decision = _parsed(line, f"{path} line {number}")
            in_force[decision.class_qid] = decision
    # Only the line feed may be missing: then the decision is whole, and counts.
    if _is_json(tail):
        decision = _parsed(tail, f"{path} line {len(lines) + 1}")
        in_force[decision.class_qid] = decision
    elif tail:
        logger.warning(
            "%s line %d was cut off by a crash and does not count; apply its sheet again",
            path,
            len(lines) + 1,
        )
    return in_force


def append_decisions(workspace: Workspace, decisions: Sequence[Decision]) -> None:
    """Appends decisions to the log and flushes it to disk; does nothing for none.

    Raises:
        InputError: the disk is full.
    """
    if not decisions:
        return
    path = workspace.path(DECISIONS_FILE)
    lines = [json.dumps(asdict(decision), ensure_ascii=False) for decision in decisions]
    data = "".join(f"{line}\n" for line in lines).encode()
    tail = path.read_bytes().rpartition(b"\n")[2] if path.exists() else b""
    if tail:
        data = (b"" if _is_json(tail) else _TORN) + b"\n" + data
    append_bytes(path, data)


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


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:  # JSON and UTF-8 errors alike
        return False
    return True


def _parsed(line: bytes, where: str) -> Decision:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); mend or remove the line") from error
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a JSON object, got {values!r}; mend or remove the line")
    present = {key: value for key, value in values.items() if value is not None}
    return from_mapping(Decision, present, where=where)
