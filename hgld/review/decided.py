"""Stage `decided`: what is in force of the log as tables, for the rooms that know of no log."""

import pyarrow as pa

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.review.fills import fill_rulings
from hgld.review.log.decisions import DECISIONS_FILE, log_lock, read_log
from hgld.review.log.history import Standing
from hgld.review.status import note_known_classes
from hgld.tables import DECIDED, FILL_DECISIONS, qid_number

STAGE = Stage(
    name="decided", version=2, input_files=(DECISIONS_FILE,), outputs=(DECIDED, FILL_DECISIONS)
)


def run_decided(workspace: Workspace) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build; where no log is there, nothing is decided.

    Returns:
        The report; `rows` counts classes with a decision, and what was said of guesses.

    Raises:
        DamagedError: the log is not as it was written; nothing is made of what is left of it.
        InputError: a line of it is no decision.
    """
    # Before the stage is found up to date: a log that is not whole is told at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
        log = read_log(workspace, mend=True)
        note_known_classes(workspace, log)  # proposals are made of what is decided, and so after it
        standing = log.standing()
        return run_stage(workspace, STAGE, {}, lambda writer: _produce(standing, writer))


def _produce(standing: Standing, writer: StageWriter) -> None:
    log = standing.decisions()
    rows = [
        {
            "class_qid": qid,
            "class_label": log[qid].class_label,
            **dict(zip(_CONTENT, log[qid].content[:3], strict=True)),
        }
        for qid in sorted(log, key=qid_number)
    ]
    writer.write(DECIDED, "decided", pa.Table.from_pylist(rows, schema=DECIDED.schema))
    rulings = fill_rulings(standing)
    said = [
        {
            "category": one.category,
            "action": one.action,
            "hierarchical_label": one.hierarchical_label,
            "natural_or_human_made": one.natural_or_human_made,
            "reviewer": one.word.event.reviewer,
        }
        for category in sorted(rulings)
        for one in rulings[category].rows()
    ]
    table = pa.Table.from_pylist(said, schema=FILL_DECISIONS.schema)
    writer.write(FILL_DECISIONS, "fill_decisions", table)


_CONTENT = ("action", "hierarchical_label", "natural_or_human_made")
