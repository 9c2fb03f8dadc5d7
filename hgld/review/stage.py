"""Stage `review`: turns the proposals and the decision log into the taxonomy.

The stage `decided` runs before it and writes the decisions in force as tables, for rooms that do
not read the log.

A person decides on the page, or in a sheet (`hgld.review.applying`). The build stops here until
every class is decided, unless its settings accept proposals.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError
from hgld.review.log.decisions import DECISIONS_FILE, log_lock, read_log
from hgld.review.log.events import label_key
from hgld.review.log.history import Standing, category_rulings, name_now
from hgld.review.status import review_progress
from hgld.tables import DECIDED, FILL_DECISIONS, PROPOSALS, TAXONOMY, qid_number

STAGE = Stage(
    name="review",
    version=2,
    inputs=(PROPOSALS,),
    input_files=(DECISIONS_FILE,),
    outputs=(TAXONOMY,),
)

DECIDED_STAGE = Stage(
    name="decided", version=2, input_files=(DECISIONS_FILE,), outputs=(DECIDED, FILL_DECISIONS)
)
"""The decisions in force, as tables; the first stage of the step `propose`."""

_UNSEEN = {"accept": "proposed", "ignore": "proposed_ignore", "ask": "undecided"}
"""Proposed action to the decision recorded for a class that no person decided."""
_DIGITS = 6  # of a confidence: a float32 has no more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConfig:
    """Settings of the stage."""

    accept_proposals: bool = setting(
        False,
        "Whether proposals count for classes that no person decided; a proposal to ask leaves its "
        "class undecided. The choice is saved in the settings file.",
    )
    accept_above: float | None = setting(
        None,
        "Lowest confidence, 0 to 1, at which a proposal counts for a class that no person decided, "
        "such as 0.95; below it the class stays undecided. The choice is saved in the settings "
        "file.",
        least=0,
        most=1,
    )

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
            ValueError: a confidence outside 0 to 1, or both settings at once.
        """
        check_settings(self)
        if self.accept_proposals and self.accept_above is not None:
            raise ValueError(
                "set accept_above or accept_proposals, not both: accept_proposals accepts all"
            )

    @property
    def accepts(self) -> bool:
        """Whether the build continues with undecided classes."""
        return self.accept_proposals or self.accept_above is not None


def run_review(workspace: Workspace, config: ReviewConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `propose` has finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log does not match its checksums or its copy; nothing is written.
        InputError: a line of the log is not an event.
        AwaitingReviewError: some classes are undecided, and the settings accept no proposals.
    """
    return _run(workspace, STAGE, row_settings(config), partial(_produce, config))


def run_decided(workspace: Workspace) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build; without a log the tables are empty.

    Returns:
        The report; `rows` counts decided classes and rulings on guesses.

    Raises:
        DamagedError: the log does not match its checksums or its copy; nothing is written.
        InputError: a line of the log is not an event.
    """
    return _run(workspace, DECIDED_STAGE, {}, _write_decided)


def _run(
    workspace: Workspace,
    stage: Stage,
    settings: Mapping[str, object],
    produce: Callable[[Standing, StageWriter], None],
) -> StageReport:
    # Read the log even if the stage is up to date: a damaged log is reported at once.
    with log_lock(workspace):  # no line is added before the log's digest is taken
        standing = read_log(workspace, mend=True).standing()
        return run_stage(workspace, stage, settings, partial(produce, standing))


def _write_decided(standing: Standing, writer: StageWriter) -> None:
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


def settle_again(workspace: Workspace, config: ReviewConfig) -> None:
    """Updates the taxonomy from the log, for the stages after the review.

    The page only adds to the log, so the taxonomy of a build may be old or missing.

    Args:
        workspace: a build; does nothing without proposals.
        config: the settings.

    Raises:
        AwaitingReviewError, DamagedError, InputError: see `run_review`.
    """
    if workspace.manifest(PROPOSALS.stage) is not None:
        run_review(workspace, config)


def _awaiting(
    workspace: Workspace, classes: Sequence[Mapping[str, Any]], standing: Standing
) -> AwaitingReviewError:
    progress = review_progress(workspace, classes, standing)
    review = f"hgld review --root {shlex.quote(str(workspace.root))}"
    return AwaitingReviewError(
        f"AwaitingReview: {progress.words()} are open; decide on the page that `{review}` opens, "
        f"or in a sheet: `{review} --export sheet.csv`, then `{review} --apply sheet.csv "
        f"--reviewer NAME`; then run this again. To continue without a review: --accept-proposals "
        f"takes all proposals, --accept-above 0.95 only the sure ones"
    )


def _produce(config: ReviewConfig, standing: Standing, writer: StageWriter) -> None:
    proposals = writer.workspace.read(PROPOSALS).to_pylist()
    decisions = {row["class_qid"]: standing.decision(row["class_qid"]) for row in proposals}
    if None in decisions.values() and not config.accepts:
        raise _awaiting(writer.workspace, proposals, standing)
    least, named, rows = config.accept_above or 0.0, dict[str, tuple[str, str]](), []
    for row in proposals:
        settled = {name: row[name] for name in ("class_qid", "class_label", "landmarks")}
        decision = decisions[row["class_qid"]]
        if decision is None:
            settled |= _proposed(row, least, standing, named)
        else:
            settled |= {
                "decision": "assigned" if decision.action == "assign" else "ignored",
                "hierarchical_label": decision.hierarchical_label,
                "natural_or_human_made": decision.natural_or_human_made,
                "reviewer": decision.reviewer,
            }
        rows.append(settled)
    writer.write(TAXONOMY, "taxonomy", pa.Table.from_pylist(rows, schema=TAXONOMY.schema))


def _proposed(
    row: Mapping[str, Any], least: float, standing: Standing, named: dict[str, tuple[str, str]]
) -> dict[str, object]:
    """Accepts a proposal if its confidence is at least `least`; else the class stays undecided."""
    confidence = round(row["confidence"], _DIGITS)
    action = row["proposed_action"] if confidence >= least else "ask"
    settled: dict[str, object] = {"decision": _UNSEEN[action]}
    if action != "ask":
        settled |= {"confidence": confidence, "accepted_above": least}
    if action == "accept":
        # Use the current name, which a person may have changed; of two new spellings, the first.
        name = name_now(standing, row["proposed_label"], row["proposed_natural_or_human_made"])
        label, side = named.setdefault(label_key(name[0]), name)
        settled |= {"hierarchical_label": label, "natural_or_human_made": side}
    return settled
