"""Classes to review, and a person's hand on the sheet."""

import csv
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hgld.engine.workspace import Manifest, Workspace
from hgld.review.applying import Applied, ApplyChoices, Prefer, apply_file
from hgld.review.exporting import export_file
from hgld.review.log.decisions import DECISIONS_COPY, DECISIONS_FILE
from hgld.review.sheet import COLUMNS
from hgld.review.stage import ReviewConfig, run_review
from tests.worlds.builders import write_proposals

CLASSES = [
    {"class_qid": "Q16970", "class_label": "church building", "landmarks": 9},
    {"class_qid": "Q9", "class_label": "=HYPERLINK(1)", "landmarks": 2},
    {"class_qid": "Q10", "class_label": "chapel", "landmarks": 2},
    {
        "class_qid": "Q23397",
        "class_label": "lake",
        "landmarks": 4,
        "cluster_id": 1,
        "proposed_label": "lake",
        "proposed_natural_or_human_made": "natural",
        "runner_up": "ocean area ",
        "runner_up_confidence": 0.1,
    },
]


def named(label: str, side: str) -> dict[str, str]:
    """Returns the cells that give a class a super-category."""
    return {"hierarchical_label": label, "natural_or_human_made": side}


ASSIGN = {"action": "assign"}
IGNORE = {"action": "ignore"}
CLEAR = {"action": "clear"}
CHURCH = ASSIGN | named("church", "human-made")
MUSEUM = ASSIGN | named("museum", "human-made")
LAKE = named("ocean area ", "natural")
PROPOSE = ReviewConfig(accept_proposals=True)
"""What would fill a lost decision in."""
NOTE = IGNORE | {"note": "see\nQ5"}
ALL = {"Q16970": CHURCH, "Q9": IGNORE, "Q10": CHURCH, "Q23397": LAKE}


def fill_in(workspace: Workspace, cells: Mapping[str, Mapping[str, str]]) -> Path:
    """Exports a sheet and fills in cells, as a person would: by Q-id, column and text."""
    number = len(list(workspace.root.glob("sheet-*.csv")))
    path = workspace.root / f"sheet-{number}.csv"
    export_file(workspace, path)
    rows = rows_of(path)
    for row in rows:
        row.update(cells.get(row["class_qid"], {}))
    write_rows(path, rows)
    return path


def apply_sheet(
    workspace: Workspace, path: Path, reviewer: str, *, prefer: Prefer | None = None
) -> Applied:
    """Applies a file, with no choice made but that of a conflict."""
    return apply_file(workspace, path, reviewer, ApplyChoices(prefer=prefer))


def decide(
    workspace: Workspace, cells: Mapping[str, Mapping[str, str]], reviewer: str = "ann"
) -> Applied:
    """Exports a sheet, fills it in, and applies it."""
    return apply_sheet(workspace, fill_in(workspace, cells), reviewer)


def write_reviewed(workspace: Workspace) -> Workspace:
    """Writes a build whose classes are decided by five lines, but for one; returns it."""
    write_proposals(workspace, CLASSES)
    note = {"note": "née\n“x”"}
    decide(workspace, {"Q16970": CHURCH})
    decide(workspace, {"Q9": IGNORE})
    decide(workspace, {"Q9": CHURCH | note}, "bob")
    decide(workspace, {"Q23397": LAKE})
    decide(workspace, {"Q9": IGNORE | note})
    run_review(workspace, PROPOSE)
    return workspace


def rows_of(path: Path) -> list[dict[str, str]]:
    """Reads a sheet, formula escapes and all."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Writes a sheet as a spreadsheet does: no byte order mark."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def log_of(workspace: Workspace) -> Path:
    """Returns where the log of decisions lies."""
    return workspace.path(DECISIONS_FILE)


def copy_of(workspace: Workspace) -> Path:
    """Returns where its copy lies."""
    return workspace.path(DECISIONS_COPY)


def finished(workspace: Workspace) -> Manifest:
    """Returns what the finished review wrote down."""
    manifest = workspace.manifest("review")
    assert manifest is not None
    return manifest


def type_command(text: str, name: str) -> None:
    """Runs a command that an error tells, as a person would."""
    (command,) = re.findall(rf"`({name} [^`]*)`", text)
    subprocess.run(["bash", "-c", command], check=True)


def flip(data: bytes, place: int, bit: int) -> bytes:
    """Returns data with a bit of a byte flipped."""
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
