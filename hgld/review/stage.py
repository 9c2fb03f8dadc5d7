"""Stage `review`: proposals and log of decisions become the taxonomy; and the gate before it.

A person decides on the page, or in a file (`hgld.review.exchange`). Until every class is decided
the build waits, or takes what is proposed, if that is asked for.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hgld.engine.config import check_settings, from_mapping, row_settings, setting
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import AwaitingReviewError, DamagedError, MissingInputError
from hgld.review.log.decisions import DECISIONS_FILE, labels_in_use, log_lock, read_log
from hgld.review.log.events import label_key
from hgld.review.log.history import Decision, Standing
from hgld.review.progress import LandmarkCounts, review_progress
from hgld.tables import PROPOSALS, TAXONOMY

STAGE = Stage(
    name="review",
    version=2,
    inputs=(PROPOSALS,),
    input_files=(DECISIONS_FILE,),
    outputs=(TAXONOMY,),
)

_UNSEEN = {"accept": "proposed", "ignore": "proposed_ignore", "ask": "undecided"}
"""What becomes of a class that no person looked at, by the action that is proposed for it."""
_DIGITS = 6  # of a confidence: a float32 has no more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConfig:
    """Settings of the stage."""

    accept_proposals: bool = setting(
        False,
        "Whether the proposal for a class counts where no person decided; one that says to ask "
        "leaves the class undecided.",
    )
    accept_above: float | None = setting(
        None,
        "Least confidence, 0 to 1, of the proposals that count where no person decided, such as "
        "0.95; the others leave their classes undecided. Accepts proposals by itself.",
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
        InputError: a line of it is no event.
        AwaitingReviewError: undecided classes, and their proposals are not accepted.
    """
    # Before the stage is found up to date: a log that is not whole is told at once.
    with log_lock(workspace):  # no line is added between this and the log's digest
        standing = read_log(workspace, mend=True).standing()
        return run_stage(
            workspace,
            STAGE,
            row_settings(config),
            lambda writer: _produce(workspace, config, standing, writer),
        )


def require_review(workspace: Workspace, config: ReviewConfig | None = None) -> None:
    """Refuses to go on where a person has yet to decide, and nobody accepted what is proposed.

    A class that the last review took as it was proposed is accepted. One that a threshold left
    undecided is not, nor is one that came since, or whose decision was taken back since.

    Args:
        workspace: a build; where nothing was proposed yet, nothing is refused.
        config: the settings now; where they accept what is proposed, so be it. None accepts none.

    Raises:
        AwaitingReviewError: there are such classes.
        DamagedError: the log is not as it was written.
    """
    if config is not None and config.accepts:
        return
    try:
        classes = workspace.read(PROPOSALS, ["class_qid", "landmarks", "cluster_id"]).to_pylist()
    except (MissingInputError, DamagedError):  # what runs next says what is missing
        return
    standing = read_log(workspace).standing()
    decided, accepted = standing.decisions(), _accepted(workspace)
    if any(row["class_qid"] not in decided and row["class_qid"] not in accepted for row in classes):
        raise _awaiting(workspace, classes, standing)


def settle_again(workspace: Workspace, config: ReviewConfig | None = None) -> None:
    """Settles the taxonomy with what was decided since, where `require_review` lets it.

    The page only adds to the log, so that a build may have an old taxonomy, or none yet. It is
    settled by the settings now where they accept what is proposed, and else as the last review did.

    Args:
        workspace: a build; without proposals nothing is done.
        config: the settings now; None accepts none.

    Raises:
        AwaitingReviewError: classes are open, also such as were sure enough in the last review and
            are no more.
        DamagedError: the log, or what proposals are made of, is not as it was written.
    """
    require_review(workspace, config)
    if workspace.manifest(PROPOSALS.stage) is None:
        return
    if config is None or not config.accepts:
        done = workspace.manifest(STAGE.name)
        before = done.settings if done else {}
        settings = {name: one for name, one in before.items() if one is not None}
        run_review(workspace, from_mapping(ReviewConfig, settings, where="[review]"))
        require_review(workspace)
    else:
        run_review(workspace, config)


def _accepted(workspace: Workspace) -> set[str]:
    """Returns the classes whose proposals the last review took without a person."""
    try:
        rows = workspace.read(TAXONOMY, ["class_qid", "decision"]).to_pylist()
    except (MissingInputError, DamagedError):
        return set()
    done = workspace.manifest(STAGE.name)
    is_by_threshold = done is None or done.settings.get("accept_above") is not None
    taken = {one for action, one in _UNSEEN.items() if action != "ask" or not is_by_threshold}
    return {row["class_qid"] for row in rows if row["decision"] in taken}


def _awaiting(
    workspace: Workspace, classes: Sequence[Mapping[str, Any]], standing: Standing
) -> AwaitingReviewError:
    progress = review_progress(classes, standing, LandmarkCounts(workspace, classes))
    review = f"hgld review --root {shlex.quote(str(workspace.root))}"
    return AwaitingReviewError(
        f"AwaitingReview: {progress.words()} are open; `{review}` opens the page to decide on "
        f"them, and `{review} --export sheet.csv` writes a sheet for `{review} --apply sheet.csv "
        f"--reviewer NAME`; then run this again. Or go on without a person, with what is proposed: "
        f"--accept-proposals, or of that what is sure enough: --accept-above 0.95"
    )


def _produce(
    workspace: Workspace, config: ReviewConfig, standing: Standing, writer: StageWriter
) -> None:
    proposals = workspace.read(PROPOSALS).to_pylist()
    decisions = {row["class_qid"]: standing.decision(row["class_qid"]) for row in proposals}
    decided = [decision for decision in decisions.values() if decision is not None]
    used = labels_in_use(decided)
    if len(decided) < len(proposals) and not config.accepts:
        raise _awaiting(workspace, proposals, standing)
    unseen = _Unseen(config.accept_above or 0.0, standing, used)
    rows = [
        _decided_row(row, decision) if decision else unseen.row(row)
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
        "confidence": None,
        "accepted_above": None,
    }


class _Unseen:
    """What becomes of classes that no person decided on."""

    def __init__(self, least: float, standing: Standing, used: Mapping[str, Decision]) -> None:
        self._least, self._standing = least, standing
        self._names = {
            key: (decision.hierarchical_label, decision.natural_or_human_made)
            for key, decision in used.items()
        }

    def row(self, row: Mapping[str, Any]) -> dict[str, object]:
        """Accepts a proposal that is sure enough; any other leaves the class undecided."""
        action, label, side = row["proposed_action"], None, None
        confidence = round(row["confidence"], _DIGITS)
        if confidence < self._least:
            action = "ask"
        if action == "accept":
            label, side = self._named(row)
        is_accepted = action != "ask"
        return {
            **_class_of(row),
            "decision": _UNSEEN[action],
            "hierarchical_label": label,
            "natural_or_human_made": side,
            "reviewer": None,
            "confidence": confidence if is_accepted else None,
            "accepted_above": self._least if is_accepted else None,
        }

    def _named(self, row: Mapping[str, Any]) -> tuple[str | None, str | None]:
        """Returns name and side: of a super-category in use, or renamed by a person, as it is."""
        proposed, side = row["proposed_label"], row["proposed_natural_or_human_made"]
        name = self._standing.current_name(proposed)
        key = label_key(name)
        if key != label_key(proposed):
            side = self._standing.names.get(key, (name, side))[1]
        elif key not in self._names:
            name = proposed
        return self._names.setdefault(key, (name, side))


def _class_of(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("class_qid", "class_label", "landmarks")}
