"""Stage `decided`: what the log has in force as tables, for the rooms that know of no log."""

import pyarrow as pa

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, log_lock, read_log
from hgld.review.log.history import Standing, category_rulings
from hgld.tables import DECIDED, FILL_DECISIONS, qid_number

STAGE = Stage(
    name="decided", version=2, input_files=(DECISIONS_FILE,), outputs=(DECIDED, FILL_DECISIONS)
)


def run_decided(workspace: Workspace) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build; without a log nothing is decided.

    Returns:
        The report; `rows` counts classes with a decision, and rulings on guesses.

    Raises:
        DamagedError: the log is not as it was written; nothing is made of what is left of it.
        InputError: a line of it is not an event.
    """
    # Before the stage is found up to date: a log that is not whole is reported at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
        standing = read_log(workspace, mend=True).standing()
        return run_stage(workspace, STAGE, {}, lambda writer: _produce(standing, writer))


def _produce(standing: Standing, writer: StageWriter) -> None:
    decisions = sorted(standing.decisions().values(), key=lambda one: qid_number(one.class_qid))
    names = DECIDED.schema.names
    classes = [{name: getattr(one, name) for name in names} for one in decisions]
    writer.write(DECIDED, "decided", pa.Table.from_pylist(classes, schema=DECIDED.schema))
    rulings = [
        one._asdict() | {"reviewer": one.word.event.reviewer}
        for category in sorted(standing.fills)
        for one in category_rulings(standing, category)
    ]
    table = pa.Table.from_pylist(rulings, schema=FILL_DECISIONS.schema)
    writer.write(FILL_DECISIONS, "fill_decisions", table)
