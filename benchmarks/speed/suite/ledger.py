"""What was measured and when: a line of JSON for each question asked, never changed afterwards."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.speed.suite.questions import Answer, Way
from hgld.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A question that was asked."""

    question: str
    options: tuple[str, ...]
    """Of its script: how large it was."""
    answer: Answer | None
    """None where it failed."""
    failed: str
    """Why it failed, empty where it did not."""
    over_the_bar: tuple[str, ...]
    """Bars of the script that were not met, which are those of the full size."""
    seconds: float
    """That asking took."""
    environment: dict[str, Json]
    """Date, commit, versions and machine (`describe_environment`)."""
    note: str
    """What else ran on the machine."""

    @property
    def commit(self) -> str:
        """The commit, as short as it is usually written; empty without a checkout."""
        return str(self.environment.get("git_commit") or "")[:10]

    @property
    def machine(self) -> str:
        """Processor, its cores, and the graphics card if there is one."""
        told = [self.environment.get("cpu"), f"{self.environment.get('cpu_cores')} cores"]
        told += [self.environment.get("gpu")] if self.environment.get("gpu") else []
        return ", ".join(map(str, told))

    def same_as(self, other: "Entry") -> bool:
        """Says whether two are of one question and size, commit, version and machine."""
        return all(
            get(self) == get(other)
            for get in (
                lambda one: (one.question, one.options, one.machine),
                lambda one: (one.environment.get("git_commit"), one.environment.get("hgld")),
            )
        )


def append_entry(path: Path, entry: Entry) -> None:
    """Appends a line.

    Raises:
        InputError: the file cannot be written.
    """
    line = json.dumps(dataclasses.asdict(entry), ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_bytes() if path.exists() else b""
        # A line that was cut short stays as it is, and harms none that follows.
        start = "" if not text or text.endswith(b"\n") else "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{start}{line}\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; name another file") from error


def read_entries(path: Path) -> tuple[list[Entry], int]:
    """Reads all lines.

    Returns:
        The entries, oldest first, and how many lines are none: cut short, or of another format.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; name another file") from error
    entries, damaged = [], 0
    for line in lines:
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, TypeError, LookupError, AttributeError):
            damaged += 1
    return entries, damaged


def _entry(content: dict[str, Any]) -> Entry:
    answer = content["answer"]
    return Entry(
        **{
            **content,
            "options": tuple(content["options"]),
            "over_the_bar": tuple(content["over_the_bar"]),
            "answer": None
            if answer is None
            else Answer(
                ours=Way(**answer["ours"]),
                baseline=None if answer["baseline"] is None else Way(**answer["baseline"]),
            ),
        }
    )
