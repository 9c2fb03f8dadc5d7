"""Stage `review`: proposals and log of decisions become the taxonomy, once every class is decided.

The stage `decided` before it writes what the log has in force as tables, for the rooms that know of
no log.

A person decides on the page, or in a file (`hgld.review.applying`). Until every class is decided
the build waits, or takes what is proposed, if that is asked for.
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
"""What the log has in force as tables; the first stage of the step `propose`."""

_UNSEEN = {"accept": "proposed", "ignore": "proposed_ignore", "ask": "undecided"}
"""What becomes of a class that no person looked at, by the action that is proposed for it."""
_DIGITS = 6  # of a confidence: a float32 has no more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConfig:
    """Settings of the stage."""

    accept_proposals: bool = setting(
        False,
        "Whether the proposal for a class counts where no person decided; one that says to ask "
        "leaves the class undecided. What is typed is kept in the settings file.",
    )
    accept_above: float | None = setting(
        None,
        "Least confidence, 0 to 1, of the proposals that count where no person decided, such as "
        "0.95; the others leave their classes undecided. It is kept as well.",
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: a confidence that is none.
        """
        check_settings(self)
        if self.accept_above is not None and not 0 <= self.accept_above <= 1:
            raise ValueError(
                f"accept_above must be a confidence from 0 to 1, such as 0.95, got "
                f"{self.accept_above}"
            )
        if self.accept_proposals and self.accept_above is not None:
            raise ValueError(
                "accept_above goes without accept_proposals, which accepts all; keep one"
            )

    @property
    def accepts(self) -> bool:
        """Whether the build goes on where no person decided."""
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
        DamagedError: the log is not as it was written; nothing is made of what is left of it.
        InputError: a line of it is not an event.
        AwaitingReviewError: undecided classes, and their proposals are not accepted.
    """
    return _run(workspace, STAGE, row_settings(config), partial(_produce, config))


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
    return _run(workspace, DECIDED_STAGE, {}, _write_decided)


def _run(
    workspace: Workspace,
    stage: Stage,
    settings: Mapping[str, object],
    produce: Callable[[Standing, StageWriter], None],
) -> StageReport:
    # Before the stage is found up to date: a log that is not whole is reported at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
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
    """Settles the taxonomy with what was decided since, for what comes after the review.

    The page only adds to the log, so a build may have an old taxonomy, or none yet.

    Args:
        workspace: a build; without proposals nothing is done.
        config: the settings.

    Raises:
        AwaitingReviewError, DamagedError, InputError: as `run_review` does.
    """
    if workspace.manifest(PROPOSALS.stage) is not None:
        run_review(workspace, config)


def _awaiting(
    workspace: Workspace, classes: Sequence[Mapping[str, Any]], standing: Standing
) -> AwaitingReviewError:
    progress = review_progress(workspace, classes, standing)
    review = f"hgld review --root {shlex.quote(str(workspace.root))}"
    return AwaitingReviewError(
        f"AwaitingReview: {progress.words()} are open; `{review}` opens the page to decide on "
        f"them, and `{review} --export sheet.csv` writes a sheet for `{review} --apply sheet.csv "
        f"--reviewer NAME`; then run this again. Or go on without a person, with what is proposed: "
        f"--accept-proposals, or of that what is sure enough: --accept-above 0.95"
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
    """Accepts a proposal that is sure enough; any other leaves the class undecided."""
    confidence = round(row["confidence"], _DIGITS)
    action = row["proposed_action"] if confidence >= least else "ask"
    settled: dict[str, object] = {"decision": _UNSEEN[action]}
    if action != "ask":
        settled |= {"confidence": confidence, "accepted_above": least}
    if action == "accept":
        # As it is in use, or as a person renamed it; of two new spellings the first counts.
        name = name_now(standing, row["proposed_label"], row["proposed_natural_or_human_made"])
        label, side = named.setdefault(label_key(name[0]), name)
        settled |= {"hierarchical_label": label, "natural_or_human_made": side}
    return settled
