"""Stage `review`: a sheet with a row for each class, and what a person decided in it.

`export_sheet` writes the sheet, a person fills it in, `apply_sheet` merges it (`hgld.review.merge`)
and appends its decisions to the log (`hgld.review.log.decisions`), and the stage turns proposals
and log into the taxonomy. Several reviewers may have a sheet at once.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, InputError
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    append_decisions,
    labels_in_use,
    log_lock,
    read_log,
)
from hgld.review.log.events import label_key
from hgld.review.log.history import Decision
from hgld.review.merge import Prefer, merge, position_of, sheet_decisions
from hgld.review.sheet import FILLED_IN, POSITION, SHOWN, write_sheet
from hgld.tables import PROPOSALS, TAXONOMY, qid_number

STAGE = Stage(
    name="review",
    version=1,
    inputs=(PROPOSALS,),
    input_files=(DECISIONS_FILE,),
    outputs=(TAXONOMY,),
)


_UNSEEN = {"accept": "proposed", "ignore": "proposed_ignore", "ask": "undecided"}
"""What becomes of a class that no person looked at, by the action that is proposed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConfig:
    """Settings of the stage."""

    accept_proposals: bool = setting(
        False,
        "Whether the proposal for a class counts where no person decided; one that says to ask "
        "leaves the class undecided.",
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What `apply_sheet` did."""

    appended: int
    """Decisions that are new or differ from the one in force."""
    unchanged: int
    """Rows with a decision that are as they were exported, or say what is in force."""
    undecided: int
    """Classes that have no decision yet, in the sheet or out of it."""
    settled: int = 0
    """Conflicts in which the preferred version was taken."""


def run_review(workspace: Workspace, config: ReviewConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `propose` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log is not as it was written; nothing is made of what is left of it.
        InputError: a line of it is no decision.
        AwaitingReviewError: undecided classes, and their proposals are not accepted.
    """
    # Before the stage is found up to date: a log that is not whole is told at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
        log = read_log(workspace, mend=True).in_force()
        return run_stage(
            workspace,
            STAGE,
            row_settings(config),
            lambda writer: _produce(workspace, config, log, writer),
        )


def export_sheet(workspace: Workspace, path: Path) -> int:
    """Writes the sheet: CSV, a row for each class, by cluster and descending landmarks.

    A class that has a decision shows it. Each row says how far the log went, so that applying it
    finds what was changed in it, and what in the log meanwhile. Cells that a spreadsheet would run
    as a formula get an apostrophe before them, which `apply_sheet` takes off again.

    Args:
        workspace: a build whose `propose` has finished.
        path: where to; must not exist.

    Returns:
        The number of rows.

    Raises:
        InputError: the file exists.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    if path.exists():
        raise InputError(
            f"{path} exists and may hold decisions; apply it with "
            f"{workspace.command(f'review --apply {shlex.quote(str(path))} --reviewer NAME')}, or "
            f"export to another file"
        )
    rows, log = workspace.read(PROPOSALS).to_pylist(), read_log(workspace)
    position, decisions = position_of(log), log.in_force()
    rows.sort(key=lambda row: (row["cluster_id"], -row["landmarks"], qid_number(row["class_qid"])))
    write_sheet(path, (_sheet_row(row, decisions.get(row["class_qid"]), position) for row in rows))
    return len(rows)


def apply_sheet(
    workspace: Workspace, path: Path, reviewer: str, *, prefer: Prefer | None = None
) -> Applied:
    """Appends a sheet's decisions to the log: all of them, or none where one row has an error.

    A row that is as it was exported decides nothing, also where another reviewer's sheet has
    changed the decision since; one that both changed differently is a conflict.

    A row with the action `assign` needs hierarchical_label and natural_or_human_made; one with
    `ignore` needs nothing; one with a blank action is an assignment where hierarchical_label is
    filled in, and otherwise decides nothing: a decision in force stays. Rows may be missing or
    in another order. Rows that say what is in force append nothing.

    Args:
        workspace: a build whose `propose` has finished; the caller holds its lock, where another
            process may write to it.
        path: a sheet of `export_sheet`, filled in.
        reviewer: who decided.
        prefer: whose version counts in a conflict, the sheet's (mine) or that of the log (theirs);
            None applies nothing where there is one.

    Returns:
        The counts.

    Raises:
        InputError: no reviewer, no such sheet, other columns, a class that the build does not
            have, a row that decides nothing clear, or a sheet of another log; the text names the
            row.
        ConflictError: the sheet and the log changed a class differently since the export.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    if not reviewer.strip():
        raise InputError("reviewer must not be blank: decisions are kept with who made them")
    labels = {
        row["class_qid"]: row["class_label"]
        for row in workspace.read(PROPOSALS, ["class_qid", "class_label"]).to_pylist()
    }
    log = read_log(workspace, mend=True)
    merged = merge(sheet_decisions(path, labels, reviewer.strip(), log), log, prefer)
    new, in_force = merged.new, log.in_force()
    after = {qid: decision for qid, decision in in_force.items() if qid in labels} | new
    # The sheet's own first: of two that clash, the text then names the sheet's.
    try:
        labels_in_use([*new.values(), *after.values()])
    except InputError as error:
        raise InputError(f"{path}: {error}; nothing was applied") from error
    append_decisions(workspace, list(new.values()))
    return Applied(
        appended=len(new),
        unchanged=merged.unchanged,
        settled=merged.settled,
        undecided=len(labels) - len(after),
    )


def _sheet_row(
    row: Mapping[str, object], decision: Decision | None, position: str
) -> dict[str, object]:
    shown = {name: row[name] for name in SHOWN} | {POSITION: position}
    return shown | (dict(zip(FILLED_IN, decision.content, strict=True)) if decision else {})


def _produce(
    workspace: Workspace, config: ReviewConfig, log: Mapping[str, Decision], writer: StageWriter
) -> None:
    proposals = workspace.read(PROPOSALS).to_pylist()
    decisions = {row["class_qid"]: log.get(row["class_qid"]) for row in proposals}
    decided = [decision for decision in decisions.values() if decision is not None]
    undecided = len(proposals) - len(decided)
    used = labels_in_use(decided)
    if undecided and not config.accept_proposals:
        root = shlex.quote(str(workspace.root))
        raise AwaitingReviewError(
            f"{undecided} of {len(proposals)} classes are undecided; `hgld review --root {root} "
            f"--export sheet.csv`, fill in the sheet, `hgld review --root {root} --apply sheet.csv "
            f"--reviewer NAME`, and run this again; or go on without a person: --accept-proposals"
        )
    labels = {
        key: (decision.hierarchical_label, decision.natural_or_human_made)
        for key, decision in used.items()
    }
    rows = [
        _decided_row(row, decision) if decision else _proposed_row(row, labels)
        for row, decision in zip(proposals, decisions.values(), strict=True)
    ]
    writer.write(TAXONOMY, "taxonomy", pa.Table.from_pylist(rows, schema=TAXONOMY.schema))


def _decided_row(row: Mapping[str, Any], decision: Decision) -> dict[str, object]:
    return {
        **_class_of(row),
        "decision": "assigned" if decision.action == "assign" else "ignored",
        "hierarchical_label": decision.hierarchical_label,
        "natural_or_human_made": decision.natural_or_human_made,
        "reviewer": decision.reviewer,
    }


def _proposed_row(
    row: Mapping[str, Any], labels: dict[str, tuple[str | None, str | None]]
) -> dict[str, object]:
    """Accepts a proposal; one that names a super-category in use takes its spelling and side."""
    action, label, side = row["proposed_action"], None, None
    if action == "accept":
        proposal = (row["proposed_label"], row["proposed_natural_or_human_made"])
        label, side = labels.setdefault(label_key(row["proposed_label"]), proposal)
    return {
        **_class_of(row),
        "decision": _UNSEEN[action],
        "hierarchical_label": label,
        "natural_or_human_made": side,
        "reviewer": None,
    }


def _class_of(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("class_qid", "class_label", "landmarks")}
