"""Stage `decided`: the decisions in force as a table, for the rooms that know of no log."""

from collections.abc import Mapping

import pyarrow as pa

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, log_lock, read_log
from hgld.review.log.history import Decision
from hgld.tables import DECIDED, qid_number

STAGE = Stage(name="decided", version=1, input_files=(DECISIONS_FILE,), outputs=(DECIDED,))


def run_decided(workspace: Workspace) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build; where no log is there, nothing is decided.

    Returns:
        The report; `rows` counts classes with a decision.

    Raises:
        DamagedError: the log is not as it was written; nothing is made of what is left of it.
        InputError: a line of it is no decision.
    """
    # Before the stage is found up to date: a log that is not whole is told at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
        log = read_log(workspace, mend=True).in_force()
        return run_stage(workspace, STAGE, {}, lambda writer: _produce(log, writer))


def _produce(log: Mapping[str, Decision], writer: StageWriter) -> None:
    rows = [
        {
            "class_qid": qid,
            "class_label": log[qid].class_label,
            **dict(zip(_CONTENT, log[qid].content[:3], strict=True)),
        }
        for qid in sorted(log, key=qid_number)
    ]
    writer.write(DECIDED, "decided", pa.Table.from_pylist(rows, schema=DECIDED.schema))


_CONTENT = ("action", "hierarchical_label", "natural_or_human_made")
