"""A proposal as a reviewer reads it: what, how sure, and why."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import pyarrow as pa

from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.taxonomy.rows import Action
from hgld.tables import PROPOSALS

ProposalMethod = Literal[
    "classes",
    "wording",
    "identifiers",
    "superclasses",
    "namesakes",
    "neighbours",
    "prototypes",
]
METHODS: tuple[ProposalMethod, ...] = get_args(ProposalMethod)
CHANGING: tuple[ProposalMethod, ...] = ("superclasses", "namesakes", "neighbours")
"""The methods whose opinions change with decisions."""

CONFIDENCE_DECIMALS = 4

Certainty = Literal["decided", "automatic", "likely", "doubtful"]

_SHOWN = 4  # reasons; the strongest come first


class Proposal(NamedTuple):
    """A row of PROPOSALS."""

    class_qid: str
    class_label: str
    landmarks: int
    cluster_id: int
    similarity: float
    proposed_label: str | None
    proposed_natural_or_human_made: str | None
    proposed_action: Action
    confidence: float
    tier: Certainty
    evidence: str
    runner_up: str | None
    runner_up_confidence: float


def proposals_table(proposals: Sequence[Proposal]) -> pa.Table:
    """Returns proposals as a PROPOSALS table."""
    columns = zip(*proposals, strict=True) if proposals else [[] for _ in Proposal._fields]
    return pa.table(dict(zip(Proposal._fields, columns, strict=True)), schema=PROPOSALS.schema)


def proposals_of(table: pa.Table) -> list[Proposal]:
    """Returns the proposals of a PROPOSALS table, equal to those it was made of.

    Their confidences have few decimals, and lie in the table as float32.
    """
    return [
        Proposal(**row)._replace(
            confidence=round(row["confidence"], CONFIDENCE_DECIMALS),
            runner_up_confidence=round(row["runner_up_confidence"], CONFIDENCE_DECIMALS),
        )
        for row in table.to_pylist()
    ]


class Reason(NamedTuple):
    """What a method says for the proposed target, or for the runner-up."""

    weight: float
    """How much likelier it makes the target, as a logarithm."""
    words: str


class Choice(NamedTuple):
    """What is proposed: one of the two best targets."""

    target: str
    action: Action
    confidence: float
    tier: Certainty
    runner_up: str
    runner_up_confidence: float


def choose(
    targets: tuple[str, str],
    confidences: tuple[float, float],
    calibration: Calibration,
    *,
    may_ignore: bool,
    is_doubted: bool = False,
) -> Choice:
    """Chooses what to propose, and what a reviewer does with it.

    A reviewer is asked where the best is more likely wrong than right, where the taxonomy would
    have a person look at that very class, unless it is certain by now, and where nothing speaks for
    ignoring a class but that nothing else speaks. Then the best super-category is shown: a reviewer
    can ignore it, and could not guess a label that is not shown.

    Args:
        targets: the best and the second; IGNORE is one of them or none.
        confidences: of both.
        calibration: has the thresholds.
        may_ignore: whether anything says that the class is to be ignored.
        is_doubted: whether the taxonomy asks about this class, or about its label to the letter.

    Example:
        >>> choose(("lake", ""), (0.97, 0.01), Calibration(), may_ignore=False)
        Choice(target='lake', action='accept', confidence=0.97, tier='likely', runner_up='', \
runner_up_confidence=0.01)
        >>> choose(("", "lake"), (0.8, 0.1), Calibration(), may_ignore=False).action
        'ask'
    """
    (best, second), (confidence, other) = targets, confidences
    is_ignored = best == IGNORE
    is_certain = confidence >= calibration.automatic_from
    if (
        confidence < calibration.ask_below
        or (is_doubted and not is_certain)
        or (is_ignored and not may_ignore)
    ):
        if is_ignored:
            best, second, confidence, other = second, best, other, confidence
        return Choice(best, "ask", confidence, "doubtful", second, other)
    tier: Certainty = "automatic" if is_certain else "likely"
    return Choice(best, "ignore" if is_ignored else "accept", confidence, tier, second, other)


def evidence(speaking: Sequence[Reason], against: Sequence[Reason], runner_up: str) -> str:
    """Puts reasons into words, the strongest first.

    Args:
        speaking: for what is proposed.
        against: for the runner-up, of methods that find it likelier.
        runner_up: its name; IGNORE is told as `ignore`.

    Returns:
        One line, never empty.

    Example:
        >>> evidence([Reason(1.0, "like 'tarn' 0.91")], [], "river")
        "like 'tarn' 0.91"
    """
    told = [each.words for each in sorted(speaking, key=lambda each: -each.weight) if each.words]
    line = "; ".join(told[:_SHOWN]) or "nothing speaks for it but that little speaks for others"
    contrary = max(
        (each for each in against if each.words), key=lambda each: each.weight, default=None
    )
    return f"{line}; but for {runner_up or 'ignore'}: {contrary.words}" if contrary else line
